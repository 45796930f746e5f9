"""Word and character error rate of recognised text against the text that was spoken.

Both texts are reduced to the words that the aligner and the tokenizer use (`text.normalise.words`): case and
punctuation do not count. The rate of a set is all its errors over all its words or characters, not a mean of sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.errors import NotMeasurableError
from voicemill.metrics.intervals import draws
from voicemill.metrics.metric import Estimate


@dataclass(frozen=True)
class ErrorRate:
    """Errors (substitutions, insertions, deletions) over the length of the reference; may exceed 1."""

    errors: int
    length: int

    @property
    def rate(self) -> float:
        return self.errors / self.length


def spoken_words(text: str) -> str:
    """Normalised `text` as lower-case words joined by single blanks, the form in which two texts are compared."""
    from voicemill.text import normalise

    return " ".join(normalise.words(text))


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorRate]:
    """Errors in words, sentence by sentence.

    Args:
        references: the spoken texts, one sentence each.
        hypotheses: the recognised texts, in the same order; an empty string counts as all words missed.

    Raises:
        NotMeasurableError: the lists differ in length, or a reference contains no word.
    """
    return [errors_in_words(reference, hypothesis) for reference, hypothesis in _pairs(references, hypotheses)]


def errors_in_words(reference: str, hypothesis: str) -> ErrorRate:
    """Errors of one sentence whose words are separated by blanks and compared as they are; `reference` has a word."""
    import jiwer

    return _count(jiwer.process_words(reference, hypothesis))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> list[ErrorRate]:
    """Errors in characters, sentence by sentence; the blank between two words counts as a character.

    Arguments and errors as in `word_errors`.
    """
    import jiwer

    return [
        _count(jiwer.process_characters(reference, hypothesis))
        for reference, hypothesis in _pairs(references, hypotheses)
    ]


def rate(sentences: Sequence[ErrorRate]) -> Estimate:
    """Error rate of a set of sentences, with its 95% interval (for two sentences or more)."""
    spread = interval(sentences) if len(sentences) > 1 else None
    return Estimate(pooled(sentences).rate, samples=len(sentences), interval=spread)


def excess(sentences: Sequence[ErrorRate], baseline: Sequence[ErrorRate]) -> Estimate:
    """Error rate of a set less that of another."""
    return Estimate(pooled(sentences).rate - pooled(baseline).rate, samples=len(sentences))


def pooled(sentences: Sequence[ErrorRate]) -> ErrorRate:
    """The rate of the whole set.

    Raises:
        NotMeasurableError: the set is empty.
    """
    if not sentences:
        raise NotMeasurableError("There is no sentence to measure an error rate on.")
    return ErrorRate(errors=sum(each.errors for each in sentences), length=sum(each.length for each in sentences))


def interval(sentences: Sequence[ErrorRate], *, seed: int = 0) -> tuple[float, float]:
    """95% interval of the pooled rate by bootstrap over sentences (Bisani and Ney, 2004); deterministic by seed.

    It covers only the choice of sentences, and is wide for a few of them, as it should be.

    Raises:
        NotMeasurableError: fewer than two sentences.
    """
    if len(sentences) < 2:
        raise NotMeasurableError("An interval needs at least two sentences.")
    import numpy as np

    errors = np.array([each.errors for each in sentences])
    lengths = np.array([each.length for each in sentences])
    drawn = draws(len(sentences), seed)
    rates = errors[drawn].sum(axis=1) / lengths[drawn].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def _count(found: object) -> ErrorRate:
    substitutions, insertions, deletions, hits = (
        int(getattr(found, name)) for name in ("substitutions", "insertions", "deletions", "hits")
    )
    return ErrorRate(errors=substitutions + insertions + deletions, length=hits + substitutions + deletions)


def _pairs(references: Sequence[str], hypotheses: Sequence[str]) -> list[tuple[str, str]]:
    if len(references) != len(hypotheses):
        raise NotMeasurableError(
            f"{len(references)} references and {len(hypotheses)} recognised texts: the numbers differ."
        )
    pairs = [
        (spoken_words(reference), spoken_words(hypothesis))
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    for index, (reference, _) in enumerate(pairs):
        if not reference:
            raise NotMeasurableError(f"Reference {index + 1} contains no word.")
    return pairs
