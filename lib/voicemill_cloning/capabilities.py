"""What can be used on this machine (`voice-synth capabilities`)."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from voicemill.errors import VoicemillError
from voicemill.workers import usable_cores
from voicemill_cloning import results
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.choice import SWITCH
from voicemill_cloning.engines.qwen import DEFAULT_MODELS, MODELS, SPEAKERS
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.worker.environment import LOCK

CLASS = "Qwen3TTSModel"
_METHODS = {
    "base": ["create_voice_clone_prompt", "generate_voice_clone"],
    "custom_voice": ["generate_custom_voice", "get_supported_speakers"],
    "voice_design": ["generate_voice_design"],
}
_PROBE = f"""
import json
from importlib import metadata
from qwen_tts import {CLASS}
print(json.dumps({{"version": metadata.version("qwen-tts"), "methods": dir({CLASS})}}))
"""


@dataclass(frozen=True)
class CapabilityRequest:
    """What is looked at.

    Attributes:
        raw_switch: value of the variable that turns built-in speakers off.
        skip_speakers: load no model to ask for its speakers.
        require_runtime_speakers: count it as a failure if the names come from no model.
    """

    raw_switch: str | None
    skip_speakers: bool = False
    require_runtime_speakers: bool = False


def capabilities(
    context: AppContext, request: CapabilityRequest, options: EngineOptions
) -> tuple[dict[str, Any], list[str]]:
    """What `capabilities --json` prints, and a sentence for each thing that is missing."""
    failures: list[str] = []
    api = _api(context, failures)
    custom = _custom_voice(context, request, options, failures)
    found = {
        "schema_version": 1,
        "generated_at": results.utc_now(),
        "feature_flags": {
            "custom_voice": {
                "enabled": context.custom_voice,
                "env_var": SWITCH,
                "raw_value": request.raw_switch,
                "default_enabled": True,
            }
        },
        "runtime": _runtime(context, options),
        "packages": {"qwen_tts_version": api["package_version"]},
        "available_models": {kind: list(models) for kind, models in MODELS.items()},
        "default_models": dict(DEFAULT_MODELS),
        "api_compatibility": api,
        "custom_voice": custom,
    }
    return found, failures


def _runtime(context: AppContext, options: EngineOptions) -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    wanted = context.environment.device
    device = ("cuda" if cuda else "cpu") if wanted == "auto" else wanted
    capability = torch.cuda.get_device_capability() if cuda else None
    on_cpu = device == "cpu" or capability is None or capability[0] < 7
    best = "float32" if on_cpu else "float16" if capability and capability[0] == 7 else "bfloat16"
    return {
        "python_version": platform.python_version(),
        "torch_version": torch.__version__,
        "torch_device": device,
        "cuda_available": cuda,
        "cuda_name": torch.cuda.get_device_name() if cuda else None,
        "cuda_capability": ".".join(map(str, capability)) if capability else None,
        "ctranslate2_device": "cpu",
        "ctranslate2_compute_type": "int8",
        "dtype_requested": options.dtype,
        "dtype_resolved": best if options.dtype == "auto" else options.dtype,
        "threads": options.threads or usable_cores(),
    }


def _api(context: AppContext, failures: list[str]) -> dict[str, Any]:
    """Whether the package has the methods that are called; the environment is not set up for that."""
    required = {kind: names for kind, names in _METHODS.items() if context.custom_voice or kind != "custom_voice"}
    found: dict[str, Any] = {
        "package_version": _locked_version(context),
        "class_name": CLASS,
        "required_methods": required,
        "present": {},
        "missing": {},
        "compatible": False,
        "error": None,
    }
    environment = context.environment
    python = environment.given or (None if environment.in_image else environment.folder / "bin/python")
    if python is None or not python.is_file():
        found["error"] = "The environment of Qwen3-TTS is not set up; the first command that needs it does that."
        failures.append(found["error"])
        return found
    try:
        done = subprocess.run([str(python), "-c", _PROBE], capture_output=True, text=True, timeout=300, check=True)
        answer = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        found["error"] = f"qwen-tts cannot be imported in its environment: {type(error).__name__}."
        failures.append(found["error"])
        return found
    methods = set(answer["methods"])
    found["package_version"] = answer["version"]
    found["present"] = {kind: [name for name in names if name in methods] for kind, names in required.items()}
    missing = {kind: [name for name in names if name not in methods] for kind, names in required.items()}
    found["missing"] = {kind: names for kind, names in missing.items() if names}
    found["compatible"] = not found["missing"]
    if found["missing"]:
        failures.append(f"qwen-tts {answer['version']} lacks methods: {found['missing']}.")
    return found


def _locked_version(context: AppContext) -> str | None:
    """The version of qwen-tts that the lock names."""
    try:
        text = (context.settings.repository / LOCK).read_text(encoding="utf-8")
    except OSError:
        return None
    locked = re.search(r"^qwen[-_]tts==(\S+)", text, re.MULTILINE)
    return locked.group(1) if locked else None


def _custom_voice(
    context: AppContext, request: CapabilityRequest, options: EngineOptions, failures: list[str]
) -> dict[str, Any]:
    model = options.model or DEFAULT_MODELS["custom_voice"]
    mode, error, speakers = "static_fallback", None, list(SPEAKERS)
    if not context.custom_voice:
        mode, speakers = "feature_disabled", []
    elif not request.skip_speakers:
        try:
            with options.open_model("custom_voice", model) as loaded:
                runtime = list(loaded.loaded.speakers)
            mode, speakers = ("runtime", runtime) if runtime else ("runtime_empty_static_fallback", speakers)
        except VoicemillError as refusal:
            mode, error = "error_static_fallback", f"{refusal.reason}: {refusal}"
            failures.append(f"The speakers of {model} cannot be asked for: {refusal}")
    if request.require_runtime_speakers and mode != "runtime":
        why = "the built-in speakers are turned off" if mode == "feature_disabled" else f"mode {mode}"
        failures.append(f"The speakers were not read from a model ({why}).")
    return {
        "enabled": context.custom_voice,
        "probe_model": model,
        "speaker_probe_mode": mode,
        "speaker_probe_error": error,
        "speaker_count": len(speakers),
        "speakers": speakers,
    }
