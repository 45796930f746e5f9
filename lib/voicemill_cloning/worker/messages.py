"""Messages between voicemill and the process of Qwen3-TTS. Standard library only: both sides import this module.

A request is one line `{"id": 1, "do": "generate", …}`. Its answer is one line with the same id, either
`{"id": 1, "result": {…}}` or `{"id": 1, "error": {"reason": …, "message": …, "hint": …}}`. Lines
`{"id": 1, "progress": {"tokens": 40, "of": 300}}` may come before it. Sound and prompts are files, which the request
names.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

KINDS = ("base", "custom_voice", "voice_design")
"""What a Qwen3-TTS model is made for: cloning, built-in speakers, voices from a description."""
DTYPES = ("auto", "bfloat16", "float16", "float32")
PROMPT_FORMAT = "voicemill_clone_prompt/1"


@dataclass(frozen=True)
class LoadRequest:
    """Load a model; it stays loaded until another one is asked for.

    Attributes:
        folder: of the model, with its speech tokenizer below.
        device: `auto`, `cpu`, `cuda` or `cuda:<n>`.
        dtype: one of `DTYPES`.
        threads: of PyTorch on the CPU; 0 keeps PyTorch's own number.
    """

    DO: ClassVar[str] = "load"
    folder: str
    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class LoadedModel:
    """The answer to `LoadRequest`.

    Attributes:
        kind: one of `KINDS`.
        size: `0b6` or `1b7`, as the model's configuration writes it.
        device, dtype: that the model is on.
        attention: `flash_attention_2` or `sdpa`.
        attention_note: why flash-attention is not used; empty where it is.
        languages, speakers: names as the model has them.
        takes_instruct: whether an instruction has an effect.
        frames_per_second: codec frames.
        sample_rate: of its speech, in Hz.
        versions: of the packages that speak.
    """

    kind: str
    size: str
    device: str
    dtype: str
    attention: str
    attention_note: str
    languages: tuple[str, ...]
    speakers: tuple[str, ...]
    takes_instruct: bool
    frames_per_second: float
    sample_rate: int
    versions: dict[str, str]


@dataclass(frozen=True)
class PromptRequest:
    """Build a clone prompt with the loaded base model.

    Attributes:
        audio: WAV of the reference.
        target: safetensors file to write.
        text: what the reference says; empty with `x_vector_only`.
        x_vector_only: take the speaker's embedding alone.
        metadata: further texts for the file's metadata.
    """

    DO: ClassVar[str] = "prompt"
    audio: str
    target: str
    text: str = ""
    x_vector_only: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GenerateRequest:
    """Speak a text with the loaded model.

    Attributes:
        text: as written.
        target: WAV file to write, 32-bit float.
        language: `Auto` or a name that the model knows.
        seed: of every random number.
        prompt: safetensors file, for a base model.
        speaker: for a custom-voice model.
        instruct: for a custom-voice or voice-design model.
        options: of the generation: temperature, top_p, top_k, repetition_penalty, max_new_tokens, do_sample, and the
            same with `subtalker_` for the codes below the first; what is left out is the model's own.
        timeout: seconds after which the generation is stopped; 0 for none.
    """

    DO: ClassVar[str] = "generate"
    text: str
    target: str
    language: str = "Auto"
    seed: int = 0
    prompt: str = ""
    speaker: str = ""
    instruct: str = ""
    options: dict[str, float | int | bool] = field(default_factory=dict)
    timeout: float = 0.0


@dataclass(frozen=True)
class Generated:
    """The answer to `GenerateRequest`.

    Attributes:
        seconds: of the sound.
        sample_rate: in Hz.
        tokens: codec frames that were generated.
        complete: whether the model ended the speech itself.
    """

    seconds: float
    sample_rate: int
    tokens: int
    complete: bool


@dataclass(frozen=True)
class StopRequest:
    """Stop the running generation; its answer has the sound so far and `complete` false."""

    DO: ClassVar[str] = "stop"


class EngineFailureError(Exception):
    """A request that cannot be fulfilled: a stable reason, one sentence, and what to do."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message)
        self.reason, self.hint = reason, hint


Request = LoadRequest | PromptRequest | GenerateRequest | StopRequest
REQUESTS: dict[str, type[Request]] = {
    kind.DO: kind for kind in (LoadRequest, PromptRequest, GenerateRequest, StopRequest)
}


def encode(identity: int, request: Request) -> str:
    """A request as a line."""
    return json.dumps({"id": identity, "do": request.DO, **dataclasses.asdict(request)}) + "\n"


def decode(line: str) -> tuple[int, Request]:
    """The request of a line.

    Raises:
        ValueError: it is none.
    """
    raw: Any = json.loads(line)
    try:
        identity, kind = int(raw.pop("id")), REQUESTS[raw.pop("do")]
        return identity, kind(**raw)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a request: {error}") from error
