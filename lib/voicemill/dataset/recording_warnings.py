"""Warnings about recordings that do not suit a voice: a telephone's, and those of a second speaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voicemill.dataset import speaker_groups
from voicemill.dataset.candidates import CandidateClip
from voicemill.protocol import first_of

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

TELEPHONE_HZ = 4500.0
"""Bandwidth up to which a clip counts as a telephone's: telephones end at 3400 Hz, files of 8 kHz at 4000."""
TELEPHONE_SHARE = 0.1
"""Share of the seconds in such clips from which there is a warning."""


def of_telephone(context: PreparationContext, clips: Sequence[CandidateClip]) -> None:
    """Name the clips with a telephone's bandwidth, and the sample rate of their files if that is the reason."""
    narrow = [clip for clip in clips if clip.cut.quality.bandwidth_hz <= TELEPHONE_HZ]
    seconds = sum(clip.cut.seconds for clip in narrow)
    if not narrow or seconds < TELEPHONE_SHARE * sum(clip.cut.seconds for clip in clips):
        return
    rates = sorted({clip.utterance.recording.source_rate for clip in narrow} - {0})
    bandwidth = float(np.median([clip.cut.quality.bandwidth_hz for clip in narrow]))
    why = f" (sample rate {rates[0]} Hz)" if len(rates) == 1 and rates[0] <= 2 * TELEPHONE_HZ else ""
    context.observer.note(
        f"WARNING: the sound of {len(narrow)} of {len(clips)} clips ends near {bandwidth:.0f} Hz{why}, as on a "
        "telephone; a voice that is trained on them sounds like a telephone. Use recordings of 22050 Hz or more"
    )


def of_second_speaker(context: PreparationContext, clips: Sequence[CandidateClip]) -> None:
    """Warn if the clips fall into two groups that differ as two speakers do."""
    tasks = [speaker_groups.SumsTask(clip.path, clip.cut.sha256, context.cache) for clip in clips]
    found = speaker_groups.find(context.pool.map(speaker_groups.sums_of, tasks))
    if found is None:
        return
    names = [f"{clips[index].id} ({clips[index].utterance.recording.source.name})" for index in found.smaller]
    context.observer.note(
        f"WARNING: {len(names)} of {len(clips)} clips differ from the others as a second speaker does (distance "
        f"{found.distance:.2f}; one speaker in one room: up to 0.15): {first_of(names)}. Another room, "
        "microphone or noise differs so, too: listen to them, and leave out another person's clips"
    )
