"""From a long recording to clean clips: windows full of speech, the voice taken out of noise, clips of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from voicemill import files
from voicemill.audio import background_level, denoising, quality
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset.description_parts import SeparationMode
from voicemill.dataset.models import SeparatorChoice, choose_separator
from voicemill.dataset.request import DEFAULT_SEPARATOR
from voicemill.dataset.stages.separation import LIMIT_DB, WindowTask, separate_one
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import AudioError, UsageError
from voicemill.progress import Observer
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning.source_recording import RATE, SourceRecording, merged

GAP, LEAST = 0.35, 0.6
"""Pause inside a stretch of speech, and the shortest stretch, in seconds."""
SHORTEST_REFERENCE = 5.0
"""Seconds of the clip that a voice is registered with, at least."""
LONGEST_PAUSE = 1.5
"""Seconds inside that clip, where no stretch of speech is long enough."""
_STEP = 4
"""Windows begin at every quarter of a window."""
_SPREAD_DB = 6.0
"""A quieter background is worth this much length: a clip of half the length wins if its background is 6 dB lower."""


@dataclass(frozen=True)
class SplitOptions:
    """What is cut.

    Attributes:
        clips: number of preview clips.
        length: of a clip, in seconds.
        window: length of the windows that are cleaned; None is four times the clip's.
        candidates: number of windows; None is twice the number of clips.
        seed: of the preview clips.
        separate: take the voice out of music and noise `auto`, `always` or `never`.
    """

    clips: int = 10
    length: float = 30.0
    window: float | None = None
    candidates: int | None = None
    seed: int | None = None
    separate: SeparationMode = "auto"

    def __post_init__(self) -> None:
        if not 1.0 <= self.length <= 600.0:
            raise UsageError("The length of a clip must lie between 1 and 600 seconds.")
        if self.window is not None and self.window < self.length:
            raise UsageError("--window-len must be at least as long as --length.")


@dataclass(frozen=True)
class PooledSpeech:
    """A stretch of speech in a cleaned window.

    Attributes:
        sound: file of the window.
        span: in the file; `position` is its start in the source, in seconds.
        background_db: of the window, against its speech.
    """

    sound: Path
    span: Span
    position: float
    background_db: float


@dataclass(frozen=True)
class SplitClip:
    """A clip that was cut: `position` is where it begins in the source, in seconds."""

    path: Path
    position: float
    seconds: float


@dataclass(frozen=True)
class SplitResult:
    """Preview clips in the order of their numbers, and the clip to register; None if none is long enough."""

    clips: tuple[SplitClip, ...]
    reference: SplitClip | None


def find_separator(mode: SeparationMode, weights_id: str | None, registry: WeightsRegistry) -> SeparatorChoice:
    """What takes the voice out of music and noise: Demucs where its weights may be used, else a noise reducer.

    Args:
        mode: see `SplitOptions.separate`.
        weights_id: asked for; None takes the first of the two that can be used.
        registry: of the weights.

    Raises:
        GateError, DependencyError: weights that are asked for, or any with `always`, cannot be used.
    """
    if weights_id is not None:
        return choose_separator(mode, weights_id, registry)
    first = choose_separator("auto" if mode == "always" else mode, DEFAULT_SEPARATOR, registry)
    if mode == "never" or first.model is not None:
        return replace(first, mode=mode)
    second = choose_separator(mode, denoising.WEIGHTS_ID, registry)
    return second if second.model is not None else first


def best_windows(spans: list[Span], seconds: float, window: float, count: int) -> list[Span]:
    """Disjoint windows with the most speech, in order of time.

    Args:
        spans: stretches of speech.
        seconds: length of the recording.
        window: length of a window; a shorter recording is one window.
        count: windows at most.
    """
    if seconds <= window:
        return [Span(0.0, seconds)] if spans else []
    starts = np.append(np.arange(0.0, seconds - window, window / _STEP), seconds - window)
    edges = np.array([[span.start, span.end] for span in spans])
    inside = np.minimum(edges[:, 1], starts[:, None] + window) - np.maximum(edges[:, 0], starts[:, None])
    speech = np.maximum(inside, 0.0).sum(axis=1)
    found: list[Span] = []
    for index in sorted(range(len(starts)), key=lambda index: (-speech[index], starts[index])):
        start = float(starts[index])
        free = all(start + window <= one.start + 1e-9 or start >= one.end - 1e-9 for one in found)
        if free and speech[index] > 0.0:
            found.append(Span(start, start + window))
        if len(found) == count:
            break
    return sorted(found)


def clean_speech(
    recording: SourceRecording, options: SplitOptions, separator: SeparatorChoice, cache: Path, observer: Observer
) -> list[PooledSpeech]:
    """Stretches of speech in the best windows, separated from music and noise where that is wanted.

    Raises:
        AudioError: `no_speech_in_part`, nothing is left.
    """
    waveform, spans = recording.waveform, merged(recording.spans, GAP, LEAST)
    window = options.window or 4.0 * options.length
    windows = best_windows(spans, waveform.seconds, window, options.candidates or 2 * options.clips)
    levels = background_level.pooled(
        [background_level.background_level(waveform, each, recording.spans) for each in windows]
    )
    pool: list[PooledSpeech] = []
    noisy = 0
    observer.stage("cleaning", len(windows))
    for number, (each, level) in enumerate(zip(windows, levels, strict=True)):
        wanted = separator.mode == "always" or (separator.mode == "auto" and level is not None and level > LIMIT_DB)
        known = -60.0 if level is None else level
        if wanted and separator.model is not None:
            sound, _ = separate_one(WindowTask(recording.path, each, separator.model, cache))
            inner = [Span(*span) for span in speech_of(SpeechTask(sound, cache)).spans]
            pool += [PooledSpeech(sound, span, each.start + span.start, known) for span in merged(inner, GAP, LEAST)]
        else:
            noisy += wanted
            cut = [Span(max(span.start, each.start), min(span.end, each.end)) for span in spans]
            pool += [PooledSpeech(recording.path, span, span.start, known) for span in cut if span.duration >= LEAST]
        observer.advance(number + 1)
    if noisy:
        observer.note(f"music or noise lies behind the speech of {noisy} windows, and stays there: {separator.missing}")
    if not pool:
        raise AudioError(
            f"No clean speech is left of {recording.name}.",
            reason=f"no_speech_in_part:{recording.name}",
            hint="Choose another part, or --separate never.",
        )
    return pool


def cut_clips(
    recording: SourceRecording, pool: list[PooledSpeech], options: SplitOptions, folder: Path, *, register: bool
) -> SplitResult:
    """Cut random preview clips and the clip to register, and write them.

    Args:
        recording: the source.
        pool: see `clean_speech`.
        options: number, length and seed.
        folder: for the clips; other files in it stay.
        register: whether a clip to register is wanted.

    Raises:
        StorageError: a clip cannot be written.
    """
    drawn = random.Random(options.seed)  # noqa: S311 - no secret
    weights = [stretch.span.duration for stretch in pool]
    clips = []
    for number in range(1, options.clips + 1):
        (anchor,) = drawn.choices(pool, weights)
        start = drawn.uniform(anchor.span.start, anchor.span.end)
        end = min(start + options.length, FileWaveform((anchor.sound,)).seconds)
        start = max(0.0, min(start, end - options.length))
        position = recording.offset + anchor.position + start - anchor.span.start
        target = folder / f"clip_{number:02d}_from_{position:.0f}s.wav"
        clips.append(_written(anchor.sound, start, end, position, target))
    best = best_reference(pool, options.length) if register else None
    if best is None:
        return SplitResult(tuple(clips), None)
    end = best.span.start + min(options.length, best.span.duration)
    position = recording.offset + best.position
    target = folder / f"clip_ref_from_{position:.0f}s.wav"
    return SplitResult(tuple(clips), _written(best.sound, best.span.start, end, position, target))


def best_reference(pool: list[PooledSpeech], length: float) -> PooledSpeech | None:
    """The stretch to register: long, and with little behind it; None if none has 5 seconds.

    Where a reader makes pauses after each few words, stretches are joined over them. The choice does not depend on the
    preview clips.
    """
    enough = _enough(pool) or _enough(over_pauses(pool))

    def value(stretch: PooledSpeech) -> tuple[float, float]:
        seconds = min(length, stretch.span.duration)
        return float(np.log2(seconds)) - max(stretch.background_db, -60.0) / _SPREAD_DB, -stretch.position

    return max(enough, key=value, default=None)


def over_pauses(pool: list[PooledSpeech]) -> list[PooledSpeech]:
    """Stretches with the pauses of up to `LONGEST_PAUSE` between them."""
    found: list[PooledSpeech] = []
    for one in sorted(pool, key=lambda stretch: (stretch.sound, stretch.span.start)):
        last = found[-1] if found else None
        if last is not None and last.sound == one.sound and one.span.start - last.span.end <= LONGEST_PAUSE:
            span = Span(last.span.start, max(last.span.end, one.span.end))
            found[-1] = replace(last, span=span, background_db=max(last.background_db, one.background_db))
        else:
            found.append(one)
    return found


def _enough(pool: list[PooledSpeech]) -> list[PooledSpeech]:
    return [stretch for stretch in pool if stretch.span.duration >= SHORTEST_REFERENCE]


def _written(sound: Path, start: float, end: float, position: float, target: Path) -> SplitClip:
    """Write a clip at one level with the others, without a filter: a voice keeps what its recording has of it."""
    samples = FileWaveform((sound,)).read(start, end)
    level = quality.measure(samples, RATE).loudness_dbfs
    gain = 10.0 ** ((_LEVEL_DBFS - level) / 20.0)
    peak = float(np.abs(samples).max(initial=1e-9))
    scaled = samples * np.float32(min(gain, _PEAK / peak))
    with files.atomic_path(target, suffix=".wav") as temporary:
        soundfile.write(temporary, scaled, RATE, subtype="PCM_16")
    return SplitClip(target, position, len(samples) / RATE)


_LEVEL_DBFS, _PEAK = -23.0, 0.89
"""Level of the speech of a clip, and its highest sample."""


__all__ = [
    "PooledSpeech",
    "SplitClip",
    "SplitOptions",
    "SplitResult",
    "best_reference",
    "best_windows",
    "clean_speech",
    "cut_clips",
]
