"""Stability of a finished voice: how many of many generated sentences come out wrong.

A sentence counts as failed for any of these:

    recogniser  Whisper's word error rate on it is above `MOST_WORD_ERRORS`, numbers compared by their digits. Where a
                larger Whisper is given, it decides about the sentences that the first one gets wrong
    length      not the length that its durations give, or a rate far from the voice's own
    silence     (almost) no sound, or a long gap inside the speech
    clipping    samples at full scale
    repeat      spoken again, the samples differ

What is measured is what is played: the voice's speech with its watermark. The larger recogniser gets a lead-in before
the sentence, spoken by the same voice: a recogniser that was trained on half a minute of speech at a time errs on a
single word without any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.metrics.error_rate import ErrorRate, word_errors
from voicemill.verify.number_words import with_digits
from voicemill.verify.stability_figures import FailedSentence, Failure, Stability
from voicemill_runtime.sound_files import resample
from voicemill_runtime.voice import SpokenChunk, Voice

Samples = NDArray[np.float32]
MOST_WORD_ERRORS = 0.5
_RATES = 0.4, 2.5
"""Seconds a token, relative to the median of all sentences."""
_SILENT_PEAK = 0.01
_LONGEST_GAP = 1.0
"""Seconds inside the speech with less than `_GAP_LEVEL` of the peak."""
_GAP_LEVEL = 10 ** (-50 / 20)
_FRAME_SECONDS = 0.02
_FULL_SCALE, _MOST_CLIPPED = 0.9999, 2
_RECOGNISER_RATE = 16_000
_PADDING = 0.3
"""Seconds of silence around the speech for the recogniser: Whisper misses words at the edges."""
LEAD_IN = "Thank you for listening."
_LEAD_PAUSE = 0.5
"""Seconds between the lead-in and the sentence."""


class SentenceRecogniser(Protocol):
    """The part of `voicemill.align.recognition.Recogniser` that is used here; `voice-serve` must not load that package.

    `transcribe` gives the lower-case words of (n,) mono samples at 16 kHz, `transcribe_after` those after a time in
    seconds.
    """

    @property
    def name(self) -> str: ...

    def transcribe(self, samples: Samples) -> str: ...

    def transcribe_after(self, samples: Samples, start: float) -> str: ...


@dataclass(frozen=True)
class _Spoken:
    """One sentence as it was spoken."""

    text: str
    words: str
    seconds: float
    tokens: int
    failures: tuple[Failure, ...]
    recognised: str


def measure(
    voice: Voice,
    texts: Sequence[str],
    recogniser: SentenceRecogniser,
    *,
    manifest_sha256: str,
    seed: int,
    second: Callable[[], SentenceRecogniser | None] = lambda: None,
    progress: Callable[[int], None] = lambda done: None,
) -> Stability:
    """Speak the texts and count the failures.

    Args:
        voice: the bundle's.
        texts: see `stability_texts.sentences`.
        recogniser: another one than the voice's aligner.
        manifest_sha256: of the bundle.
        seed: of the texts, for the record.
        second: gives a larger recogniser, or None; called if the first one gets a sentence wrong.
        progress: called with the number of sentences done.

    Raises:
        BundleError: `synthesis_non_finite`: the graph gives no sound.
    """
    spoken = []
    for index, text in enumerate(texts, 1):
        spoken.append(_speak(voice, text, recogniser))
        progress(index)
    errors = word_errors(
        [with_digits(each.words) for each in spoken], [with_digits(each.recognised) for each in spoken]
    )
    doubted = [index for index, error in enumerate(errors) if error.rate > MOST_WORD_ERRORS]
    larger = second() if doubted else None
    decided = list(zip(spoken, errors, strict=True))
    if larger is not None:
        for index, found_again in zip(doubted, _recognise_again(voice, doubted, spoken, larger), strict=True):
            decided[index] = found_again
    rates = [each.seconds / each.tokens for each in spoken]
    median = float(np.median(rates))
    failed = []
    for (each, error), rate in zip(decided, rates, strict=True):
        found = set(each.failures)
        if error.rate > MOST_WORD_ERRORS:
            found.add("recogniser")
        if not _RATES[0] * median <= rate <= _RATES[1] * median:
            found.add("length")
        if found:
            failed.append(
                FailedSentence(
                    text=each.text,
                    failures=tuple(sorted(found)),
                    recognised=each.recognised,
                    word_error_rate=round(error.rate, 4),
                )
            )
    counts = Counter(failure for each in failed for failure in each.failures)
    return Stability(
        bundle_manifest_sha256=manifest_sha256,
        recogniser=recogniser.name,
        second_recogniser=larger.name if larger is not None else "",
        doubted=len(doubted),
        seed=seed,
        count=len(texts),
        failed=len(failed),
        failures=dict(sorted(counts.items())),
        word_error_rate=round(sum(error.errors for error in errors) / sum(error.length for error in errors), 4),
        seconds_of_speech=round(sum(each.seconds for each in spoken), 1),
        sentences=tuple(failed),
    )


def _speak(voice: Voice, text: str, recogniser: SentenceRecogniser) -> _Spoken:
    chunks = list(voice.speak(text))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    again = np.concatenate([chunk.samples for chunk in voice.speak(text)])
    failures: list[Failure] = []
    if not np.array_equal(samples, again):
        failures.append("repeat")
    if np.count_nonzero(np.abs(samples) >= _FULL_SCALE) > _MOST_CLIPPED:
        failures.append("clipping")
    if _is_silent(samples, chunks, voice.sample_rate):
        failures.append("silence")
    words = [word for chunk in chunks for word in chunk.words]
    if any(word.end <= word.start for word in words) or words[-1].end > samples.size / voice.sample_rate + 1e-6:
        failures.append("length")
    padding = _silence(_PADDING)
    padded = np.concatenate((padding, resample(samples, voice.sample_rate, _RECOGNISER_RATE), padding))
    return _Spoken(
        text,
        " ".join(word.text for word in words),
        samples.size / voice.sample_rate,
        sum(len(word.phones) + 1 for word in words) + 1,
        tuple(failures),
        recogniser.transcribe(padded),
    )


def _recognise_again(
    voice: Voice, indices: Sequence[int], spoken: Sequence[_Spoken], recogniser: SentenceRecogniser
) -> list[tuple[_Spoken, ErrorRate]]:
    """Sentences with what another recogniser makes of them after a lead-in."""
    lead_in = _at_recogniser_rate(voice, LEAD_IN)
    start = _PADDING + lead_in.size / _RECOGNISER_RATE + _LEAD_PAUSE / 2
    again = []
    for each in (spoken[index] for index in indices):
        parts = (_silence(_PADDING), lead_in, _silence(_LEAD_PAUSE), _at_recogniser_rate(voice, each.text))
        samples = np.concatenate((*parts, _silence(_PADDING)))
        again.append(replace(each, recognised=recogniser.transcribe_after(samples, start)))
    errors = word_errors([with_digits(each.words) for each in again], [with_digits(each.recognised) for each in again])
    return list(zip(again, errors, strict=True))


def _at_recogniser_rate(voice: Voice, text: str) -> Samples:
    samples = np.concatenate([chunk.samples for chunk in voice.speak(text)])
    return resample(samples, voice.sample_rate, _RECOGNISER_RATE)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * _RECOGNISER_RATE), dtype=np.float32)


def _is_silent(samples: Samples, chunks: Sequence[SpokenChunk], rate: int) -> bool:
    """Whether the speech is silent or has a long gap; pauses between sentences are chunks without words."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < _SILENT_PEAK:
        return True
    size = round(_FRAME_SECONDS * rate)
    for chunk in chunks:
        if not chunk.words:
            continue
        whole = chunk.samples[: chunk.samples.size // size * size].reshape(-1, size)
        quiet = np.abs(whole).max(axis=1) < peak * _GAP_LEVEL
        longest = max(_runs(quiet), default=0)
        if longest * _FRAME_SECONDS > _LONGEST_GAP:
            return True
    return False


def _runs(flags: NDArray[np.bool_]) -> Iterator[int]:
    """Lengths of the runs of True."""
    length = 0
    for flag in flags:
        if flag:
            length += 1
        elif length:
            yield length
            length = 0
    if length:
        yield length
