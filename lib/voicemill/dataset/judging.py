"""Judges clips by their audio, their speech and their speaker, and finds copies: those unfit for training are rejected,
with reason, figure, unit and limit.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from voicemill.audio import decode, fingerprints
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.fingerprints import Fingerprint
from voicemill.audio.quality import ClipQuality
from voicemill.audio.voice_traits import VoiceTraits
from voicemill.dataset import recording_warnings, speakers
from voicemill.dataset.candidates import CandidateClip, Fault, RejectedClip, reject
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.manifest import WordRow
from voicemill.text import normalise

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

MIN_CLIPS = 5
"""With fewer clips, the speaker of most of them cannot be determined."""


def by_audio(clips: Sequence[CandidateClip], limits: QualityLimits) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Reject clips that a review edit drops, and those whose audio is unfit."""
    dropped = [
        reject(clip, "dropped_in_review", "left out by a person") for clip in clips if clip.utterance.verdict == "drop"
    ]
    clips = [clip for clip in clips if clip.utterance.verdict != "drop"]
    kept, unfit = _sift(clips, [of_sound(clip.cut.quality, limits) for clip in clips])
    return kept, [*dropped, *unfit]


def by_speech(
    context: PreparationContext, clips: Sequence[CandidateClip]
) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Reject clips that differ from their text, clips of another speaker, and copies.

    The speaker model compares speakers; without one, pitch and formants do.
    """
    limits, model = context.request.quality, context.speaker
    kept, misheard = _sift(
        clips,
        [
            of_speech(clip.aligned.words if clip.aligned else [], clip.utterance.character_errors, limits)
            for clip in clips
        ],
    )
    if isinstance(model, str):
        kept, others = _sift(kept, of_voices([clip.cut.voice for clip in kept], limits))
        recording_warnings.of_second_speaker(context, kept)
    else:
        kept = _compared(context, kept, model)
        kept, others = _sift(kept, of_speakers([clip.similarity for clip in kept], limits, model.name))

    def print_of(index: int) -> Fingerprint:
        return fingerprints.fingerprint(*decode.read_mono(kept[index].path))

    texts = [" ".join(normalise.words(clip.utterance.normalized)) for clip in kept]
    copies = of_copies(texts, [clip.cut.sha256 for clip in kept], print_of, limits)
    kept, copied = _sift(kept, copies)
    return kept, [*misheard, *others, *copied]


def _sift(
    clips: Sequence[CandidateClip], faults: Sequence[Fault | None]
) -> tuple[list[CandidateClip], list[RejectedClip]]:
    """Clips without a fault or kept by a review edit, and the rejected ones."""
    kept, rejected = [], []
    for clip, fault in zip(clips, faults, strict=True):
        if fault is None or clip.utterance.verdict == "keep":
            kept.append(clip)
        else:
            rejected.append(reject(clip, fault.reason, fault.detail, fault))
    return kept, rejected


def _compared(context: PreparationContext, clips: Sequence[CandidateClip], model: SpeakerModel) -> list[CandidateClip]:
    tasks = [speakers.EmbedTask(clip.path, clip.cut.sha256, model, context.cache) for clip in clips]
    found = speakers.similarities(context.pool.map(speakers.embed, tasks))
    return [dataclasses.replace(clip, similarity=one) for clip, one in zip(clips, found, strict=True)]


def of_sound(figures: ClipQuality, limits: QualityLimits) -> Fault | None:
    """Judge a clip by its sound alone: `clipped`, `noisy`, `narrow_band`, `long_silence`."""
    if figures.clipped_share > limits.max_clipped_share:
        return _fault("clipped", figures.clipped_share, "share", limits.max_clipped_share, "of the samples are clipped")
    if figures.snr_db < limits.min_snr_db:
        return _fault("noisy", figures.snr_db, "dB", limits.min_snr_db, "of speech above the background")
    if figures.bandwidth_hz < limits.min_bandwidth_hz:
        return _fault("narrow_band", figures.bandwidth_hz, "Hz", limits.min_bandwidth_hz, "of bandwidth")
    silence = max(figures.leading_silence, figures.trailing_silence)
    if silence > limits.max_edge_silence:
        return _fault("long_silence", silence, "s", limits.max_edge_silence, "of silence at one end")
    return None


def of_speech(words: Sequence[WordRow], character_errors: float | None, limits: QualityLimits) -> Fault | None:
    """Judge an aligned clip by its speech: `misheard`, `speaking_rate`."""
    if character_errors is not None and character_errors > limits.max_character_errors:
        return _fault(
            "misheard", character_errors, "errors/character", limits.max_character_errors, "recognised against the text"
        )
    rate = phones_per_second(words)
    if not limits.min_phones_per_second <= rate <= limits.max_phones_per_second:
        slow = rate < limits.min_phones_per_second
        limit = limits.min_phones_per_second if slow else limits.max_phones_per_second
        return _fault("speaking_rate", rate, "phones/s", limit, "while words are spoken")
    return None


def phones_per_second(words: Sequence[WordRow]) -> float:
    """Phones over the seconds in which words are spoken; 0 without any."""
    seconds = sum(end - start for _, start, end, _ in words)
    return sum(len(phones) for _, _, _, phones in words) / seconds if seconds > 0 else 0.0


def of_voices(voices: Sequence[VoiceTraits | None], limits: QualityLimits) -> list[Fault | None]:
    """Judge the speaker of each clip by pitch and formants, without a speaker model: `other_voice`.

    The speaker is the median of all clips, so this holds as long as most of them are of one person. A clip without a
    figure is not judged.
    """
    known = [voice for voice in voices if voice is not None]
    if len(known) < MIN_CLIPS:
        return [None] * len(voices)
    pitch = float(np.median([voice.pitch_hz for voice in known]))
    formant = float(np.median([voice.formant_hz for voice in known]))

    def judge(voice: VoiceTraits | None) -> Fault | None:
        if voice is None:
            return None
        shift = 12.0 * math.log2(voice.pitch_hz / pitch)
        stretched = voice.formant_hz / formant - 1.0
        seconded = abs(stretched) > limits.max_formant_shift and shift * stretched > 0
        limit = limits.max_pitch_shift / 2 if seconded else limits.max_pitch_shift
        if abs(shift) <= limit:
            return None
        return _fault(
            "other_voice",
            shift,
            "semitones",
            limit,
            f"from the speaker's pitch ({voice.pitch_hz:.0f} Hz against {pitch:.0f}), formants {stretched:+.0%}; no "
            "speaker model was asked",
        )

    return [judge(voice) for voice in voices]


def of_speakers(similarities: Sequence[float | None], limits: QualityLimits, model: str) -> list[Fault | None]:
    """Judge the speaker of each clip by a speaker model: `other_voice`.

    Args:
        similarities: cosine of each clip's embedding to the speaker's (`speakers.similarities`); None is not judged.
        limits: `min_speaker_similarity`.
        model: its id.
    """
    if sum(one is not None for one in similarities) < MIN_CLIPS:
        return [None] * len(similarities)
    least = limits.min_speaker_similarity
    return [
        None
        if one is None or one >= least
        else _fault("other_voice", one, "cosine", least, f"to the speaker's embedding, by {model}")
        for one in similarities
    ]


def of_copies(
    texts: Sequence[str], digests: Sequence[str], print_of: Callable[[int], Fingerprint], limits: QualityLimits
) -> list[Fault | None]:
    """Judge clips by whether an earlier one of the same text is the same sound: `duplicate`.

    Args:
        texts: what each clip says, in one spelling.
        digests: of each clip's file.
        print_of: fingerprint of a clip by its index; asked only where a text comes more than once.
        limits: `max_likeness`.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        groups[text].append(index)
    faults: list[Fault | None] = [None] * len(texts)
    for members in groups.values():
        prints: dict[int, Fingerprint] = {}
        for index in members if len(members) > 1 else ():
            same = next((earlier for earlier in prints if digests[earlier] == digests[index]), None)
            own = print_of(index)
            likeness = (fingerprints.similarity(own, one) for one in prints.values())
            best = 1.0 if same is not None else max(likeness, default=0.0)
            if best > limits.max_likeness:
                faults[index] = _fault(
                    "duplicate", best, "correlation", limits.max_likeness, "with an earlier clip of the same text"
                )
            else:
                prints[index] = own
    return faults


def _fault(reason: str, figure: float, unit: str, limit: float, what: str) -> Fault:
    return Fault(reason, round(figure, 4), unit, limit, f"{figure:.4g} {unit} {what}; the limit is {limit:g}")
