"""How well a voice keeps to the length that the person gave a sentence."""

from __future__ import annotations

from voicemill.errors import NotMeasurableError


def duration_error(reference: float, other: float) -> float:
    """Relative error of a sentence's length: |other / reference - 1|, 0 for equal lengths, 1 for twice as long.

    Unlike the ratio of two sums it does not let a sentence spoken too fast make up for one spoken too slowly. Its mean
    over sentences is the mean absolute percentage error of forecasting (as a share, not in percent).

    Args:
        reference: seconds of the recording.
        other: seconds of the synthesised sound.

    Raises:
        NotMeasurableError: the recording has no length.
    """
    if not reference > 0:
        raise NotMeasurableError("The recording has no length to compare with.")
    return abs(other / reference - 1.0)
