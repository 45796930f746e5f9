"""flite and espeak-ng: speech synthesisers of Debian, used where they are installed.

They need no weights and no permission of a speaker, so they can be teachers of a trained voice, and tests of
everything that an engine is used for.
"""

from __future__ import annotations

import functools
import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from voicemill.errors import BlockedError, DependencyError
from voicemill_cloning.engines.engine import (
    EngineDescription,
    EngineRequest,
    EngineSpeech,
    require_language,
    unknown_speaker,
)
from voicemill_cloning.languages import AUTO
from voicemill_cloning.text_language import by_text

_SECONDS = 300
"""After which a program that does not end is stopped."""
_FLITE_NOTICE = (
    "Speech of CMU Flite, Copyright (c) 1999-2016 by Language Technologies Institute, Carnegie Mellon University; "
    "authors Alan W Black, David Huggins-Daines and others."
)
ESPEAK_VOICES = {
    "Chinese": "cmn",
    "English": "en-us",
    "Japanese": "ja",
    "Korean": "ko",
    "German": "de",
    "French": "fr-fr",
    "Russian": "ru",
    "Portuguese": "pt-br",
    "Spanish": "es",
    "Italian": "it",
}
"""Language -> voice of espeak-ng."""


class FliteEngine:
    """One of flite's built-in English voices."""

    def __init__(self, voice: str = "slt") -> None:
        """
        Args:
            voice: a name of `flite_voices`.

        Raises:
            DependencyError: `runtime_dependency_missing:flite`.
            UsageError: `unknown_speaker:<voice>`.
        """
        known = flite_voices()
        if voice not in known:
            raise unknown_speaker("flite", voice, known)
        self.description = EngineDescription(
            engine="flite",
            voice=voice,
            version=_version("flite", ("--version",)),
            model=f"flite/{voice}",
            licence="MIT-Festival",
            attribution=_FLITE_NOTICE,
        )

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """Speak one English text; see `SpeechEngine`."""
        _require_language(self.description, request.language)
        with tempfile.TemporaryDirectory(prefix="voicemill-flite-") as folder:
            text, sound = Path(folder) / "text.txt", Path(folder) / "speech.wav"
            text.write_text(request.text + "\n", encoding="utf-8")
            _run("flite", ["-voice", self.description.voice, "-f", str(text), "-o", str(sound)])
            return _speech("flite", sound.read_bytes() if sound.is_file() else b"")

    def close(self) -> None:
        """Nothing is held."""


class EspeakEngine:
    """espeak-ng, which speaks every language of `voicemill_cloning.languages`."""

    def __init__(self, voice: str = "") -> None:
        """
        Args:
            voice: a voice of espeak-ng, such as `en-gb`; empty takes that of the request's language.

        Raises:
            DependencyError: `runtime_dependency_missing:espeak-ng`.
            UsageError: `unknown_speaker:<voice>`.
        """
        known = espeak_voices()
        if voice and voice.partition("+")[0] not in known:
            raise unknown_speaker("espeak-ng", voice, known)
        self._voice = voice
        self.description = EngineDescription(
            engine="espeak-ng",
            voice=voice or "default",
            version=_version("espeak-ng", ("--version",)),
            model="espeak-ng",
            licence="GPL-3.0-or-later",
            attribution="Speech of eSpeak NG, by Jonathan Duddington and the eSpeak NG project.",
            languages=tuple(ESPEAK_VOICES),
        )

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """Speak one text; see `SpeechEngine`. `AUTO` is the language of the text."""
        _require_language(self.description, request.language)
        language = by_text(request.text) if request.language == AUTO else request.language
        voice = self._voice or ESPEAK_VOICES[language]
        with tempfile.TemporaryDirectory(prefix="voicemill-espeak-") as folder:
            text, sound = Path(folder) / "text.txt", Path(folder) / "speech.wav"
            text.write_text(request.text + "\n", encoding="utf-8")
            _run("espeak-ng", ["-v", voice, "-b", "1", "-f", str(text), "-w", str(sound)])
            return _speech("espeak-ng", sound.read_bytes() if sound.is_file() else b"")

    def close(self) -> None:
        """Nothing is held."""


@functools.cache
def flite_voices() -> tuple[str, ...]:
    """Names of flite's voices.

    Raises:
        DependencyError: `runtime_dependency_missing:flite`.
    """
    return tuple(_run("flite", ["-lv"]).partition(":")[2].split())


@functools.cache
def espeak_voices() -> tuple[str, ...]:
    """Names of espeak-ng's languages, which are names of voices, too.

    Raises:
        DependencyError: `runtime_dependency_missing:espeak-ng`.
    """
    lines = _run("espeak-ng", ["--voices"]).splitlines()[1:]
    return tuple(dict.fromkeys(line.split()[1] for line in lines if len(line.split()) > 1))


def installed(program: str) -> bool:
    """Whether `flite` or `espeak-ng` can be started."""
    return shutil.which(program) is not None


@functools.cache
def _version(program: str, arguments: tuple[str, ...]) -> str:
    found = re.search(r"\d+(?:\.\d+)+", _run(program, arguments))
    return found.group() if found else "unknown"


def _run(program: str, arguments: Sequence[str]) -> str:
    """Run a program and return what it printed.

    Raises:
        DependencyError: `runtime_dependency_missing:<program>`.
        BlockedError: `engine_failed:<program>`.
    """
    path = shutil.which(program)
    if path is None:
        raise DependencyError(
            f"{program} is not installed.",
            reason=f"runtime_dependency_missing:{program}",
            hint=f"Install it (Debian: apt-get install {program}), or choose another engine.",
        )
    try:
        done = subprocess.run(
            [path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(program, f"it did not end in {_SECONDS} s") from error
    printed = (done.stdout + done.stderr).decode("utf-8", errors="replace")
    # flite ends with 1 after a list, a version or help.
    if done.returncode not in (0, 1) or (done.returncode and not done.stdout + done.stderr):
        lines = printed.strip().splitlines()
        raise _failed(program, lines[-1] if lines else f"exit code {done.returncode}")
    return printed


def _speech(program: str, data: bytes) -> EngineSpeech:
    """The speech in a WAV file.

    Raises:
        BlockedError: `engine_failed:<program>`.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.SoundFileError as error:
        raise _failed(program, "it wrote no sound") from error
    if samples.ndim != 1 or not len(samples) or not np.abs(samples).max() > 0:
        raise _failed(program, "its sound is empty or silent")
    return EngineSpeech(samples, rate)


def _require_language(description: EngineDescription, language: str) -> None:
    require_language(description.engine, description.voice, description.languages, language)


def _failed(program: str, why: str) -> BlockedError:
    return BlockedError(
        f"{program} could not speak the text: {why}.",
        reason=f"engine_failed:{program}",
        hint="Try another text or engine.",
    )
