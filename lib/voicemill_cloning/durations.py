"""How long a text takes to speak: by phones in English, by syllables in the other languages.

English: 499 clips of 195 people (LJ Speech, CMU Arctic read by Kathleen, LibriSpeech) take 0.09 s a phone, 0.2 s a mark
within a sentence and 0.4 s a sentence, and 90% of them lie between 0.81 and 1.39 times the estimate. Numbers,
abbreviations and symbols count as they are read, which characters cannot do.

Other languages: syllables for each second from F. Pellegrino, C. Coupé and E. Marsico, "A cross-language perspective on
speech information rate", Language 87 (2011), scaled by the ratio of the English clips above (3.86 with their pauses) to
the paper's English. Russian, Portuguese and Korean are not in the paper and take the mean of its languages.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata

from voicemill.errors import DatasetError
from voicemill.text.frontend import read
from voicemill.text.lexicon import default_lexicon
from voicemill_cloning.languages import AUTO
from voicemill_cloning.text_language import by_text

PHONE, MARK, SENTENCE = 0.09, 0.2, 0.4
"""Seconds of an English phone, of a mark inside a sentence and of a sentence's end."""
LIKELY = (0.81, 1.39)
"""Range of the ratio of real to expected length that has 90% of the English clips."""
_PAPER = {
    "Chinese": 5.18,
    "English": 6.19,
    "Japanese": 7.84,
    "German": 5.97,
    "French": 7.18,
    "Spanish": 7.82,
    "Italian": 6.99,
}
_MEAN = sum(_PAPER.values()) / len(_PAPER)
_PAUSES = 3.86 / _PAPER["English"]
SYLLABLES_PER_SECOND = {
    language: _PAPER.get(language, _MEAN) * _PAUSES for language in (*_PAPER, "Russian", "Portuguese", "Korean")
}
BUDGET = 2.5
"""Times the expected length at which a generation is stopped: 1% of the English clips are longer than 1.71 times."""
BUDGET_SECONDS = 2.0
"""Added to every budget, because generative models begin and end with silence."""
LEAST_TOKENS, MOST_TOKENS = 64, 4096
_VOWELS = re.compile(r"[aeiouy\u0430\u0435\u0438\u043e\u0443\u044b\u044d\u044e\u044f]+", re.IGNORECASE)
_DIGITS = re.compile(r"\d")
_INNER = re.compile(r"[,;:\uff0c\u3001\uff1b\uff1a\u2013\u2014]")
_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]+")
_SYLLABLES_OF_A_DIGIT = 2.0


def expected_seconds(text: str, language: str = "English") -> float:
    """How long an average reader takes for a text, in seconds; above 0.

    Args:
        text: as written.
        language: a name of `voicemill_cloning.languages`; `AUTO` is judged by the text.
    """
    language = by_text(text) if language == AUTO else language
    if language == "English" and (count := _english(text)) is not None:
        phones, marks, sentences = count
        return PHONE * phones + MARK * marks + SENTENCE * max(1, sentences)
    rate = SYLLABLES_PER_SECOND.get(language, SYLLABLES_PER_SECOND["Russian"])
    marks, sentences = len(_INNER.findall(text)), max(1, len(_ENDS.findall(text)))
    return max(1.0, syllables(text)) / rate + MARK * marks / 2 + SENTENCE * sentences / 2


def token_budget(text: str, language: str, frames_per_second: float, factor: float = 1.0) -> int:
    """Codec frames after which a generation that goes on is no longer the text.

    Args:
        text: of one request.
        language: see `expected_seconds`.
        frames_per_second: of the codec.
        factor: of the generation profile.
    """
    seconds = BUDGET * expected_seconds(text, language) + BUDGET_SECONDS
    return max(LEAST_TOKENS, min(MOST_TOKENS, math.ceil(seconds * frames_per_second * factor)))


def syllables(text: str) -> float:
    """Syllables of a text in any of the languages, by its letters.

    Runs of vowels in Latin and Cyrillic letters, blocks of Hangul, Chinese characters, and morae of Kana count one
    each; Chinese characters between Kana count two, digits two.
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_KEPT))
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    names = [unicodedata.name(sign, "") for sign in text]
    kana = sum(name.startswith(("HIRAGANA LETTER", "KATAKANA LETTER")) and "SMALL Y" not in name for name in names)
    kana += sum(sign == "\u30fc" for sign in text)
    characters = sum(name.startswith("CJK UNIFIED") for name in names)
    hangul = sum(name.startswith("HANGUL SYLLABLE") for name in names)
    numbers = len(_DIGITS.findall(text)) * _SYLLABLES_OF_A_DIGIT
    return len(_VOWELS.findall(letters)) + kana + characters * (2 if kana else 1) + hangul + numbers


_KEPT = {ord("\u0451"): "\u0435", ord("\u0439"): "\u043d"}
"""Cyrillic letters whose decomposition would be another kind of letter: yo is a vowel, short i is none."""


@functools.lru_cache(maxsize=4096)
def _english(text: str) -> tuple[int, int, int] | None:
    """Phones, inner marks and sentences of a text; None where its letters are not English."""
    try:
        sentences = read(text, default_lexicon())
    except (DatasetError, ValueError):
        return None
    words = [word for sentence in sentences for word in sentence.words]
    latin = sum(sign.isalpha() for sign in text)
    spoken = sum(len(word.text) for word in words)
    if not words or spoken < latin / 2:  # most of the letters are of another script
        return None
    return (
        sum(len(word.phones) for word in words),
        sum(word.mark in ",;:" and bool(word.mark) for word in words),
        len(sentences),
    )
