"""Takes judged and ranked: `--select-best`.

The score of a take is the weighted mean of what could be measured of it, each part from 0 to 1:

* words: 1 less the word error rate of the recognised text. Words that are said twice are errors, as missing ones are.
* likeness: the cosine of speaker embeddings to the voice's reference, from 0.70 (another person) to 0.93 (the same).
* quality: the opinion score that DNSMOS P.808 predicts, from 2 to 4.
* duration: 1 for a length that 90% of readers have (`durations.LIKELY`), 0 at two and a half times beyond.
* pauses: 1 for pauses up to 0.8 s inside and half a second at the ends, 0 from 2 s.

A take with a fault comes after every take without one, regardless of its score: repeated words, words left out, a
generation that was stopped at its longest, clipping.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voicemill.audio.level_envelope import frame_levels
from voicemill.audio.quality import clipped_share, measure
from voicemill_cloning.durations import LIKELY, expected_seconds
from voicemill_cloning.engines.engine import Samples
from voicemill_cloning.judging import error_rate, spoken_units
from voicemill_cloning.speaking import SynthesisedTake

METHOD = "weighted_words_likeness_quality_duration_pauses"
WEIGHTS = {"words": 0.45, "likeness": 0.20, "quality": 0.10, "duration": 0.15, "pauses": 0.10}
SAME_SPEAKER, OTHER_SPEAKER = 0.93, 0.70
GOOD_OPINION, BAD_OPINION = 4.0, 2.0
LONGEST_FACTOR = 2.5
"""Beyond the likely range, where the part for the duration is 0."""
LONG_PAUSE, LONGEST_PAUSE = 0.8, 2.0
LONG_EDGE = 0.5
REPEATED = 0.2
"""Share of the text's words that are said again, from which a take has that fault."""
MISSING = 0.34
"""Word error rate without the repeated words from which a take counts as another text."""
CLIPPED = 0.001
"""Share of samples in clipped runs."""
_FRAME = 0.01
_SILENT_DBFS = -75.0
_SPEECH_ABOVE_NOISE_DB, _SPEECH_BELOW_LOUD_DB = 10.0, 35.0


@dataclass(frozen=True)
class TakeAcoustics:
    """What is measured of a take's sound.

    Attributes:
        noise_floor_dbfs: level of the quietest tenth of 10 ms frames.
        snr_db: speech against noise.
        speech_share: share of frames with speech.
        continuity: 1 less the share of frames at which speech begins or ends.
        clipping_share: share of samples in clipped runs.
        longest_pause: seconds without speech inside the take.
        longest_edge: seconds without speech at its beginning or end.
    """

    noise_floor_dbfs: float
    snr_db: float
    speech_share: float
    continuity: float
    clipping_share: float
    longest_pause: float
    longest_edge: float

    def as_dict(self) -> dict[str, float]:
        """For `takes.meta.json`."""
        return {
            "noise_floor_dbfs": round(self.noise_floor_dbfs, 2),
            "snr_db": round(self.snr_db, 2),
            "speech_share": round(self.speech_share, 4),
            "continuity": round(self.continuity, 4),
            "clipping_share": round(self.clipping_share, 6),
            "longest_pause_sec": round(self.longest_pause, 3),
            "longest_edge_sec": round(self.longest_edge, 3),
        }


@dataclass(frozen=True)
class TakeScore:
    """The judgement of one take.

    Attributes:
        index: of the take.
        score: 0 to 1.
        parts: what the score is made of, 0 to 1 each; parts that could not be measured are missing.
        word_errors: substitutions, insertions and deletions over the words of the text; None without a recogniser.
        repeated: share of the text's words that are said again; None without a recogniser.
        likeness: cosine to the reference; None without one.
        opinion: P.808; None without that judge.
        duration_ratio: real length over the expected one.
        faults: `words_repeated`, `words_missing`, `stopped`, `clipped`.
        acoustics: what is measured of the sound.
    """

    index: int
    score: float
    parts: Mapping[str, float]
    word_errors: float | None
    repeated: float | None
    likeness: float | None
    opinion: float | None
    duration_ratio: float
    faults: tuple[str, ...]
    acoustics: TakeAcoustics

    def as_dict(self) -> dict[str, Any]:
        """For `takes.meta.json`."""
        values: dict[str, Any] = {
            "final_score": self.score,
            **{f"{name}_score": round(value, 4) for name, value in self.parts.items()},
            "word_error_rate": self.word_errors,
            "repeated_words": self.repeated,
            "speaker_similarity": self.likeness,
            "opinion_p808": self.opinion,
            "duration_ratio": self.duration_ratio,
            "faults": list(self.faults),
        }
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
        return {name: value for name, value in rounded.items() if value is not None}


def judge_take(
    take: SynthesisedTake,
    text: str,
    language: str,
    *,
    transcript: str | None = None,
    likeness: float | None = None,
    opinion: float | None = None,
) -> TakeScore:
    """Judge one take.

    Args:
        take: as synthesised.
        text: that it should say.
        language: of the text.
        transcript: what a recogniser found in it, in words.
        likeness: cosine of speaker embeddings to the voice's reference.
        opinion: P.808 score, 1 to 5.
    """
    acoustics = measure_acoustics(take.samples, take.sample_rate)
    ratio = take.seconds / expected_seconds(text, language)
    errors = repeated = None
    if transcript is not None:
        errors = error_rate(text, transcript, language).rate
        repeated = repeated_share(text, transcript, language)
    found = {
        "words": None if errors is None else max(0.0, 1.0 - errors),
        "likeness": None if likeness is None else _between(likeness, OTHER_SPEAKER, SAME_SPEAKER),
        "quality": None if opinion is None else _between(opinion, BAD_OPINION, GOOD_OPINION),
        "duration": _duration_score(ratio),
        "pauses": _pause_score(acoustics),
    }
    parts = {name: value for name, value in found.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in parts)
    score = sum(WEIGHTS[name] * value for name, value in parts.items()) / weight
    faults = _faults(take, acoustics, errors, repeated)
    return TakeScore(take.index, round(score, 4), parts, errors, repeated, likeness, opinion, ratio, faults, acoustics)


def ranked(scores: Sequence[TakeScore]) -> list[TakeScore]:
    """The judgements, best first: takes without a fault, then by score, words, duration, and the take's number."""
    return sorted(
        scores,
        key=lambda one: (
            bool(one.faults),
            -one.score,
            -one.parts.get("words", 0.0),
            -one.parts["duration"],
            one.index,
        ),
    )


def repeated_share(text: str, transcript: str, language: str = "English") -> float:
    """How many words (see `judging.spoken_units`) occur more often than in the text, over its words."""
    expected, recognised = (Counter(spoken_units(each, language)) for each in (text, transcript))
    again = sum(max(0, recognised[word] - count) for word, count in expected.items())
    return again / max(1, expected.total())


def measure_acoustics(samples: Samples, rate: int) -> TakeAcoustics:
    """Measure the sound of a take."""
    quality = measure(samples, rate)
    levels = frame_levels(samples, rate, _FRAME)
    noise, loud = (float(value) for value in np.percentile(levels, (10.0, 95.0)))
    speech = levels > max(min(noise + _SPEECH_ABOVE_NOISE_DB, loud - 3.0), loud - _SPEECH_BELOW_LOUD_DB)
    speech &= levels > _SILENT_DBFS
    changes = np.flatnonzero(np.diff(speech.astype(np.int8)))
    active = np.flatnonzero(speech)
    inside = speech[active[0] : active[-1] + 1] if active.size else speech
    return TakeAcoustics(
        noise_floor_dbfs=noise,
        snr_db=quality.snr_db,
        speech_share=float(speech.mean()),
        continuity=1.0 - len(changes) / max(1, len(speech)),
        clipping_share=clipped_share(samples),
        longest_pause=_longest_run(~inside) * _FRAME,
        longest_edge=max(quality.leading_silence, quality.trailing_silence),
    )


def _longest_run(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _duration_score(ratio: float) -> float:
    low, high = LIKELY
    beyond = max(low / ratio, ratio / high, 1.0)
    return max(0.0, 1.0 - math.log(beyond) / math.log(LONGEST_FACTOR))


def _pause_score(acoustics: TakeAcoustics) -> float:
    inside = 1.0 - _between(acoustics.longest_pause, LONG_PAUSE, LONGEST_PAUSE)
    edges = 1.0 - _between(acoustics.longest_edge, LONG_EDGE, LONGEST_PAUSE)
    return min(inside, edges)


def _faults(
    take: SynthesisedTake, acoustics: TakeAcoustics, errors: float | None, repeated: float | None
) -> tuple[str, ...]:
    found = []
    if repeated is not None and repeated >= REPEATED:
        found.append("words_repeated")
    if errors is not None and errors - (repeated or 0.0) > MISSING:
        found.append("words_missing")
    if not take.complete:
        found.append("stopped")
    if acoustics.clipping_share > CLIPPED:
        found.append("clipped")
    return tuple(found)


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
