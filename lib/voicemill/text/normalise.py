"""Text normalisation: written English to its spoken form, and the spoken form to words."""

from __future__ import annotations

import re

from voicemill.errors import DatasetError
from voicemill.text.frontend.chunks import split
from voicemill.text.frontend.reading import foreign_letters, read
from voicemill.text.frontend.spoken_words import ReadSentence
from voicemill.text.lexicon import default_lexicon

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def normalise(text: str) -> str:
    """The spoken form of an English text on one line: letters, spaces and `, . ? ! ; : '`.

    Args:
        text: as written; see `voicemill.text.frontend` for what is read how.

    Raises:
        DatasetError: `text_not_english`, letters that English spelling cannot express.
        DependencyError: the pronunciation dictionary is not installed.
    """
    return " ".join(sentence.normalised for sentence in _sentences(text))


def chunks(text: str) -> list[str]:
    """The spoken form in parts for one pass of the acoustic model each: sentences, and parts of long ones.

    Raises:
        DatasetError, DependencyError: as `normalise`.
    """
    return [
        " ".join((word.written or word.text) + word.mark for word in part)
        for sentence in _sentences(text)
        for part in split(sentence.words)
    ]


def _sentences(text: str) -> list[ReadSentence]:
    foreign = foreign_letters(text)
    if foreign:
        raise DatasetError(
            f"The text {text.strip()[:60]!r} contains {' '.join(foreign[:8])}, which English spelling cannot express.",
            reason="text_not_english",
            hint="Write it as an English reader would say it.",
        )
    return read(text, default_lexicon())


def words(text: str) -> list[str]:
    """Lower-case words of a normalised text, exactly as NeMo's English tokenizer looks them up and as the aligner
    receives them.
    """
    return _WORD.findall(text.lower())
