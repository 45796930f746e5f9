"""Stage `separation`: the voice is separated in windows with music or noise behind it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files
from voicemill.audio import background_level, separation, waveform
from voicemill.audio.background_level import BackgroundLevel
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import stage_cache
from voicemill.dataset.description_parts import RecordingBackground, SeparationFigures
from voicemill.dataset.recordings import DecodedRecording, DecodedRecordings
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of, with_speech

if TYPE_CHECKING:
    from voicemill.audio.separation_model import SeparationModel
    from voicemill.dataset.context import PreparationContext
    from voicemill.dataset.models import SeparatorChoice

NAME = "separation"
LIMIT_DB = -22.0
"""Background against speech above which `auto` separates. Clean recordings of people reach -24 dB, noise 15 dB below
the speech gives -21 to -17 (docs/benchmarks.md, People)."""


@dataclass(frozen=True)
class MeasureTask:
    """Measure the background of the speech in a decoded recording."""

    decoded: Path
    spans: tuple[Span, ...]


def measure_one(task: MeasureTask) -> list[tuple[Span, BackgroundLevel]]:
    """Each window, and its background against its speech."""
    recording = FileWaveform((task.decoded,))
    found = background_level.speech_windows(task.spans, recording.seconds)
    return [(window, background_level.background_level(recording, window, task.spans)) for window in found]


@dataclass(frozen=True)
class WindowTask:
    """Separate one window, or take it from the cache."""

    decoded: Path
    window: Span
    model: SeparationModel
    cache: Path


def separate_one(task: WindowTask) -> tuple[Path, bool]:
    """The file with the voice of a window (32-bit float), and whether it was cached."""
    import soundfile

    recording = FileWaveform((task.decoded,))
    near = recording.read(max(0.0, task.window.start - separation.CONTEXT), task.window.end + separation.CONTEXT)
    first, last = separation.bounds(recording, task.window)
    package = separation.package_of(task.model.weights_id)
    tools = [packages.version(name) for name in ((package, "torch") if package == "demucs" else (package,))]
    content = waveform.digest(waveform.MemoryWaveform(near, recording.rate))
    # the same sound may begin its window elsewhere
    place = [first - round(max(0.0, task.window.start - separation.CONTEXT) * recording.rate), last - first]
    key = files.content_key(stage_cache.code_digest(__name__), tools, task.model.sha256, content, place)
    stored = stage_cache.entry(task.cache, "separation", key, ".wav")

    def make(target: Path) -> None:
        voice = separation.separate(recording, task.window, separation.load(task.model))
        soundfile.write(target, voice, recording.rate, subtype="FLOAT", format="WAV")

    return stored, stage_cache.cached_file(stored, make)


def run(context: PreparationContext, decoded: DecodedRecordings) -> tuple[DecodedRecordings, SeparationFigures]:
    """Measure the background of every window, and separate the voice where music or noise was measured."""
    choice, usable = context.separator, list(decoded.usable)
    with context.clock.stage(NAME, None, decoded.seconds):
        found = context.pool.map(measure_one, [MeasureTask(one.path, one.spans) for one in usable])
        levels = iter(background_level.pooled([level for rows in found for _, level in rows]))
        measured: list[_Measured] = [[(window, next(levels)) for window, _ in rows] for rows in found]
        wanted = [[window for window, level in rows if _wanted(choice, level)] for rows in measured]
        if choice.model is not None:
            usable = _separated(context, usable, wanted, choice.model)
        elif any(wanted):
            count, seconds = _total(wanted)
            context.observer.note(
                f"separation: music or noise lies behind {seconds:.0f} s of speech ({count} windows), and stays there: "
                f"{choice.missing}"
            )
            wanted = [[] for _ in wanted]
    figures = SeparationFigures(
        mode=choice.mode,
        limit_db=LIMIT_DB,
        weights_id=choice.model.weights_id if choice.model else None,
        sha256=choice.model.sha256 if choice.model else None,
        unavailable=choice.missing.reason if choice.missing else None,
        recordings=tuple(map(_figures, usable, measured, wanted)),
    )
    return dataclasses.replace(decoded, usable=tuple(usable)), figures


_Measured = Sequence[tuple[Span, float | None]]


def _wanted(choice: SeparatorChoice, level: float | None) -> bool:
    return choice.mode == "always" or (choice.mode == "auto" and level is not None and level > LIMIT_DB)


def _total(windows: Sequence[Sequence[Span]]) -> tuple[int, float]:
    every = [window for part in windows for window in part]
    return len(every), sum(window.duration for window in every)


def _figures(recording: DecodedRecording, measured: _Measured, separated: Sequence[Span]) -> RecordingBackground:
    levels = [level for _, level in measured if level is not None]
    return RecordingBackground(
        source=recording.source.name,
        background_db=round(max(levels), 1) if levels else None,
        windows=len(measured),
        separated=len(separated),
        separated_seconds=round(_total([separated])[1], 3),
    )


def _separated(
    context: PreparationContext,
    recordings: Sequence[DecodedRecording],
    wanted: Sequence[Sequence[Span]],
    model: SeparationModel,
) -> list[DecodedRecording]:
    """Separate the windows, write each recording with them, and find the speech in it again."""
    tasks = [
        WindowTask(one.path, window, model, context.cache)
        for one, windows in zip(recordings, wanted, strict=True)
        for window in windows
    ]
    if tasks:
        context.observer.note(f"separation: {len(tasks)} windows, {_total(wanted)[1]:.0f} s")
    done = []
    for count, task in enumerate(tasks, start=1):  # in this process, with torch's threads: one model in memory
        done.append(separate_one(task))
        context.observer.advance(count)
    context.note_cached(NAME, [cached for _, cached in done], "windows")
    results, found = iter(done), []
    for one, windows in zip(recordings, wanted, strict=True):
        if not windows:
            found.append(one)
            continue
        target = one.path.with_suffix(".voice.wav")
        separation.replace_windows(
            FileWaveform((one.path,)), [(window, next(results)[0]) for window in windows], target
        )
        one.path.unlink()
        voice = dataclasses.replace(one, path=target, separated=tuple(windows))
        found.append(with_speech(voice, speech_of(SpeechTask(target, context.cache))))
    return found
