"""Options of synthesis: speed, pitch, pauses and loudness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from voicemill.errors import UsageError
from voicemill.synthesis.prosody import LONGEST_BREAK


@dataclass(frozen=True)
class SynthesisOptions:
    """Options of synthesis."""

    SPEEDS: ClassVar[tuple[float, float]] = (0.5, 2.0)

    # The acoustic model.
    speed: float = 1.0
    """1 as trained, 2 twice as fast; within `SPEEDS`."""
    semitones: float = 0.0
    """Pitch shift, -12 to 12. The voice's mean pitch moves by this ratio, and every frame by the same number of Hz,
    which is what FastPitch supports; beyond a few semitones the voice no longer sounds like the person."""

    # Pauses, in seconds, 0 to 10.
    sentence_pause: float = 0.3
    paragraph_pause: float = 0.7

    # The file.
    loudness_lufs: float | None = -23.0
    """Integrated loudness (EBU R 128); None keeps the level of the vocoder."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("speed", *self.SPEEDS),
            ("semitones", -12.0, 12.0),
            ("sentence_pause", 0.0, LONGEST_BREAK),
            ("paragraph_pause", 0.0, LONGEST_BREAK),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} must lie between {low:g} and {high:g}.")
