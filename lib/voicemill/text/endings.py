"""The sounds of endings."""

from __future__ import annotations

Phones = tuple[str, ...]

_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))


def plural(phones: Phones) -> Phones:
    """The sound of a plural, possessive or third-person `s` after `phones`."""
    if phones[-1] in _SIBILANTS:
        return ("AH", "Z")
    return ("S",) if phones[-1] in _VOICELESS else ("Z",)
