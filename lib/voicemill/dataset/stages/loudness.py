"""Stage `loudness`: one gain that brings all recordings together to the target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.audio import loudness
from voicemill.audio.loudness import Loudness, gain_to, joint_loudness
from voicemill.dataset.description_parts import LoudnessFigures
from voicemill.dataset.recordings import DecodedRecordings, Refusal
from voicemill.dataset.request import PEAK_LIMIT_DBFS
from voicemill.errors import AudioError

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "loudness"
_AT_ONCE = 16
"""Recordings in one process of ffmpeg."""


def loudness_of(decoded: Sequence[Path]) -> list[Loudness | Refusal]:
    """Loudness of decoded recordings: of the mono signal, not of the source's channels."""
    found = loudness.measure_all(decoded)
    return [Refusal.of(one) if isinstance(one, AudioError) else one for one in found]


def run(context: PreparationContext, decoded: DecodedRecordings) -> tuple[DecodedRecordings, LoudnessFigures]:
    """Measure every recording; a silent one of several is left out.

    Raises:
        AudioError: `audio_silent`, when all of them are silent.
    """
    paths = [one.path for one in decoded.usable]
    batches = [paths[first : first + _AT_ONCE] for first in range(0, len(paths), _AT_ONCE)]
    with context.clock.stage(NAME, len(batches), decoded.seconds):
        results = [one for batch in context.map(loudness_of, batches) for one in batch]
    pairs = list(zip(decoded.usable, results, strict=True))
    good = [(one, figure) for one, figure in pairs if isinstance(figure, Loudness)]
    silent = [(one, figure) for one, figure in pairs if isinstance(figure, Refusal)]
    if not good:
        raise silent[0][1].error()
    joint = joint_loudness([figure for _, figure in good], [one.seconds for one, _ in good])
    figures = LoudnessFigures(
        integrated_lufs=round(joint.integrated_lufs, 2),
        true_peak_dbfs=round(joint.true_peak_dbfs, 2),
        gain_db=round(gain_to(joint, context.request.target_lufs, PEAK_LIMIT_DBFS), 2),
    )
    rejected = tuple(refusal.unusable(one.source, one.seconds) for one, refusal in silent)
    usable = tuple(one for one, _ in good)
    return DecodedRecordings(usable, decoded.rejected + rejected, decoded.seconds), figures
