"""Rejects clips by their audio, by their speech, by their speaker, and as copies."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemill.audio import decode, fingerprints
from voicemill.audio.embedding import SpeakerModel
from voicemill.dataset import judging, recording_warnings, speakers
from voicemill.dataset.candidates import CandidateClip, RejectedClip, reject, sift
from voicemill.dataset.limits import QualityLimits

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext


def by_audio(clips: Sequence[CandidateClip], limits: QualityLimits) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Reject clips that a review edit drops, and those whose audio is unfit."""
    dropped = [
        reject(clip, "dropped_in_review", "left out by a person") for clip in clips if clip.utterance.verdict == "drop"
    ]
    clips = [clip for clip in clips if clip.utterance.verdict != "drop"]
    kept, unfit = sift(clips, [judging.of_sound(clip.cut.quality, limits) for clip in clips])
    return kept, [*dropped, *unfit]


def by_speech(
    context: PreparationContext, clips: Sequence[CandidateClip]
) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Reject clips that differ from their text, clips of another speaker, and copies.

    The speaker model compares speakers; without one, pitch and formants do.
    """
    limits, model = context.request.quality, context.speaker
    kept, misheard = sift(
        clips,
        [
            judging.of_speech(clip.aligned.words if clip.aligned else [], clip.utterance.character_errors, limits)
            for clip in clips
        ],
    )
    if isinstance(model, str):
        kept, others = sift(kept, judging.of_voices([clip.cut.voice for clip in kept], limits))
        recording_warnings.of_second_speaker(context, kept)
    else:
        kept = _compared(context, kept, model)
        kept, others = sift(kept, judging.of_speakers([clip.similarity for clip in kept], limits, model.name))

    def print_of(index: int) -> fingerprints.Fingerprint:
        return fingerprints.fingerprint(*decode.read_mono(kept[index].path))

    copies = judging.of_copies([clip.words for clip in kept], [clip.cut.sha256 for clip in kept], print_of, limits)
    kept, copied = sift(kept, copies)
    return kept, [*misheard, *others, *copied]


def _compared(context: PreparationContext, clips: Sequence[CandidateClip], model: SpeakerModel) -> list[CandidateClip]:
    tasks = [speakers.EmbedTask(clip.path, clip.cut.sha256, model, context.cache) for clip in clips]
    found = speakers.similarities(context.pool.map(speakers.embed, tasks))
    return [dataclasses.replace(clip, similarity=one) for clip, one in zip(clips, found, strict=True)]
