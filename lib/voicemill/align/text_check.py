"""Wrong words of a text, found by a second recogniser and confirmed by the aligner.

1. Whisper recognises the clip (`second_recogniser`). If it writes the words of the text, the text is right, and nothing
   else is computed. Otherwise the regions in which it differs from the text are candidates. Words that sound the same
   are no difference, nor are `to day` and `today`. Whisper spells names freely, so a word that no dictionary lists is
   taken for the word of the text that sounds most like it (`differences`).
2. Whisper scores each word of the text.
3. PocketSphinx's acoustic model aligns the clip with the text and with the text after each change. The score by which
   the change fits better is the region's gain.

A region is wrong if both models prefer the change; docs/benchmarks.md, Wrong text, has the figures.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.align.features import MIN_SAMPLES, SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner
from voicemill.align.second_recogniser import LONGEST_SECONDS, RecognisedClip, SecondRecogniser
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
REPLACED_GAIN, MISSING_GAIN, ADDED_GAIN = 250, 80, 0
"""Gains, in units of about 0.1 nat, above which other words, more words or fewer words fit clearly better, where
Whisper finds the text unlikely."""
SURE_GAIN = 400
"""Gain above which words are missing in the text even if Whisper finds what follows likely."""
DOUBTFUL_GAIN = 150
"""Gain above which a region is doubtful, where Whisper does not find the text likely."""
_ALIKE_PHONES, _ALIKE_SHARE = 6, 0.7
_LIKE_A_NAME = 0.4
"""Share of equal phones from which a word that no dictionary lists may be another spelling of a word of the text."""
_IN_PIECES = 0.6
"""The same, from which several recognised words may be one word of the text if a dictionary lacks one of them."""
_SPELLED_ALIKE = 0.75
"""Share of equal letters from which a word that no dictionary lists may be an old spelling of another."""
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
    others = [lexicon.pronounce(word).phones for word in recognised]
    regions = differences(
        [(word.text, word.phones) for word in words], list(zip(recognised, others, strict=True)), lexicon
    )
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
        limit = MISSING_GAIN if first == last else ADDED_GAIN if start == end else REPLACED_GAIN
        if any(word not in lexicon for word in recognised[start:end]):
            limit = SURE_GAIN
        certain = (gain > limit and expected < UNLIKELY) or (first == last and gain > SURE_GAIN)
        if certain or (gain > max(limit, DOUBTFUL_GAIN) and expected < LIKELY):
            found.append(WrongWords(first, last, tuple(recognised[start:end]), gain, certain))
    return found


_Spoken = tuple[str, Sequence[str]]
"""A word and its phones."""
_Region = tuple[int, int, int, int]
"""Words of the text, first and last (exclusive), and the recognised words in their place."""


def differences(words: Sequence[_Spoken], recognised: Sequence[_Spoken], known: Lexicon) -> list[_Region]:
    """Where the recognised words differ from a text by more than spelling.

    Whisper spells names freely: a recognised word that no dictionary lists stands for the word of the text that sounds
    most like it. Words beside a name still differ. Where no word sounds like it, the region is left out, unless the
    text has no word there.

    Args:
        words: of the text.
        recognised: what Whisper wrote.
        known: words that a dictionary lists.
    """
    text, other = ([word for word, _ in each] for each in (words, recognised))
    matcher = difflib.SequenceMatcher(None, text, other, autojunk=False)
    found = [
        region
        for kind, first, last, start, end in matcher.get_opcodes()
        if kind != "equal"
        for region in _without_names((first, last, start, end), words, recognised, known)
    ]

    def same(first: int, last: int, start: int, end: int) -> bool:
        pair = words[first:last], recognised[start:end]
        phones, others = ([phone for _, each in part for phone in each] for part in pair)
        return (
            sound_alike(phones, others)
            or same_letters(text[first:last], other[start:end])
            or old_spelling(text[first:last], other[start:end], known)
        )

    return [region for region in found if not same(*region)]


def _without_names(
    region: _Region, words: Sequence[_Spoken], recognised: Sequence[_Spoken], known: Lexicon
) -> list[_Region]:
    """The parts of a region beside the names in it."""
    first, last, start, end = region
    names = [index for index in range(start, end) if recognised[index][0] not in known]
    if not names or first == last:
        return [region] if first < last or start < end else []
    pieces = [phone for _, phones in recognised[start:end] for phone in phones]
    if last - first == 1 and _likeness(words[first][1], pieces) >= _IN_PIECES:
        return []
    pairs = [(place, name) for place in range(first, last) for name in names]
    likeness, place, name = max((_likeness(words[place][1], recognised[name][1]), place, name) for place, name in pairs)
    if likeness < _LIKE_A_NAME:
        return []
    return [
        *_without_names((first, place, start, name), words, recognised, known),
        *_without_names((place + 1, last, name + 1, end), words, recognised, known),
    ]


def _likeness(phones: Sequence[str], others: Sequence[str]) -> float:
    return difflib.SequenceMatcher(None, phones, others, autojunk=False).ratio()


def sound_alike(phones: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a recogniser may take one for the other: "flaxen" and "flakes in", "forearms" and "farms".

    Six phones or more that begin and end with the same phone and share most of what lies between. Endings such as those
    of "consider" and "considered" tell words apart.
    """
    if list(phones) == list(others):
        return True
    longest = max(len(phones), len(others))
    if longest < _ALIKE_PHONES or not phones or not others or phones[0] != others[0] or phones[-1] != others[-1]:
        return False
    matcher = difflib.SequenceMatcher(None, phones, others, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) >= _ALIKE_SHARE * longest


def same_letters(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether words differ in their spaces only: "some thing" and "something", "with all" and "withal".

    Where the number of words differs, a doubled letter counts once.
    """
    first, second = "".join(words), "".join(others)
    if len(words) != len(others):
        first, second = (re.sub(r"(.)\1", r"\1", each) for each in (first, second))
    return first == second


def old_spelling(words: Sequence[str], others: Sequence[str], known: Lexicon) -> bool:
    """Whether a word that no dictionary lists is another spelling of the recognised one: "shew" and "show"."""
    if len(words) != 1 or len(others) != 1 or words[0] in known or others[0] not in known:
        return False
    return difflib.SequenceMatcher(None, words[0], others[0], autojunk=False).ratio() >= _SPELLED_ALIKE


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
