"""The reading that was spoken: of the ways in which a text can be read, the one that fits the sound best.

Every option is aligned with the clip as a whole, so a place is judged with its neighbours. The likely reading stands
unless another one fits clearly better: docs/benchmarks.md, Spoken readings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicemill.align.features import MIN_SAMPLES
from voicemill.align.forced_alignment import Aligner
from voicemill.text.readings import Place, TextReading

WORDS_MARGIN = 150
"""Score, in units of about 0.1 nat, by which other words must fit better than the likely ones."""
PHONES_MARGIN = 300
"""The same for another pronunciation of a heteronym: one sound differs, and the acoustic model confuses vowels."""
MOST_PLACES = 24
"""Places of one clip that are decided by the sound; further ones keep the likely reading."""


def spoken_reading(aligner: Aligner, samples: npt.NDArray[np.float32], reading: TextReading) -> TextReading:
    """The reading that was spoken.

    Args:
        aligner: of the voice's lexicon.
        samples: (n,) mono float at 16 kHz, one utterance.
        reading: the text with its places.
    """
    places = reading.places[:MOST_PLACES]
    if not places or samples.size < MIN_SAMPLES:
        return TextReading(reading.words)
    tried = [(place, index) for place in places for index in range(1, len(place.options))]
    candidates = [reading.phones, *(reading.variant([one]).phones for one in tried)]
    likely, *scores = aligner.compare(samples, candidates)
    best: dict[Place, tuple[int, int]] = {}
    for (place, index), score in zip(tried, scores, strict=True):
        better = score is not None and (likely is None or score > likely + margin(place))
        if score is not None and better and score > best.get(place, (score - 1, 0))[0]:
            best[place] = (score, index)
    return reading.variant([(place, index) for place, (_, index) in best.items()])


def margin(place: Place) -> int:
    """How much better another option than the likely one must fit."""
    return PHONES_MARGIN if place.same_spelling else WORDS_MARGIN
