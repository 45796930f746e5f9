"""A warning about recordings whose sound ends where a telephone's does: the voice would sound like a telephone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voicemill.dataset.candidates import CandidateClip

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

LIMIT_HZ = 4500.0
"""Bandwidth up to which a clip counts as a telephone's: telephones end at 3400 Hz, files of 8 kHz at 4000."""
MIN_SHARE = 0.1
"""Share of the seconds in such clips from which there is a warning."""


def warn(context: PreparationContext, clips: Sequence[CandidateClip]) -> None:
    """Name the clips with a telephone's bandwidth, and the sample rate of their files if that is the reason."""
    narrow = [clip for clip in clips if clip.cut.quality.bandwidth_hz <= LIMIT_HZ]
    seconds = sum(clip.cut.seconds for clip in narrow)
    if not narrow or seconds < MIN_SHARE * sum(clip.cut.seconds for clip in clips):
        return
    rates = sorted({clip.utterance.recording.source_rate for clip in narrow} - {0})
    bandwidth = float(np.median([clip.cut.quality.bandwidth_hz for clip in narrow]))
    why = f" (sample rate {rates[0]} Hz)" if len(rates) == 1 and rates[0] <= 2 * LIMIT_HZ else ""
    context.observer.note(
        f"WARNING: the sound of {len(narrow)} of {len(clips)} clips ends near {bandwidth:.0f} Hz{why}, as on a "
        "telephone; a voice that is trained on them sounds like a telephone. Use recordings of 22050 Hz or more"
    )
