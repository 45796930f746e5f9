"""The choice of the vocoder that the voice ships with, by measurement, with the deciding figures in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import VocoderResult
from voicemill.metrics.inputs import JudgedSentences
from voicemill.metrics.intervals import interval_of_mean

TIE_ABSOLUTE, TIE_RELATIVE = 0.01, 0.1
"""Error rates this close to the best are a tie: a dozen sentences cannot distinguish them. The absolute tolerance is
one character in a hundred; with more, the choice could add half as many errors again to a voice that has few."""

SIMILARITY_UNIT, OPINION_UNIT, ERROR_UNIT = 0.02, 0.1, 0.02
"""Differences of speaker similarity, opinion score (DNSMOS P.808) and word error rate that a dozen sentences cannot
distinguish from chance; each weighs as much as the others."""
ONE_SENTENCE = 3.0
"""With a single sentence there is no interval: a unit of each counts as chance."""


@dataclass(frozen=True)
class VocoderChoice:
    """The chosen candidate and the reason."""

    name: str
    why: str


def choose_vocoder(
    candidates: Sequence[VocoderResult],
    judged: Mapping[str, JudgedSentences] | None = None,
    fallbacks: Set[str] = frozenset(),
) -> VocoderChoice:
    """Choose by the judges, where there is one of likeness or of quality; otherwise by intelligibility.

    Each sentence has a score: speaker similarity / 0.02 + opinion score / 0.1 - word error rate / 0.02, the units being
    the differences that a dozen sentences cannot distinguish from chance. A candidate displaces the one before it where
    the 95% interval of the difference of their scores, paired by sentence, lies above 0; fallbacks come last.

    Args:
        candidates: with their figures; the first wins where no measurement decides.
        judged: what the judges give, by the candidate's name.
        fallbacks: names of candidates that ship only where they are better than all others.

    Raises:
        NotAcceptableError: no candidate gave usable sound (`synthesis_unusable`).
    """
    usable = [each for each in candidates if each.usable]
    if not usable:
        problems = "; ".join(f"{each.name}: {each.problem}" for each in candidates) or "no vocoder was offered"
        raise NotAcceptableError(
            f"The trained voice gave no usable sound ({problems}).",
            reason="synthesis_unusable",
            hint="Train longer or with another preset, and look at the loss curve in the report.",
        )
    if len(usable) == 1:
        return VocoderChoice(usable[0].name, f"{usable[0].name} is the only usable vocoder.")
    scores = _scores(usable, judged or {})
    return _by_intelligibility(usable) if scores is None else _by_judges(usable, scores, fallbacks)


def _scores(
    usable: Sequence[VocoderResult], judged: Mapping[str, JudgedSentences]
) -> dict[str, NDArray[np.float64]] | None:
    """Score of each sentence by the candidate's name, from the terms that all candidates have; None without one."""
    if any(each.name not in judged for each in usable):
        return None
    sets = [judged[each.name] for each in usable]
    terms: list[list[NDArray[np.float64]]] = []
    if not any(isinstance(each.likeness, str) for each in sets):
        terms.append([np.array([one.own for one in each.likeness if not isinstance(one, str)]) for each in sets])
        terms[-1] = [values / SIMILARITY_UNIT for values in terms[-1]]
    if not any(isinstance(each.opinions, str) for each in sets):
        terms.append([np.array([one.p808 for one in each.opinions if not isinstance(one, str)]) for each in sets])
        terms[-1] = [values / OPINION_UNIT for values in terms[-1]]
    if not terms:
        return None
    rates = [_error_rates(each, of) for each, of in zip(usable, sets, strict=True)]
    if all(rate is not None for rate in rates):
        terms.append([-rate / ERROR_UNIT for rate in rates if rate is not None])
    return {each.name: np.asarray(sum(term[index] for term in terms)) for index, each in enumerate(usable)}


def _error_rates(result: VocoderResult, judged: JudgedSentences) -> NDArray[np.float64] | None:
    """Each sentence's part of the word error rate by Whisper; where it is missing, the character error rate."""
    if isinstance(judged.words, str):
        rate = _value(result, "cer")
        return None if rate is None else np.array(rate)
    errors = np.array([each.errors for each in judged.words if not isinstance(each, str)], dtype=np.float64)
    length = np.mean([each.length for each in judged.words if not isinstance(each, str)])
    return np.asarray(errors / length)


def _by_judges(
    usable: Sequence[VocoderResult], scores: Mapping[str, NDArray[np.float64]], fallbacks: Set[str]
) -> VocoderChoice:
    ordered = sorted(usable, key=lambda each: each.name in fallbacks)
    chosen, why = ordered[0], ""
    for challenger in ordered[1:]:
        difference = np.atleast_1d(scores[challenger.name] - scores[chosen.name])
        spread = interval_of_mean(difference.tolist())
        low, high = spread or (float(difference[0]) - ONE_SENTENCE, float(difference[0]) + ONE_SENTENCE)
        better = low > 0
        verb = "is better than" if better else "is not better than" if high > 0 else "is worse than"
        why += (
            f" {challenger.name} {verb} {chosen.name}: score {float(difference.mean()):+.1f} "
            f"(95 % interval {low:+.1f} to {high:+.1f})."
        )
        chosen = challenger if better else chosen
    listed = "; ".join(f"{each.name} {_shown(each)}" for each in usable)
    return VocoderChoice(chosen.name, f"{chosen.name}, by likeness, quality and errors ({listed}).{why}")


def _shown(result: VocoderResult) -> str:
    names = (("speaker_similarity", "similarity"), ("dnsmos_p808", "opinion score"), ("wer_whisper", "word error rate"))
    values = [(words, _value(result, name)) for name, words in names]
    return ", ".join(f"{words} {value:.3f}" for words, value in values if value is not None)


def _by_intelligibility(usable: Sequence[VocoderResult]) -> VocoderChoice:
    """The most intelligible candidate; among equals the one that is nearer to the recordings.

    1. lowest character error rate, where rates within 0.01 or 10% of the best count as equal;
    2. among equals, the lowest multi-resolution STFT distance of copy synthesis, if all equals have one;
    3. else the lowest mel-cepstral distortion; else the one listed first.
    """
    rates = {each.name: _value(each, "cer") for each in usable}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    if not known:
        return _nearest(usable, "No error rate was measured")
    best = min(known.values())
    limit = best + max(TIE_ABSOLUTE, TIE_RELATIVE * best)
    equal = [each for each in usable if known.get(each.name, limit + 1.0) <= limit]
    listed = ", ".join(f"{name} {rate:.3f}" for name, rate in known.items())
    if len(equal) == 1:
        return VocoderChoice(equal[0].name, f"{equal[0].name} is understood best (character error rate: {listed}).")
    return _nearest(equal, f"The character error rates cannot be told apart ({listed})")


def _nearest(equal: Sequence[VocoderResult], because: str) -> VocoderChoice:
    for figure, words in (
        ("copy_stft", "copy synthesis is nearest to the recordings (multi-resolution STFT distance"),
        ("mcd", "sound is nearest to the recordings (mel-cepstral distortion in dB"),
    ):
        values = {each.name: _value(each, figure) for each in equal}
        known = {name: value for name, value in values.items() if value is not None}
        if len(known) == len(equal):
            name = min(known, key=lambda key: known[key])
            listed = ", ".join(f"{key} {value:.3f}" for key, value in known.items())
            return VocoderChoice(name, f"{because}, and {name}'s {words}: {listed}).")
    first = equal[0].name
    return VocoderChoice(first, f"{because}, and no distance was measured for all of them: {first} is listed first.")


def _value(result: VocoderResult, name: str) -> float | None:
    figure = result.figures.get(name)
    return figure.value if figure else None
