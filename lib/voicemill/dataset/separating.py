"""Stage `separation`: the voice is taken out of windows in which music or noise lies behind it."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path

from voicemill import files
from voicemill.audio import background_level, separation, waveform
from voicemill.audio.separation import SeparationModel
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import stage_cache
from voicemill.dataset.description import RecordingBackground, SeparationFigures, SeparationMode
from voicemill.dataset.recordings import SpeechTask, speech_of
from voicemill.dataset.steps import Bench, Decoded, tell_cached
from voicemill.dataset.utterances import Heard
from voicemill.errors import DependencyError, GateError, VoicemillError
from voicemill.weights.registry import WeightsRegistry

LIMIT_DB = -25.0
"""Background against speech above which `auto` separates; at -10 dB a clip is left out as noisy (`min_snr_db`)."""


@dataclass(frozen=True)
class Choice:
    """Whether to separate and with what; without a model `why` is the error that says what is missing."""

    mode: SeparationMode
    model: SeparationModel | None = None
    why: VoicemillError | None = None


def choose(mode: SeparationMode, weights_id: str, registry: WeightsRegistry) -> Choice:
    """Find the separator's weights. `auto` takes what is in the cache and fetches nothing.

    Raises:
        GateError: the weights may not be used, or, where they are asked for, are not there.
        DependencyError: `extra_missing:demucs`, where they are asked for.
    """
    if mode == "never":
        return Choice(mode)
    try:
        if importlib.util.find_spec("demucs") is None:
            raise separation.missing()
        found = registry.resolve(weights_id, "separation", download=mode == "always")
    except (DependencyError, GateError) as error:
        known = ("extra_missing", "weights_unavailable", "allowlist_rejected", "allowlist_commercial_rejected")
        if mode == "always" or error.code not in known:
            raise
        return Choice(mode, why=error)
    return Choice(mode, SeparationModel(found.main, weights_id, found.entry.files[0].sha256 or ""))


@dataclass(frozen=True)
class MeasureTask:
    """Measure what lies behind the speech of a decoded recording."""

    decoded: Path
    spans: tuple[Span, ...]


def measure_one(task: MeasureTask) -> list[tuple[Span, float]]:
    """Each window, and its background against its speech in dB."""
    heard = FileWaveform((task.decoded,))
    found = background_level.speech_windows(task.spans, heard.seconds)
    return [(window, background_level.background_level_db(heard, window, task.spans)) for window in found]


@dataclass(frozen=True)
class WindowTask:
    """Separate one window, or take it from the cache."""

    decoded: Path
    window: Span
    model: SeparationModel
    cache: Path


def separate_one(task: WindowTask) -> tuple[Path, bool]:
    """The file with the voice of a window (32-bit float), and whether it was there already."""
    import soundfile

    heard = FileWaveform((task.decoded,))
    near = heard.read(max(0.0, task.window.start - separation.CONTEXT), task.window.end + separation.CONTEXT)
    first, last = separation.bounds(heard, task.window)
    tools = [packages.version(name) for name in ("demucs", "torch")]
    content = waveform.digest(waveform.MemoryWaveform(near, heard.rate))
    # the same sound may begin its window elsewhere
    place = [first - round(max(0.0, task.window.start - separation.CONTEXT) * heard.rate), last - first]
    key = files.content_key(stage_cache.code_digest(__name__), tools, task.model.sha256, content, place)
    stored = stage_cache.entry(task.cache, "separation", key, ".wav")

    def make(target: Path) -> None:
        voice = separation.separate(heard, task.window, separation.load(task.model))
        soundfile.write(target, voice, heard.rate, subtype="FLOAT", format="WAV")

    return stored, stage_cache.cached_file(stored, make)


def separate(bench: Bench, decoded: Decoded, choice: Choice) -> tuple[Decoded, SeparationFigures]:
    """Stage `separation`: measure every window, and put the voice alone where music or noise was measured."""
    heard = [one for _, one in decoded.heard]
    tasks = [MeasureTask(one.decoded, one.spans) for one in heard]
    with bench.clock.stage("separation", None, decoded.seconds):
        measured = bench.pool.map(measure_one, tasks)
        wanted = [[window for window, level in rows if _wanted(choice, level)] for rows in measured]
        if choice.model is not None:
            heard = _separated(bench, heard, wanted, choice.model)
        elif any(wanted):
            count, seconds = _total(wanted)
            bench.clock.observer.note(
                f"separation: music or noise lies behind {seconds:.0f} s of speech ({count} windows), and stays there: "
                f"{choice.why}"
            )
            wanted = [[] for _ in wanted]
    figures = SeparationFigures(
        mode=choice.mode,
        limit_db=LIMIT_DB,
        weights_id=choice.model.weights_id if choice.model else None,
        sha256=choice.model.sha256 if choice.model else None,
        unavailable=choice.why.reason if choice.why else None,
        recordings=tuple(map(_figures, heard, measured, wanted)),
    )
    found = tuple((index, one) for (index, _), one in zip(decoded.heard, heard, strict=True))
    return dataclasses.replace(decoded, heard=found), figures


def _wanted(choice: Choice, level: float) -> bool:
    return choice.mode == "always" or (choice.mode == "auto" and level > LIMIT_DB)


def _total(windows: Sequence[Sequence[Span]]) -> tuple[int, float]:
    every = [window for part in windows for window in part]
    return len(every), sum(window.duration for window in every)


def _figures(heard: Heard, measured: Sequence[tuple[Span, float]], separated: Sequence[Span]) -> RecordingBackground:
    return RecordingBackground(
        source=heard.recording.name,
        background_db=round(max(level for _, level in measured), 1) if measured else None,
        windows=len(measured),
        separated=len(separated),
        separated_seconds=round(_total([separated])[1], 3),
    )


def _separated(
    bench: Bench, heard: Sequence[Heard], wanted: Sequence[Sequence[Span]], model: SeparationModel
) -> list[Heard]:
    """Separate the windows, put each recording together again in its place, and look for speech anew."""
    tasks = [
        WindowTask(one.decoded, window, model, bench.cache)
        for one, windows in zip(heard, wanted, strict=True)
        for window in windows
    ]
    if tasks:
        bench.clock.observer.note(f"separation: {len(tasks)} windows, {_total(wanted)[1]:.0f} s")
    done = []
    for count, task in enumerate(tasks, start=1):  # here, with torch's threads: a model for each process is too much
        done.append(separate_one(task))
        bench.clock.observer.advance(count)
    tell_cached(bench, "separation", [cached for _, cached in done], "windows")
    results, found = iter(done), []
    for one, windows in zip(heard, wanted, strict=True):
        if not windows:
            found.append(one)
            continue
        target = one.decoded.with_suffix(".voice.wav")
        separation.replace_windows(
            FileWaveform((one.decoded,)), [(window, next(results)[0]) for window in windows], target
        )
        os.replace(target, one.decoded)
        speech = speech_of(SpeechTask(one.decoded, bench.cache))
        spans = tuple(Span(*span) for span in speech.spans)
        found.append(dataclasses.replace(one, spans=spans, digest=speech.digest, separated=tuple(windows)))
    return found
