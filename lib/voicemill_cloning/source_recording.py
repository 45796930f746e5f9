"""A recording that a voice is taken from: a file or a web address, decoded, with its stretches of speech."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.audio import decode, download, probing
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import AudioError, UsageError
from voicemill.progress import Observer
from voicemill_cloning.voice_file import VoiceSource

RATE = 44_100
"""Hz of what is cut from recordings."""
BEYOND_END = 0.5
"""Seconds that `--end` may lie behind the end of a recording."""


@dataclass(frozen=True)
class SourcePart:
    """Which part of which recording.

    Attributes:
        audio: a file; `url` an address instead.
        start: of the part, in seconds; `end` its end.
        max_scan_seconds: from the start; what follows is not looked at.
        cookies: for yt-dlp.
    """

    audio: Path | None = None
    url: str | None = None
    start: float | None = None
    end: float | None = None
    max_scan_seconds: float | None = None
    cookies: Path | None = None

    def __post_init__(self) -> None:
        if (self.audio is None) == (self.url is None):
            raise UsageError("Give either --audio or --url.", hint="--audio takes a file, --url a web address.")


@dataclass(frozen=True)
class SourceRecording:
    """A decoded recording.

    Attributes:
        name: for folders: the id of a video, or the name of a file, with the part that was taken.
        path: mono WAV at `RATE`, 32-bit float.
        offset: position of its beginning in the source, in seconds.
        spans: stretches of speech, in seconds from its beginning.
        source: for `voice.json`.
        sha256: of the source file.
    """

    name: str
    path: Path
    offset: float
    spans: tuple[Span, ...]
    source: VoiceSource
    sha256: str

    @property
    def waveform(self) -> FileWaveform:
        """The samples."""
        return FileWaveform((self.path,))


def open_recording(options: SourcePart, cache: Path, stage_cache: Path, observer: Observer) -> SourceRecording:
    """Fetch, decode and find the speech, or take each from the cache.

    Args:
        options: which part of which recording.
        cache: folder of caches.
        stage_cache: cache of the preparation, which has the speech of known recordings.
        observer: the person's display.

    Raises:
        UsageError: not an address; `cookies_unreadable`; `part_outside:<name>`.
        AudioError: `missing_audio_path` and others of a recording that cannot be decoded; `url_unreadable`;
            `no_speech_in_part:<name>`.
        DependencyError: ffmpeg or yt-dlp is not installed.
    """
    path, source, stem = _fetched(options, cache, observer)
    end = options.end
    _require_inside(path, options)
    if options.max_scan_seconds is not None:
        limit = (options.start or 0.0) + options.max_scan_seconds
        end = limit if end is None else min(end, limit)
    sha256 = files.sha256_file(path)
    key = files.content_key("split", sha256, options.start, end, RATE)
    target = cache / "splits" / key / "recording.wav"
    if not target.is_file():
        observer.stage("decoding")
        decode.decode(path, target, sample_rate=RATE, start=options.start, end=end, subtype="FLOAT")
    observer.stage("finding speech")
    speech = speech_of(SpeechTask(target, stage_cache))
    spans = tuple(Span(*span) for span in speech.spans)
    name = stem + _part(options)
    if not spans:
        raise AudioError(
            f"There is no speech in {path.name}{' in that part' if _part(options) else ''}.",
            reason=f"no_speech_in_part:{name}",
            hint="Choose another part with --start and --end, or another recording.",
        )
    part = {"start_sec": options.start, "end_sec": options.end}
    return SourceRecording(name, target, options.start or 0.0, spans, source.model_copy(update=part), sha256)


def merged(spans: tuple[Span, ...] | list[Span], gap: float, least: float) -> list[Span]:
    """Stretches of speech with the pauses up to `gap` seconds in them; shorter ones than `least` are left out."""
    found: list[Span] = []
    for span in spans:
        if found and span.start - found[-1].end <= gap:
            found[-1] = dataclasses.replace(found[-1], end=max(span.end, found[-1].end))
        else:
            found.append(span)
    return [span for span in found if span.duration >= least]


def _fetched(options: SourcePart, cache: Path, observer: Observer) -> tuple[Path, VoiceSource, str]:
    if options.url is not None:
        path = download.fetch(options.url, cache / "downloads", observer, cookies=options.cookies)
        record = download.described(options.url, cache / "downloads")
        identity = record.video_id if record else ""
        source = VoiceSource(type="youtube", url=options.url, video_id=identity or None)
        return path, source, _folder_name(identity or path.parent.name[:12])
    path = options.audio or Path()
    probing.locate(path)
    return path, VoiceSource(type="file", path=str(path)), _folder_name(path.stem)


def _require_inside(path: Path, options: SourcePart) -> None:
    if options.start is None and options.end is None:
        return
    seconds = probing.inspect(path).duration
    if seconds is None:
        return
    for name, value, limit in (("--start", options.start, seconds), ("--end", options.end, seconds + BEYOND_END)):
        if value is not None and value > limit:
            raise UsageError(
                f"{name} lies behind the end of {path.name}, which has {seconds:.1f} seconds.",
                reason=f"part_outside:{path.name}",
                hint="Give a time inside the recording.",
            )


def _part(options: SourcePart) -> str:
    if options.start is None and options.end is None:
        return ""
    return f"_{options.start or 0:g}_{'end' if options.end is None else f'{options.end:g}'}"


def _folder_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80] or "recording"
