"""Whether a text is English, by its words: a text in another language is refused before anything is recognised."""

from __future__ import annotations

from collections.abc import Iterable

from voicemill.errors import DatasetError
from voicemill.text.frontend.units import word_list
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words

MIN_WORDS = 20
"""A shorter text is not judged."""
MIN_LISTED = 0.8
"""Share of the words in the dictionary below which a text may be another language: five English corpora have 0.98 and
more, five other languages 0.37 to 0.74."""
MIN_FUNCTION_WORDS = 0.1
"""Share of English function words from which a text with many names is English all the same: 0.38 and more in the
corpora, up to 0.07 in other languages."""
FUNCTION_WORDS = frozenset(
    word_list(
        "the of and to a in that is was he it his for with as i on be at by had not are but from or have an they which "
        "you were her she this there been their we him has when who will more no if out so said what up its about than "
        "them can only would do my me your our how now then"
    )
)


def require_english(texts: Iterable[str], lexicon: Lexicon) -> None:
    """Refuse a text that is probably not English.

    Args:
        texts: sentences as they are written.
        lexicon: pronunciations of English words.

    Raises:
        DatasetError: `text_not_english`.
    """
    found = [word for text in texts for word in words(text)]
    if len(found) < MIN_WORDS:
        return
    listed = sum(word in lexicon for word in found) / len(found)
    function = sum(word in FUNCTION_WORDS for word in found) / len(found)
    if listed >= MIN_LISTED or function >= MIN_FUNCTION_WORDS:
        return
    unlisted = [word for word in dict.fromkeys(found) if word not in lexicon]
    raise DatasetError(
        f"The text is probably not English: {1 - listed:.0%} of its {len(found)} words are in no English dictionary, "
        f"for instance {', '.join(unlisted[:4])}.",
        reason="text_not_english",
        hint="Voices are English; give recordings and text in English, or the pronunciations of names with --lexicon.",
    )
