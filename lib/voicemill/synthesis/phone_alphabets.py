"""Pronunciations written in ARPABET or in the International Phonetic Alphabet, as the voice's phones.

IPA maps to the 39 phones of General American; sounds that it lacks take the nearest phone.
"""

from __future__ import annotations

import unicodedata

from voicemill.text.lexicon import PHONES, Phones

ALPHABETS = ("arpabet", "x-arpabet", "cmu", "ipa")
"""Values of the attribute `alphabet`; without it the alphabet is IPA (W3C SSML 1.1, section 3.1.10)."""
_IGNORED = frozenset("ˈˌ':ːˑ.|‿-ʰʲʷˠ˞")
"""Stress, length, syllables and secondary articulation."""
_IPA: dict[str, Phones] = {
    # Diphthongs and affricates before the sounds that they begin with: the longest match counts.
    **dict.fromkeys(("aɪ", "ai", "aj", "ɑɪ"), ("AY",)),
    **dict.fromkeys(("aʊ", "au", "aw", "æʊ"), ("AW",)),
    **dict.fromkeys(("eɪ", "ei", "ej", "ɛɪ"), ("EY",)),
    **dict.fromkeys(("oʊ", "ou", "əʊ", "ow", "o"), ("OW",)),
    **dict.fromkeys(("ɔɪ", "ɔi", "oɪ", "ɔj"), ("OY",)),
    **dict.fromkeys(("ɪə",), ("IH", "R")),
    **dict.fromkeys(("eə", "ɛə"), ("EH", "R")),
    **dict.fromkeys(("ʊə",), ("UH", "R")),
    **dict.fromkeys(("ɝ", "ɚ", "ɜ", "ɜr", "ɜɹ", "ər", "əɹ"), ("ER",)),
    **dict.fromkeys(("tʃ", "ʧ"), ("CH",)),
    **dict.fromkeys(("dʒ", "ʤ"), ("JH",)),
    **dict.fromkeys(("ɑ", "ɒ", "a"), ("AA",)),
    **dict.fromkeys(("ə", "ʌ", "ɐ", "ɘ", "ɤ"), ("AH",)),
    **dict.fromkeys(("ɛ", "e", "œ", "ø"), ("EH",)),
    **dict.fromkeys(("ɪ", "ɨ"), ("IH",)),
    **dict.fromkeys(("i", "y"), ("IY",)),
    **dict.fromkeys(("u", "ʉ", "ɯ"), ("UW",)),
    **dict.fromkeys(("ɡ", "g", "ɣ"), ("G",)),
    **dict.fromkeys(("ɹ", "r", "ɻ", "ʁ", "ʀ"), ("R",)),
    **dict.fromkeys(("l", "ɫ", "ʎ"), ("L",)),
    **dict.fromkeys(("h", "ɦ"), ("HH",)),
    **dict.fromkeys(("t", "ʔ"), ("T",)),
    **dict.fromkeys(("d", "ɾ"), ("D",)),
    **dict.fromkeys(("k", "x", "q"), ("K",)),
    **dict.fromkeys(("b", "β"), ("B",)),
    **dict.fromkeys(("n", "ɲ"), ("N",)),
    **dict.fromkeys(("w", "ʋ"), ("W",)),
    **dict.fromkeys(("ʃ", "ç", "ɕ"), ("SH",)),
    **dict.fromkeys(("ʒ", "ʑ"), ("ZH",)),
    "ʍ": ("HH", "W"),
    "æ": ("AE",),
    "ɔ": ("AO",),
    "ʊ": ("UH",),
    "ð": ("DH",),
    "θ": ("TH",),
    "ŋ": ("NG",),
    "j": ("Y",),
    "f": ("F",),
    "m": ("M",),
    "p": ("P",),
    "s": ("S",),
    "v": ("V",),
    "z": ("Z",),
}
_LONGEST = max(map(len, _IPA))
_SYLLABIC = "\u0329"


def phones_of_words(pronunciation: str, alphabet: str) -> list[Phones]:
    """The phones of each word of a pronunciation, words apart by spaces in IPA and by `|` or `,` in ARPABET.

    Args:
        pronunciation: the attribute `ph`.
        alphabet: one of `ALPHABETS`.

    Raises:
        ValueError: a symbol is not one of the alphabet, which the error names, or there is none.
    """
    if alphabet == "ipa":
        words = [_from_ipa(word) for word in unicodedata.normalize("NFC", pronunciation).strip("/[] ").split()]
    else:
        words = [_from_arpabet(word) for word in pronunciation.replace(",", "|").split("|")]
    if not any(words):
        raise ValueError(pronunciation)
    return [word for word in words if word]


def _from_arpabet(word: str) -> Phones:
    phones = tuple(symbol.upper().rstrip("012") for symbol in word.replace(".", " ").replace("-", " ").split())
    for phone in phones:
        if phone not in PHONES:
            raise ValueError(phone)
    return phones


def _from_ipa(word: str) -> Phones:
    symbols = "".join(_plain(symbol) for symbol in word if symbol not in _IGNORED)
    phones: list[str] = []
    position = 0
    while position < len(symbols):
        if symbols[position] == _SYLLABIC:
            phones.insert(max(0, len(phones) - 1), "AH")
            position += 1
            continue
        for size in range(_LONGEST, 0, -1):
            found = _IPA.get(symbols[position : position + size])
            if found is not None:
                phones += found
                position += size
                break
        else:
            raise ValueError(symbols[position])
    return tuple(phones)


def _plain(symbol: str) -> str:
    """A symbol without diacritics, among them ties; the mark of a syllabic consonant stays."""
    if symbol in _IPA or symbol == _SYLLABIC:
        return symbol
    return "".join(each for each in unicodedata.normalize("NFD", symbol) if not unicodedata.combining(each))
