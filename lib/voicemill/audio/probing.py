"""Probing: the properties that a recording's header declares, checked before anything is decoded."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill.audio import ffmpeg
from voicemill.audio.file_headers import (
    PLAIN_WAV,
    flac_header,
    ogg_ended,
    plain_wav_header,
    positive_seconds,
    riff_seconds,
)
from voicemill.errors import AudioError

SOURCE_SUFFIXES = frozenset(
    {
        ".wav",
        ".wave",
        ".w64",
        ".rf64",
        ".flac",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".mp3",
        ".m4a",
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".aac",
        ".ogg",
        ".oga",
        ".opus",
        ".webm",
        ".mka",
        ".wma",
    }
)
"""Lower-case suffixes of recordings in a folder; a file given by its path may have any suffix."""

LFS_POINTER = b"version https://git-lfs"
_MIN_BYTES = 64
"""Smaller than any audio file."""
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape")


@dataclass(frozen=True)
class AudioInfo:
    """Properties of a source.

    Attributes:
        duration: seconds.
        sample_rate: Hz.
        channels: number of channels of the first audio stream.
        codec: ffmpeg's name, e.g. `flac`, `pcm_s16le`.
        container: ffmpeg's name of the demuxer, e.g. `wav`, `mov,mp4,m4a,3gp,3g2,mj2`.
        tracks: number of audio streams.
        channel: 1 for left and 2 for right where one channel was taken, 0 where all were mixed.
        inverted: one of two channels had the opposite sign, and was turned before they were averaged.
        offset: mean of the decoded samples.
    """

    duration: float
    sample_rate: int
    channels: int
    codec: str
    container: str
    tracks: int = 1
    channel: int = 0
    inverted: bool = False
    offset: float = 0.0


@dataclass(frozen=True)
class Declared:
    """Properties that the header declares.

    Attributes:
        path: the file.
        duration: seconds; None if the header does not declare it.
        sample_rate: Hz.
        channels: number of channels of the first audio stream.
        codec: ffmpeg's name.
        container: ffmpeg's name of the demuxer.
        ended: False if an end-of-stream flag is missing.
        track: number of the audio stream; `tracks` is how many there are.
        to_the_end: the length in a WAV's header is wrong, and its data goes on to the end of the file.
    """

    path: Path
    duration: float | None
    sample_rate: int
    channels: int
    codec: str
    container: str
    ended: bool = True
    track: int = 1
    tracks: int = 1
    to_the_end: bool = False

    @property
    def plain(self) -> bool:
        """Whether libsndfile reads the file as ffmpeg does: a FLAC, or a WAV with PCM and the right length."""
        known = (self.container, self.codec) == ("flac", "flac") or (
            self.container == "wav" and self.codec in PLAIN_WAV.values() and not self.to_the_end
        )
        return known and self.tracks == 1 and self.duration is not None

    @property
    def lossless(self) -> bool:
        """Whether the header counts samples, so that its length is exact and every message of ffmpeg means damage."""
        return self.codec.startswith(_LOSSLESS)


def recordings_in(folder: Path) -> tuple[list[Path], int]:
    """The recordings of a folder by name, and the number of hidden ones, which are left out.

    macOS puts a hidden `._take.wav` that holds no audio beside each file on other disks. Where the folder itself has no
    recordings, those of its subfolders are taken.
    """
    found = [path for path in folder.iterdir() if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file()]
    if all(path.name.startswith(".") for path in found):
        found += [path for path in folder.glob("*/**/*") if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file()]
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(shown), len(found) - len(shown)


def locate(path: Path) -> int:
    """Check that a path is a regular file with content; returns its size in bytes.

    Raises:
        AudioError: `missing_audio_path`, `audio_lfs_pointer`, `audio_too_small` or `audio_unreadable`.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "not a regular file"
            raise AudioError(
                f"{path} is {kind}, not a recording.", reason=f"missing_audio_path:{path}", hint="Give an audio file."
            )
        with path.open("rb") as handle:
            head = handle.read(_MIN_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(
            f"There is no recording at {path}.",
            reason=f"missing_audio_path:{path}",
            hint="Check the path, or leave it out to use the bundled demo recording.",
        ) from error
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AudioError(
            f"{path} cannot be read: {detail}.", reason="audio_unreadable", hint="Check its permissions."
        ) from error
    if head.startswith(LFS_POINTER):
        raise AudioError(
            f"{path.name} is a Git LFS pointer, not the recording itself.",
            reason="audio_lfs_pointer",
            hint="Run `git lfs pull` in the checkout it came from.",
        )
    if size < _MIN_BYTES:
        raise AudioError(
            f"{path.name} has {size} bytes and contains no audio.",
            reason="audio_too_small",
            hint="Choose a real recording.",
        )
    return size


def probe(path: Path) -> AudioInfo:
    """Read the header, without decoding.

    Raises:
        AudioError: see `locate`; `audio_unreadable`, ffprobe finds no audio stream or no duration.
        DependencyError: ffprobe is not installed.
    """
    declared = inspect(path)
    if declared.duration is None:
        raise AudioError(
            f"{path.name} does not declare its duration.", reason="audio_unreadable", hint="Convert it to WAV or FLAC."
        )
    return AudioInfo(
        duration=declared.duration,
        sample_rate=declared.sample_rate,
        channels=declared.channels,
        codec=declared.codec,
        container=declared.container,
    )


def inspect(path: Path, track: int | None = None) -> Declared:
    """As `probe`, for formats whose header may lack the length.

    Args:
        path: the recording.
        track: number of the audio stream; None is the first.

    Raises:
        AudioError: see `probe`; `audio_track_missing`, there are fewer audio streams.
        DependencyError: ffprobe is not installed.
    """
    locate(path)
    known = (flac_header(path) or plain_wav_header(path)) if track in (None, 1) else None
    if known is not None and shutil.which("ffprobe"):
        return Declared(path, *known)
    entries = "format=format_name,duration,nb_streams:stream=codec_name,sample_rate,channels,duration"
    entries += ":stream_tags=DURATION"
    output, complaint, code = ffmpeg.ffprobe(path, entries)
    streams, form = _answer(output)
    if code != 0 or not streams:
        why = ffmpeg.last_line(complaint) if complaint else "it holds no audio stream"
        raise AudioError(
            f"{path.name} cannot be read as audio: {why}",
            reason="audio_unreadable",
            hint="Check that the file plays, or convert it to WAV or FLAC.",
        )
    number = track or 1
    if number > len(streams):
        have = "one audio track" if len(streams) == 1 else f"{len(streams)} audio tracks"
        raise AudioError(
            f"{path.name} has {have}, and --track names number {number}.",
            reason="audio_track_missing",
            hint="Give a number that exists, or leave --track out.",
        )
    stream = streams[number - 1]
    rate, channels = int(stream.get("sample_rate") or 0), int(stream.get("channels") or 0)
    if not 1_000 <= rate <= 768_000 or channels < 1:
        raise AudioError(
            f"{path.name} declares {channels} channels at {rate} Hz.",
            reason="audio_unreadable",
            hint="Convert it to WAV or FLAC.",
        )
    riff, to_the_end = riff_seconds(path)
    duration = riff or _stream_seconds(stream)
    if duration is None and form.get("nb_streams") == 1:  # the whole of a video can be longer than its audio
        duration = positive_seconds(form.get("duration"))
    return Declared(
        path=path,
        duration=duration,
        sample_rate=rate,
        channels=channels,
        codec=str(stream.get("codec_name", "unknown")),
        container=str(form.get("format_name", "unknown")),
        ended=form.get("format_name") != "ogg" or ogg_ended(path),
        track=number,
        tracks=len(streams),
        to_the_end=to_the_end,
    )


def _stream_seconds(stream: dict[str, Any]) -> float | None:
    """Duration of the audio stream; Matroska declares it in a tag, `00:01:02.500000000`."""
    known = positive_seconds(stream.get("duration"))
    parts = str((stream.get("tags") or {}).get("DURATION", "")).split(":")
    if known is None and len(parts) == 3 and all(part.replace(".", "", 1).isdecimal() for part in parts):
        return positive_seconds(3600.0 * float(parts[0]) + 60.0 * float(parts[1]) + float(parts[2]))
    return known


def _answer(output: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    try:
        answer = json.loads(output or b"{}")
    except ValueError:
        return [], {}
    return answer.get("streams") or [], answer.get("format") or {}
