"""Language models of a script or of a window of it, as files that PocketSphinx reads."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill.text.lexicon import Lexicon


@dataclass(frozen=True)
class LanguageModel:
    """The language model of a script or of a window of it: two files, and the words in one string."""

    model: Path
    dictionary: Path
    text: str


def write_language_model(path: Path, sentences: Sequence[Sequence[str]]) -> None:
    """Write a trigram model of a script in ARPA format, trained on each sentence and on the whole script as one line.

    The line with the whole script lets a span begin in the middle of a sentence or run on into the next one.
    """
    from pocketsphinx.lm import ArpaBoLM

    model = ArpaBoLM()
    # counted here: the time of PocketSphinx's own reader grows with the square of a line's length
    for words in (*filter(None, sentences), [word for sentence in sentences for word in sentence]):
        line = ["<s>", *words, "</s>"]
        for word in line:
            model.grams_1[word] += 1
        for one, two in itertools.pairwise(line):
            model.grams_2[one][two] += 1
        for one, two, three in zip(line, line[1:], line[2:], strict=False):
            model.grams_3[one][two][three] += 1
    model.compute()
    model.write_file(str(path))


def write_models(stem: Path, sentences: Sequence[Sequence[str]], lexicon: Lexicon) -> LanguageModel:
    """Write the files `stem`.lm and `stem`.dict."""
    words = [word for sentence in sentences for word in sentence]
    written = LanguageModel(stem.with_suffix(".lm"), stem.with_suffix(".dict"), joined(words))
    write_language_model(written.model, sentences)
    lexicon.subset(written.dictionary, words)
    return written


def joined(words: Iterable[str]) -> str:
    """Words separated and surrounded by spaces, so that `in` compares whole words."""
    return f" {' '.join(words)} "
