"""Speech of a clip that is in no word of its text: the text probably lacks words that are spoken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.dataset.candidates import Fault
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.utterances import outside

MAX_RUN = 0.5
"""Seconds of continuous speech outside all words."""
MAX_SHARE = 0.15
"""Share of the speech outside all words, from `MIN_SECONDS` on."""
MIN_SECONDS = 0.3
SOFTEST_DB = -12.5
"""Level, against the loud parts of the clip, below which a stretch is a breath, noise or an echo and no word: words of
0.3 s and more have at least -11.6 dB (docs/benchmarks.md, People)."""
_BACKGROUND_PERCENT = 5
"""Percentile of a clip's levels that is its background, which is no part of the level of speech."""
_LOUDEST_BACKGROUND_DB = -15.0
"""Against the loud parts; what is louder in a clip without a pause is speech."""
_TOLERANCE = 0.08
"""Seconds before and after a word that belong to it: voice activity detection adds a margin to speech."""


@dataclass(frozen=True)
class UnwrittenSpeech:
    """Speech of a clip outside all words of its text, in seconds, and its share of all speech."""

    seconds: float
    longest: float
    share: float

    @property
    def excessive(self) -> bool:
        """Whether the text probably lacks words that are spoken (docs/benchmarks.md, People)."""
        return self.longest > MAX_RUN or (self.share > MAX_SHARE and self.seconds > MIN_SECONDS)


def speech(words: Sequence[WordRow], spans: Sequence[Span], levels: LevelEnvelope | None = None) -> UnwrittenSpeech:
    """Speech outside all words.

    Args:
        words: of the alignment.
        spans: stretches of speech in seconds of the clip, from voice activity detection.
        levels: of the clip; with it, stretches that are too soft for a word do not count.
    """
    spoken = [Span(max(0.0, start - _TOLERANCE), end + _TOLERANCE) for _, start, end, _ in words]
    rest = [part for span in spans for part in outside(span, spoken)]
    if levels is not None and rest:
        softest = _softest_word(levels)
        rest = [part for part in rest if _power(levels.between(part.start, part.end)[0]) > softest]
    seconds = [part.duration for part in rest]
    total = sum(span.duration for span in spans)
    return UnwrittenSpeech(sum(seconds), max(seconds, default=0.0), sum(seconds) / total if total else 0.0)


def _softest_word(levels: LevelEnvelope) -> float:
    """Least mean power of a word in a clip, on top of its background; infinite for digital silence."""
    loud = levels.loud_level()
    if loud is None:
        return math.inf
    quiet = min(float(np.percentile(levels.values, _BACKGROUND_PERCENT)), loud + _LOUDEST_BACKGROUND_DB)
    background, loudest, softest = (float(10.0 ** (level / 10.0)) for level in (quiet, loud, SOFTEST_DB))
    return background + (loudest - background) * softest


def _power(levels: npt.NDArray[np.float64]) -> float:
    """Mean power of levels in dBFS; 0 of none."""
    return float(np.mean(10.0 ** (levels / 10.0))) if levels.size else 0.0


def fault(found: UnwrittenSpeech) -> Fault | None:
    """`text_mismatch` where it is excessive."""
    if not found.excessive:
        return None
    if found.longest > MAX_RUN:
        figure, unit, limit, what = found.longest, "s", MAX_RUN, f"{found.longest:.2f} s without a break"
    else:
        figure, unit, limit, what = found.share, "share", MAX_SHARE, f"{found.share:.0%}"
    detail = f"unwritten: {what} of the speech are in no word of the text; the limit is {limit:g} {unit}"
    return Fault("text_mismatch", round(figure, 4), unit, limit, detail)
