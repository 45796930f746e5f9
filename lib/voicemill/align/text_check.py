"""Wrong words of a text, found by a second recogniser and confirmed by the aligner.

1. Whisper recognises the clip (`second_recogniser`). If it writes the words of the text, the text is right, and nothing
   else is computed. Otherwise the regions in which it differs from the text are candidates. Words that sound the same
   are no difference, nor are `to day` and `today`. Whisper spells names freely, so a word that no dictionary lists is
   taken for the word of the text that sounds most like it (`differences`).
2. Whisper scores each word of the text.
3. PocketSphinx's acoustic model aligns the clip with the text and with the text after each change. The score by which
   the change fits better is the region's gain.

A region is wrong if both models prefer the change and Whisper differs from the text there in a wider search, too. It is
only doubtful where a name of the text sounds like the recognised words, because Whisper knows few names.
docs/benchmarks.md, Wrong text, has the figures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.align.features import MIN_SAMPLES, SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner
from voicemill.align.second_recogniser import LONGEST_SECONDS, RecognisedClip, SecondRecogniser
from voicemill.align.word_differences import Region, SpokenPhones, differences, likeness_of
from voicemill.errors import DatasetError
from voicemill.text import normalise
from voicemill.text.frontend import SpokenWord
from voicemill.text.lexicon import Lexicon

LIKELY = -2.5
"""Log probability above which a word counts as spoken without a further check."""
UNLIKELY = -5.0
"""Log probability below which Whisper does not expect the word."""
IMPOSSIBLE = -10.0
"""Log probability below which a word is doubtful even if no other words fit better."""
REPLACED_GAIN, MISSING_GAIN, ADDED_GAIN, UNLISTED_GAIN = (250, 400), (80, 200), (0, 150), (400, 500)
"""Gains, in units of about 0.1 nat, above which a region is doubtful and above which it is wrong, where Whisper finds
the text unlikely: for other words, more words, fewer words, and other words that no dictionary lists."""
SURE_GAIN = 400
"""Gain above which words are missing in the text even if Whisper finds what follows likely."""
DOUBTFUL_GAIN = 150
"""Least gain of a doubtful region that Whisper finds neither likely nor unlikely."""
_MAY_BE_NAME = 0.5
"""Share of equal phones from which the recognised words may be a name of the text."""
_MOST_REGIONS = 8
_REPEATED = 4
"""Words of a run that comes twice: Whisper started again."""


@dataclass(frozen=True)
class WrongWords:
    """Words `first` to `last` (exclusive) of a text that are not what is spoken.

    Attributes:
        first: index of a word.
        last: equal to `first` if words are missing before it.
        recognised: what Whisper recognised instead; empty if the words were not spoken.
        gain: score by which that fits better; None if it was not compared.
        certain: whether both models agree; otherwise the words are doubtful.
    """

    first: int
    last: int
    recognised: tuple[str, ...]
    gain: int | None
    certain: bool


def judgeable(samples: int, words: int) -> bool:
    """Whether a clip of so many samples at 16 kHz and words can be judged: it has words and fits Whisper's window."""
    return words > 0 and MIN_SAMPLES <= samples <= LONGEST_SECONDS * SAMPLE_RATE


def wrong_words(
    recogniser: SecondRecogniser,
    aligner: Aligner,
    lexicon: Lexicon,
    clips: Sequence[tuple[npt.NDArray[np.float32], Sequence[SpokenWord]]],
) -> list[list[WrongWords]]:
    """Words of texts that are not what is spoken, for each clip in the order of its text.

    Args:
        recogniser: Whisper.
        aligner: PocketSphinx, of the voice's lexicon.
        lexicon: pronunciations of recognised words.
        clips: samples, (n,) mono float at 16 kHz, and the text as it is read. None are found where a clip is not
            `judgeable`.
    """
    judged = [index for index, (samples, words) in enumerate(clips) if judgeable(samples.size, len(words))]
    found: list[list[WrongWords]] = [[] for _ in clips]
    for index, recognised in zip(judged, recogniser.recognise([clips[one][0] for one in judged]), strict=True):
        found[index] = wrong_words_of(recognised, aligner, lexicon, *clips[index])
    return found


def wrong_words_of(
    clip: RecognisedClip,
    aligner: Aligner,
    lexicon: Lexicon,
    samples: npt.NDArray[np.float32],
    words: Sequence[SpokenWord],
) -> list[WrongWords]:
    """Words of one text that are not what is spoken in a clip that was recognised; see `wrong_words`."""
    recognised = _without_repeats(_spoken(clip.text))
    if recognised == [word.text for word in words]:
        return []
    likely = clip.log_probabilities(words, enough=LIKELY)
    found = _judged(aligner, lexicon, samples, words, recognised, likely) if recognised else []
    if any(one.certain for one in found):
        spoken = _pronounced(_without_repeats(_spoken(clip.recognise_again())), lexicon)
        again = _differences(words, spoken, lexicon)
        found = [
            dataclasses.replace(one, certain=one.certain and _certain(one, words, again, lexicon)) for one in found
        ]
    known = {index for one in found for index in range(one.first, one.last + 1)}
    found += [
        WrongWords(index, index + 1, (), None, certain=False)
        for index, score in enumerate(likely)
        if score < IMPOSSIBLE and index not in known and words[index].text in lexicon
    ]
    return sorted(found, key=lambda one: (one.first, one.last))


def _judged(
    aligner: Aligner,
    lexicon: Lexicon,
    samples: npt.NDArray[np.float32],
    words: Sequence[SpokenWord],
    recognised: Sequence[str],
    likely: Sequence[float],
) -> list[WrongWords]:
    phones = [word.phones for word in words]
    spoken = _pronounced(recognised, lexicon)
    others = [phones for _, phones in spoken]
    regions = _differences(words, spoken, lexicon)
    if len(regions) > _MOST_REGIONS:
        return []
    # words that Whisper finds likely need no comparison, unless words are missing between them
    regions = [one for one in regions if one[0] == one[1] or min(likely[one[0] : one[1] + 1]) < LIKELY]
    if not regions:
        return []
    changed = [[*phones[:first], *others[start:end], *phones[last:]] for first, last, start, end in regions]
    base, *scores = aligner.compare(samples, [phones, *(one for one in changed if one)])
    gains = iter(scores)
    found = []
    for (first, last, start, end), candidate in zip(regions, changed, strict=True):
        score = next(gains) if candidate else None
        if score is None or base is None:
            continue
        gain, expected = score - base, min(likely[first : last + 1], default=0.0)
        limit, wrong = MISSING_GAIN if first == last else ADDED_GAIN if start == end else REPLACED_GAIN
        if any(word not in lexicon for word in recognised[start:end]):
            limit, wrong = UNLISTED_GAIN
        certain = (gain > wrong and expected < UNLIKELY) or (first == last and gain > SURE_GAIN)
        enough = limit if expected < UNLIKELY else max(limit, DOUBTFUL_GAIN)
        if certain or (gain > enough and expected < LIKELY):
            found.append(WrongWords(first, last, tuple(recognised[start:end]), gain, certain))
    return found


def _pronounced(words: Sequence[str], lexicon: Lexicon) -> list[SpokenPhones]:
    return [(word, lexicon.pronounce(word).phones) for word in words]


def _differences(words: Sequence[SpokenWord], spoken: Sequence[SpokenPhones], lexicon: Lexicon) -> list[Region]:
    return differences([(word.text, word.phones) for word in words], spoken, lexicon)


def _certain(wrong: WrongWords, words: Sequence[SpokenWord], again: Sequence[Region], lexicon: Lexicon) -> bool:
    """Whether words that both models find wrong are: confirmed by the regions of another search, and no name."""
    return confirms(again, wrong) and not _a_name(wrong, words, lexicon)


def confirms(again: Sequence[Region], wrong: WrongWords) -> bool:
    """Whether the regions of another search have a difference of the same kind in the same place."""
    if wrong.first == wrong.last:  # words are missing in the text
        return any(first <= wrong.first <= last and end - start > last - first for first, last, start, end in again)
    return any(first < wrong.last and wrong.first < last for first, last, _, _ in again)


def _a_name(wrong: WrongWords, words: Sequence[SpokenWord], lexicon: Lexicon) -> bool:
    """Whether the words are names, by their capitals inside a sentence, that sound like what was recognised."""
    capitals = [word.written[:1].isupper() for word in words]
    if not all(capitals[wrong.first : wrong.last]) or all(capitals) or wrong.first in (0, wrong.last):
        return False
    if words[wrong.first - 1].mark in (".", "?", "!"):
        return False
    phones = [phone for word in words[wrong.first : wrong.last] for phone in word.phones]
    others = [phone for _, each in _pronounced(wrong.recognised, lexicon) for phone in each]
    return likeness_of(phones, others) >= _MAY_BE_NAME


def _spoken(text: str) -> list[str]:
    """The spoken words of what Whisper wrote; none where it wrote another script."""
    try:
        return normalise.words(normalise.normalise(text))
    except DatasetError:
        return []


def _without_repeats(words: Sequence[str]) -> list[str]:
    """The words up to the place at which the recogniser starts again."""
    seen: set[tuple[str, ...]] = set()
    for index in range(len(words)):
        run = tuple(words[index : index + _REPEATED])
        if len(run) == _REPEATED and run in seen:
            return list(words[:index])
        seen.add(run)
    return list(words)
