"""The choice of the vocoder that the voice ships with, by measurement, with the deciding figures in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import VocoderResult

TIE_ABSOLUTE, TIE_RELATIVE = 0.01, 0.1
"""Error rates this close to the best are a tie: a dozen sentences cannot distinguish them. The absolute tolerance is
one character in a hundred; with more, the choice could add half as many errors again to a voice that has few."""


@dataclass(frozen=True)
class VocoderChoice:
    """The chosen candidate and the reason."""

    name: str
    why: str


def choose_vocoder(candidates: Sequence[VocoderResult]) -> VocoderChoice:
    """Choose the most intelligible usable candidate; among equals the one that is nearer to the recordings.

    1. lowest character error rate, where rates within 0.01 or 10% of the best count as equal;
    2. among equals, the lowest multi-resolution STFT distance of copy synthesis, if all equals have one;
    3. else the lowest mel-cepstral distortion; else the one listed first.

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
