"""A loaded Qwen3-TTS model: prompts and speech, with the classes of the package `qwen_tts`.

Runs in the environment of locks/qwen. Models are read from a folder, as safetensors alone; nothing is downloaded.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from qwen_tts import Qwen3TTSModel
from qwen_tts.inference.qwen3_tts_model import VoiceClonePromptItem
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import StoppingCriteria, StoppingCriteriaList

from voicemill_cloning.worker import messages
from voicemill_cloning.worker.messages import EngineFailureError

_PACKAGES = ("qwen-tts", "torch", "transformers", "accelerate")
_WITHOUT_INSTRUCT = "0b6"
"""Size of the custom-voice models to which `qwen_tts` passes no instruction."""
_REPORT_EVERY = 25


class GenerationProgress(StoppingCriteria):  # type: ignore[misc]
    """Counts the frames of a generation, reports them, and stops it on request or at its time limit."""

    def __init__(self, stop: threading.Event, report: Callable[[int, int], None]) -> None:
        self._stop, self._report = stop, report
        self._deadline, self._most, self._end_token = 0.0, 0, -1
        self.tokens, self.ended, self.timed_out = 0, False, False

    def begin(self, most: int, end_token: int, timeout: float) -> None:
        """Start counting a generation of at most so many frames."""
        self._most, self._end_token = most, end_token
        self._deadline = time.monotonic() + timeout if timeout else 0.0
        self.tokens, self.ended, self.timed_out = 0, False, False

    def __call__(self, input_ids: torch.Tensor, scores: Any, **unused: Any) -> torch.Tensor:
        """Called by transformers after each frame; true stops the generation."""
        self.tokens += 1
        self.ended = bool((input_ids[:, -1] == self._end_token).all())
        if self.tokens % _REPORT_EVERY == 0:
            self._report(self.tokens, self._most)
        self.timed_out = bool(self._deadline) and time.monotonic() > self._deadline
        stop = self._stop.is_set() or self.timed_out
        return torch.full((input_ids.shape[0],), stop, dtype=torch.bool, device=input_ids.device)


class LoadedQwen:
    """A model in memory."""

    def __init__(self, model: Any, description: messages.LoadedModel) -> None:
        self._model, self.description = model, description
        self._progress: GenerationProgress | None = None
        talker = model.model.talker
        generate = talker.generate

        def watched(*arguments: Any, **options: Any) -> Any:
            return generate(*arguments, **options, stopping_criteria=StoppingCriteriaList([self._progress]))

        talker.generate = watched  # the package's own generate() passes no criteria on

    @classmethod
    def load(cls, request: messages.LoadRequest) -> LoadedQwen:
        """Load the model of a folder.

        Raises:
            EngineFailureError: `gpu_unavailable`, `bad_usage`, `engine_model_invalid`.
        """
        if request.threads:
            torch.set_num_threads(request.threads)
        device = _device(request.device)
        dtype = _dtype(request.dtype, device)
        attention, note = choose_attention(device, dtype)
        try:
            model, attention, note = _read(request.folder, device, dtype, attention, note)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            if "out of memory" in str(error).lower():
                raise
            raise EngineFailureError(
                f"The model in {request.folder} cannot be loaded: {_first_line(error)}.",
                reason="engine_model_invalid",
                hint="Remove its folder from the weights cache and fetch it again.",
            ) from error
        return cls(model, _describe(model, device, dtype, attention, note))

    def build_prompt(self, request: messages.PromptRequest) -> None:
        """Write the clone prompt of a reference.

        Raises:
            EngineFailureError: `engine_model_kind:<kind>`, `reference_text_missing`, `engine_failed:qwen`.
        """
        self._require("base", "a clone prompt")
        if not request.x_vector_only and not request.text.strip():
            raise EngineFailureError(
                "A clone prompt needs the words of its reference.",
                reason="reference_text_missing",
                hint="Give them with --ref-text, or use --x-vector-only.",
            )
        samples, rate = soundfile.read(request.audio, dtype="float32", always_2d=True)
        item = self._model.create_voice_clone_prompt(
            (samples.mean(axis=1), int(rate)), request.text or None, request.x_vector_only
        )[0]
        tensors = {"speaker_embedding": item.ref_spk_embedding.detach().float().cpu().contiguous()}
        if item.ref_code is not None:
            tensors["codes"] = item.ref_code.detach().long().cpu().contiguous()
        if not torch.isfinite(tensors["speaker_embedding"]).all():
            raise EngineFailureError(
                "The reference gives a speaker embedding that is not finite.", reason="engine_failed:qwen"
            )
        metadata = {
            **request.metadata,
            "format": messages.PROMPT_FORMAT,
            "mode": "xvec" if request.x_vector_only else "full",
            "text": request.text,
            "size": self.description.size,
        }
        save_file(tensors, request.target, metadata=metadata)

    def generate(self, request: messages.GenerateRequest, progress: GenerationProgress) -> messages.Generated:
        """Speak a text and write its sound.

        Raises:
            EngineFailureError: `engine_model_kind:<kind>`, `language_not_spoken:<name>`, `unknown_speaker:<name>`,
                `instruct_without_effect`, `prompt_of_another_model`, `generation_timeout`, `engine_failed:qwen`.
        """
        self._check(request)
        torch.manual_seed(request.seed)
        config = self._model.model.config.talker_config
        most = int(request.options.get("max_new_tokens") or self._model.generate_defaults.get("max_new_tokens", 2048))
        progress.begin(most, config.codec_eos_token_id, request.timeout)
        self._progress = progress
        try:
            sounds, rate = self._speak(request)
        except (RuntimeError, ValueError, IndexError):
            if not progress.timed_out:  # one that is stopped at its first frame has no sound to decode
                raise
        if progress.timed_out:
            raise EngineFailureError(
                f"The speech was not finished in {request.timeout:g} s, at {progress.tokens} of {most} frames.",
                reason="generation_timeout",
                hint="Allow more time with --timeout, or speak a shorter text (--chunk).",
            )
        samples = np.asarray(sounds[0], dtype=np.float32)
        if not samples.size or not np.isfinite(samples).all():
            raise EngineFailureError(
                "Qwen3-TTS returned a sound that is empty or not finite.",
                reason="engine_failed:qwen",
                hint="Try another seed.",
            )
        soundfile.write(request.target, samples, rate, subtype="FLOAT")
        return messages.Generated(len(samples) / rate, int(rate), progress.tokens, progress.ended)

    def _speak(self, request: messages.GenerateRequest) -> tuple[Any, int]:
        options = {"language": request.language, **request.options}
        if self.description.kind == "base":
            prompt = [self._prompt(Path(request.prompt))]
            found = self._model.generate_voice_clone(request.text, voice_clone_prompt=prompt, **options)
        elif self.description.kind == "custom_voice":
            instruct = request.instruct or None
            found = self._model.generate_custom_voice(request.text, request.speaker, instruct=instruct, **options)
        else:
            found = self._model.generate_voice_design(request.text, request.instruct, **options)
        return found[0], int(found[1])

    def _check(self, request: messages.GenerateRequest) -> None:
        """Refuse what the model would reject in a sentence of its own, or silently ignore."""
        known = self.description
        if request.language.lower() not in known.languages:
            raise EngineFailureError(
                f"The model does not speak {request.language}.",
                reason=f"language_not_spoken:{request.language}",
                hint=f"It speaks {', '.join(known.languages)}.",
            )
        if request.prompt:
            self._require("base", "a clone prompt")
        elif known.kind == "base":
            raise EngineFailureError("A base model speaks with a clone prompt only.", reason="engine_model_kind:base")
        if known.kind == "custom_voice" and request.speaker.lower() not in known.speakers:
            raise EngineFailureError(
                f"The model has no speaker {request.speaker!r}.",
                reason=f"unknown_speaker:{request.speaker}",
                hint=f"Choose one of: {', '.join(known.speakers)}.",
            )
        if request.instruct and not known.takes_instruct:
            raise EngineFailureError(
                f"This model ({known.kind}, {known.size}) ignores instructions.",
                reason="instruct_without_effect",
                hint="Use the 1.7B model of built-in speakers, or leave the instruction out.",
            )

    def _require(self, kind: str, what: str) -> None:
        if self.description.kind != kind:
            raise EngineFailureError(
                f"A model of kind {self.description.kind} cannot be used for {what}.",
                reason=f"engine_model_kind:{self.description.kind}",
                hint=f"Use a model of kind {kind}.",
            )

    def _prompt(self, path: Path) -> Any:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        expected = self._model.model.config.talker_config.hidden_size
        if tensors["speaker_embedding"].shape != (expected,):
            raise EngineFailureError(
                f"The prompt {path.name} was made by a model of another size.",
                reason="prompt_of_another_model",
                hint="Make it again with this model, or name the model that made it with --model.",
            )
        full = metadata.get("mode") != "xvec"
        return VoiceClonePromptItem(
            ref_code=tensors["codes"].to(self._model.device) if full else None,
            ref_spk_embedding=tensors["speaker_embedding"].to(self._model.device),
            x_vector_only_mode=not full,
            icl_mode=full,
            ref_text=metadata.get("text") or None,
        )


def choose_attention(device: str, dtype: torch.dtype) -> tuple[str, str]:
    """The fastest attention that works here, and why it is not flash-attention."""
    if not device.startswith("cuda"):
        return "sdpa", "flash-attention needs a GPU: PyTorch's attention (sdpa) is used."
    if dtype == torch.float32:
        return "sdpa", "flash-attention needs 16-bit numbers: PyTorch's attention (sdpa) is used."
    if torch.cuda.get_device_capability(device)[0] < 8:
        return "sdpa", "flash-attention needs a GPU of compute capability 8: PyTorch's attention (sdpa) is used."
    try:
        importlib.metadata.version("flash-attn")
    except importlib.metadata.PackageNotFoundError:
        return "sdpa", "flash-attn is not installed: PyTorch's attention (sdpa) is used."
    return "flash_attention_2", ""


def _read(folder: str, device: str, dtype: torch.dtype, attention: str, note: str) -> tuple[Any, str, str]:
    """The model, the attention that it uses, and the note about it."""
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": dtype}
    if device != "cpu":
        options["device_map"] = device
    try:
        return Qwen3TTSModel.from_pretrained(folder, attn_implementation=attention, **options), attention, note
    except ImportError as error:
        if attention == "sdpa":
            raise
        note = f"flash-attn does not work here ({_first_line(error)}): PyTorch's attention (sdpa) is used."
        return Qwen3TTSModel.from_pretrained(folder, attn_implementation="sdpa", **options), "sdpa", note


def _describe(model: Any, device: str, dtype: torch.dtype, attention: str, note: str) -> messages.LoadedModel:
    inner = model.model
    kind, size = str(inner.tts_model_type), str(inner.tts_model_size)
    tokenizer = inner.speech_tokenizer.model.config
    return messages.LoadedModel(
        kind=kind,
        size=size,
        device=device,
        dtype=str(dtype).removeprefix("torch."),
        attention=attention,
        attention_note=note,
        languages=tuple(model.get_supported_languages() or ()),
        speakers=tuple(model.get_supported_speakers() or ()),
        takes_instruct=kind == "voice_design" or (kind == "custom_voice" and size != _WITHOUT_INSTRUCT),
        frames_per_second=tokenizer.output_sample_rate / tokenizer.decode_upsample_rate,
        sample_rate=int(tokenizer.output_sample_rate),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
    )


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda"):
        index = int(wanted.partition(":")[2] or 0)
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise EngineFailureError(
                f"There is no device {wanted} here.", reason="gpu_unavailable", hint="Use --device cpu."
            )
        return f"cuda:{index}"
    return "cpu"


def _dtype(wanted: str, device: str) -> torch.dtype:
    """The numbers to compute with: 32 bits on a CPU, else what the GPU's compute capability is made for."""
    if wanted != "auto":
        if device == "cpu" and wanted == "float16":
            raise EngineFailureError(
                "A CPU does not compute with float16.", reason="bad_usage", hint="Use --dtype float32."
            )
        return getattr(torch, wanted)  # type: ignore[no-any-return]
    if device == "cpu":
        return torch.float32
    major = torch.cuda.get_device_capability(device)[0]
    return torch.float32 if major < 7 else torch.float16 if major == 7 else torch.bfloat16


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]
