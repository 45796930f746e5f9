"""MusicGen in memory through transformers, always in float32. Imports torch: import it inside functions."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from voicemill.audio.decode import Samples, read_mono, resample
from voicemill.errors import DependencyError, TrainingError
from voicemill_musicgen.weights import CONFIG, TOKENIZER

DESCRIPTION = "speech of one person"
"""The text prompt of every clip; the adapter learns a sound, not a vocabulary."""


@contextlib.contextmanager
def transformers_runtime() -> Iterator[Any]:
    """Import transformers with warnings and progress bars off and stdout redirected to stderr.

    Raises:
        DependencyError: transformers cannot be imported.
    """
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import transformers
        except ImportError as error:
            raise DependencyError(
                f"transformers cannot be imported: {error}.",
                reason="runtime_dependency_missing:transformers",
                hint="Run ./run-direct once, which installs it.",
            ) from error
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        yield transformers


@dataclass(frozen=True)
class MusicGen:
    """The frozen model in evaluation mode, and the conditioning state of its decoder.

    Attributes:
        condition: (1, tokens, hidden size of the decoder).
    """

    model: Any
    condition: torch.Tensor
    device: str

    @property
    def dtype(self) -> str:
        """The dtypes of the weights, without torch's prefix."""
        return ",".join(sorted({str(weight.dtype).removeprefix("torch.") for weight in self.model.parameters()}))

    @property
    def codebooks(self) -> int:
        return int(self.model.decoder.num_codebooks)

    @property
    def padding(self) -> int:
        """The padding id: it starts each sequence and fills the delays."""
        return int(self.model.config.decoder.pad_token_id)

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits (1, codebooks, steps, codes) for decoder inputs (codebooks, steps)."""
        answer = self.model.decoder(input_ids=inputs, encoder_hidden_states=self.condition, use_cache=False).logits
        logits: torch.Tensor = answer.view(1, self.codebooks, *answer.shape[1:])
        return logits

    def codes(self, clip: Path) -> torch.Tensor:
        """EnCodec's codes (1, codebooks, frames) of a clip, at the model's own rate.

        Raises:
            TrainingError: `base_unusable`: codec and decoder do not match.
        """
        samples, rate = read_mono(clip)
        return self.encode(resample(samples, rate, int(self.model.config.audio_encoder.sampling_rate)))

    def encode(self, samples: Samples) -> torch.Tensor:
        """`codes` for samples (n,) at the model's rate."""
        with torch.no_grad():
            sound = torch.from_numpy(samples).to(self.device)[None, None]
            found: torch.Tensor = self.model.audio_encoder.encode(sound).audio_codes
        if found.shape[0] != 1 or found.shape[2] != self.codebooks:
            raise _unusable(f"its codec returns {found.shape[2]} codebooks in {found.shape[0]} frames")
        return found[0]


def load(folder: Path, device: str) -> MusicGen:
    """Build the model from an inspected folder (`weights.private_copy`). Call inside `transformers_runtime()`.

    Always float32: half precision overflows on a CPU and is not faster there.

    Raises:
        TrainingError: `base_unusable`: the files are not a MusicGen model.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import MusicgenForConditionalGeneration

    try:
        model, info = MusicgenForConditionalGeneration.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation={"decoder": "sdpa", "text_encoder": "sdpa"},
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, StrictDataclassError) as error:
        raise _unusable(str(error).partition("\n")[0]) from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise _unusable(f"{len(info['missing_keys'])} weights that {CONFIG} requires are missing")
    model = model.float().to(device).eval().requires_grad_(requires_grad=False)
    tokens = _tokens(folder / TOKENIZER)
    codec, decoder = model.config.audio_encoder, model.config.decoder
    if codec.audio_channels != 1 or decoder.audio_channels != 1 or codec.codebook_size > decoder.vocab_size:
        raise _unusable("its codec is not mono, or has more codes than its decoder")
    if not tokens or max(tokens) >= model.config.text_encoder.vocab_size:
        raise _unusable(f"{TOKENIZER} does not belong to its text encoder")
    return MusicGen(model, _condition(model, tokens, device), device)


def _tokens(path: Path) -> list[int]:
    """Token ids of the description."""
    from tokenizers import Tokenizer

    try:
        tokens: list[int] = Tokenizer.from_file(str(path)).encode(DESCRIPTION).ids
    except Exception as error:  # tokenizers raises the base class for an unreadable file
        raise _unusable(f"{path.name}: {error}") from error
    return tokens


def _condition(model: Any, tokens: list[int], device: str) -> torch.Tensor:
    with torch.no_grad():
        state: torch.Tensor = model.text_encoder(input_ids=torch.tensor([tokens], device=device)).last_hidden_state
        return model.enc_to_dec_proj(state) if hasattr(model, "enc_to_dec_proj") else state


def _unusable(why: str) -> TrainingError:
    return TrainingError(
        f"The base weights are not a MusicGen model: {why}.",
        reason="base_unusable",
        hint="Fetch the files again from the source in the allowlist, and pin them.",
    )
