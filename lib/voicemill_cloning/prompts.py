"""Clone prompts: what a Qwen3-TTS base model needs to speak with a voice, as a safetensors file.

Tensors: `speaker_embedding`, float32 (dimensions,), and in a full prompt `codes`, int64 (frames, codebooks), the
reference's sound. The metadata holds `format`, `mode` (`full` or `xvec`), `text` (the reference's words) and further
texts about the reference. A safetensors file holds numbers and texts alone: reading one runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voicemill import files
from voicemill.errors import UsageError
from voicemill_cloning.worker.messages import PROMPT_FORMAT

SUFFIX = ".safetensors"
VERSION = 1
"""Last part of a prompt's name."""
MAX_BYTES = 16 * 1024 * 1024
"""A prompt of 12 s has some 20 kB."""
MAX_FRAMES, MAX_CODEBOOKS, MAX_DIMENSIONS = 20_000, 64, 8192
Mode = Literal["full", "xvec"]


@dataclass(frozen=True)
class ClonePrompt:
    """A prompt in memory.

    Attributes:
        embedding: float32 (dimensions,).
        codes: int64 (frames, codebooks); None with mode `xvec`.
        text: words of the reference; empty with mode `xvec`.
        metadata: further texts, such as the model, the reference's digest and its language.
    """

    embedding: NDArray[np.float32]
    codes: NDArray[np.int64] | None
    text: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """`full`, or `xvec` for the speaker's embedding alone."""
        return "xvec" if self.codes is None else "full"


def prompt_name(reference_sha256: str, model: str, *, x_vector_only: bool) -> str:
    """Stem of a prompt's file, as the earlier toolbox named it: digest, model, mode and version.

    Args:
        reference_sha256: of the reference's file.
        model: id of the weights.
        x_vector_only: mode of the prompt.
    """
    tag = re.sub(r"[^a-z0-9.-]+", "-", model.rpartition("/")[2].lower()) or "qwen3tts"
    return f"{reference_sha256[:32]}_{tag}_{'xvec' if x_vector_only else 'full'}_v{VERSION}"


def read_prompt(path: Path) -> ClonePrompt:
    """Read a prompt strictly.

    Raises:
        UsageError: `prompt_missing:<name>`, `prompt_invalid:<name>`.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(f"There is no prompt {path}.", reason=f"prompt_missing:{path.name}", hint="Check its name.")
    if path.stat().st_size > MAX_BYTES:
        raise _invalid(path, "it is too large")
    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        raise _invalid(path, "it is not a safetensors file of numbers") from error
    if metadata.get("format") != PROMPT_FORMAT:
        raise _invalid(path, f"its format is not {PROMPT_FORMAT}")
    mode, text = metadata.pop("mode", ""), metadata.pop("text", "")
    embedding, codes = tensors.pop("speaker_embedding", None), tensors.pop("codes", None)
    why = _fault(mode, text, embedding, codes, tensors)
    if why or embedding is None:
        raise _invalid(path, why or "it has no speaker embedding")
    metadata.pop("format")
    return ClonePrompt(embedding, codes, text, metadata)


def write_prompt(path: Path, prompt: ClonePrompt) -> None:
    """Write a prompt; the file is replaced as a whole.

    Raises:
        UsageError: `prompt_invalid:<name>`.
        StorageError: it cannot be written.
    """
    from safetensors.numpy import save

    why = _fault(prompt.mode, prompt.text, prompt.embedding, prompt.codes, {})
    if why:
        raise _invalid(path, why)
    tensors: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        "speaker_embedding": np.ascontiguousarray(prompt.embedding)
    }
    if prompt.codes is not None:
        tensors["codes"] = np.ascontiguousarray(prompt.codes)
    own = {"format": PROMPT_FORMAT, "mode": prompt.mode, "text": prompt.text}
    files.write_bytes(path, save(tensors, {**prompt.metadata, **own}))


def _fault(
    mode: str,
    text: str,
    embedding: NDArray[np.float32] | None,
    codes: NDArray[np.int64] | None,
    others: Mapping[str, object],
) -> str:
    """Why these are no prompt, or an empty text."""
    if embedding is None or embedding.dtype != np.float32 or embedding.ndim != 1:
        return "it has no speaker embedding"
    if not 1 <= embedding.size <= MAX_DIMENSIONS or not np.isfinite(embedding).all():
        return "its speaker embedding is too large or not finite"
    if others:
        return f"it holds {min(others)}, which no prompt has"
    if mode == "xvec":
        return "it has codes and no words of the reference" if codes is not None else ""
    if mode != "full" or codes is None or codes.dtype != np.int64 or codes.ndim != 2:
        return "it has no codes of the reference"
    if not (1 <= codes.shape[0] <= MAX_FRAMES and 1 <= codes.shape[1] <= MAX_CODEBOOKS):
        return "its codes have an impossible shape"
    if codes.min() < 0 or codes.max() >= 1 << 20:
        return "its codes are out of range"
    return "" if text.strip() else "it has no words of the reference"


def _invalid(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path.name} is no prompt that can be used: {why}.",
        reason=f"prompt_invalid:{path.name}",
        hint="Make it again from the reference: voice-clone prepare-ref.",
    )
