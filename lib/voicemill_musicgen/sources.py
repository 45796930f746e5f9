"""The source recordings of the lane: AUDIO_PATH, KNOWLEDGE_SOURCE_DIR, or both. Standard library only."""

from __future__ import annotations

from pathlib import Path

from voicemill import path_names
from voicemill.audio import probing
from voicemill.errors import AudioError
from voicemill.protocol import one_line
from voicemill.settings import DEMO_AUDIO
from voicemill_musicgen.settings import VoiceTrainSettings

MIN_BYTES = 5_000_000
"""The smallest source, 5 MB (operator contract, section 10); smaller files are stubs or pointers."""


def find(settings: VoiceTrainSettings) -> tuple[Path, ...]:
    """The recordings, each checked; AUDIO_PATH must reach the size on its own, a folder in total.

    Raises:
        AudioError: `missing_audio_path`, `audio_lfs_pointer`, `audio_too_small`, `audio_unreadable`.
    """
    found: list[Path] = []
    if settings.source_dir is not None:
        found = _recordings(settings.source_dir)
        _check_size(sum(map(probing.locate, found)), settings.source_dir)
    audio = settings.common.source.audio
    if audio is None and not found:
        audio = settings.common.repository / DEMO_AUDIO
    if audio is not None:
        if not audio.exists():
            raise _missing(audio, "AUDIO_PATH")
        _check_size(probing.locate(audio), audio)
        if audio.resolve() not in {path.resolve() for path in found}:
            found.append(audio)
    return tuple(found)


def _recordings(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise _missing(folder, "KNOWLEDGE_SOURCE_DIR")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in probing.SOURCE_SUFFIXES)
    if not found:
        raise _missing(folder, "KNOWLEDGE_SOURCE_DIR")
    for path in found:
        path_names.check_utf8(path.name, f"The folder {one_line(str(folder))}")
    return found


def _missing(path: Path, variable: str) -> AudioError:
    return AudioError(
        f"There is no recording at {path}.",
        reason="missing_audio_path",
        hint=f"Correct {variable}, or unset it to use the bundled demo.",
        details={"path": path},
    )


def _check_size(size: int, path: Path) -> None:
    if size <= MIN_BYTES:
        raise AudioError(
            f"{path} has {size} bytes of sound; this lane needs more than {MIN_BYTES}.",
            reason="audio_too_small",
            hint="Name a real, longer recording in AUDIO_PATH or KNOWLEDGE_SOURCE_DIR.",
        )
