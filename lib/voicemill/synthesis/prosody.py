"""Values of SSML attributes: speaking rate, pitch, volume, emphasis and pauses (W3C SSML 1.1, section 3.2)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

RATES = {"x-slow": 0.5, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "default": 0.0, "high": 2.0, "x-high": 4.0}
"""Semitones."""
VOLUMES = {
    "silent": -math.inf,
    "x-soft": -12.0,
    "soft": -6.0,
    "medium": 0.0,
    "default": 0.0,
    "loud": 4.0,
    "x-loud": 8.0,
}
"""Decibels."""
STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
"""Seconds of a pause."""
LONGEST_BREAK = 10.0
"""Seconds."""
MEAN_PITCH = 150.0
"""In Hz, for pitches in Hz where the voice's own mean is not known."""
_DURATION = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(ms|s)")
_NUMBER = re.compile(r"([+-]?)(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(%|st|Hz|dB)?", re.IGNORECASE)


@dataclass(frozen=True)
class Style:
    """How a part of a text is spoken, relative to the voice as trained.

    Attributes:
        speed: 2 is twice as fast.
        semitones: pitch shift.
        decibels: gain; minus infinity is silence.
    """

    speed: float = 1.0
    semitones: float = 0.0
    decibels: float = 0.0

    def inside(self, outer: Style) -> Style:
        """This style within another."""
        return Style(
            self.speed * outer.speed, self.semitones + outer.semitones, max(self.decibels + outer.decibels, -math.inf)
        )


EMPHASES = {
    "strong": Style(0.85, 2.0, 3.0),
    "moderate": Style(0.92, 1.0, 1.5),
    "none": Style(),
    "reduced": Style(1.1, -1.0, -3.0),
}
_RANGES = {"speed": (0.25, 4.0), "semitones": (-12.0, 12.0), "decibels": (-math.inf, 12.0)}


def out_of_range(style: Style) -> str:
    """The first of `speed`, `semitones` and `decibels` that no voice can speak, or an empty string."""
    return next((name for name, (low, high) in _RANGES.items() if not low <= getattr(style, name) <= high), "")


def rate(value: str) -> float:
    """Factor of the speed: a label, `120%`, `+20%`, `-20%` or `1.2`.

    Raises:
        ValueError: another value.
    """
    if value in RATES:
        return RATES[value]
    sign, number, unit = _parse(value)
    if unit == "%":
        factor = 1 + _signed(sign, number) / 100 if sign else number / 100
    elif unit == "":
        factor = 1 + _signed(sign, number) if sign else number
    else:
        raise ValueError(value)
    if factor <= 0:
        raise ValueError(value)
    return factor


def semitones(value: str, mean: float) -> float:
    """Pitch shift in semitones: a label, `+2st`, `+10%`, `-20Hz`, or a mean pitch such as `180Hz`.

    Args:
        value: of the attribute.
        mean: the voice's mean pitch, in Hz.

    Raises:
        ValueError: another value.
    """
    if value in PITCHES:
        return PITCHES[value]
    sign, number, unit = _parse(value)
    change = _signed(sign, number)
    if unit == "st":
        return change
    if unit == "%" and sign:
        ratio = 1 + change / 100
    elif unit == "hz":
        ratio = (mean + change) / mean if sign else number / mean
    else:
        raise ValueError(value)
    if ratio <= 0:
        raise ValueError(value)
    return 12 * math.log2(ratio)


def decibels(value: str) -> float:
    """Gain: a label, `+6dB`, `-6dB`, `+20%`, or a loudness from 0, silent, to 100, as the voice is.

    Raises:
        ValueError: another value.
    """
    if value in VOLUMES:
        return VOLUMES[value]
    sign, number, unit = _parse(value)
    if unit == "db":
        return _signed(sign, number)
    if unit not in ("", "%") or (not sign and number > 100):
        raise ValueError(value)
    ratio = 1 + _signed(sign, number) / 100 if sign else number / 100
    if ratio < 0:
        raise ValueError(value)
    return 20 * math.log10(ratio) if ratio else -math.inf


def pause(time: str | None, strength: str | None) -> float:
    """Seconds of a `<break>`; its time goes before its strength, and without either it is medium.

    Raises:
        ValueError: another value, or longer than `LONGEST_BREAK`.
    """
    if time is None:
        if strength is not None and strength not in STRENGTHS:
            raise ValueError(strength)
        return STRENGTHS[strength or "medium"]
    found = _DURATION.fullmatch(time.strip())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else LONGEST_BREAK + 1
    if seconds > LONGEST_BREAK:
        raise ValueError(time)
    return seconds


def _parse(value: str) -> tuple[str, float, str]:
    found = _NUMBER.fullmatch(value.strip())
    if found is None:
        raise ValueError(value)
    return found[1], float(found[2]), (found[3] or "").lower()


def _signed(sign: str, number: float) -> float:
    return -number if sign == "-" else number
