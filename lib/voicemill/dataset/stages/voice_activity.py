"""Stage `voice-activity`: stretches of speech in each recording."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from voicemill.audio import endpointing, level_envelope, steady_sound, vad, waveform
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform
from voicemill.dataset import stage_cache
from voicemill.dataset.recordings import DecodedRecording, DecodedRecordings

if TYPE_CHECKING:
    from voicemill.dataset.context import PreparationContext

NAME = "voice-activity"


@dataclass(frozen=True)
class SpeechTask:
    """Find the speech in a decoded recording, or take it from the cache."""

    decoded: Path
    cache: Path


class Speech(BaseModel):
    """Stretches of speech, (start, end) in seconds, and the digest of the samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    spans: tuple[tuple[float, float], ...]
    cached: bool = False


def speech_of(task: SpeechTask) -> Speech:
    """Stretches of speech in a decoded recording of any length, in bounded memory."""
    recording = FileWaveform((task.decoded,))
    digest = waveform.digest(recording)

    def compute() -> Speech:
        levels = level_envelope.LevelEnvelope.of_waveform(recording)
        gain = vad.detection_gain(levels)
        found = vad.recover_first_onset(recording, vad.detect_speech(recording, gain), gain)
        found = vad.recover_missed_onsets(recording, found, gain)
        spans = steady_sound.trim(recording, endpointing.refine(found, levels), levels)
        return Speech(digest=digest, spans=tuple((span.start, span.end) for span in spans))

    stored = stage_cache.model_entry(task.cache, "speech", __name__, packages.version("silero-vad"), digest)
    speech, cached = stage_cache.cached_model(stored, Speech, compute)
    return speech.model_copy(update={"cached": cached})


def with_speech(recording: DecodedRecording, speech: Speech) -> DecodedRecording:
    """The recording with the stretches of speech that were found in it."""
    return dataclasses.replace(recording, spans=tuple(Span(*span) for span in speech.spans), digest=speech.digest)


def run(context: PreparationContext, decoded: DecodedRecordings) -> DecodedRecordings:
    """Find the speech in every recording."""
    with context.clock.stage(NAME, len(decoded.usable), decoded.seconds):
        found = context.map(speech_of, [SpeechTask(one.path, context.cache) for one in decoded.usable])
    context.note_cached(NAME, [speech.cached for speech in found], "recordings")
    usable = tuple(with_speech(one, speech) for one, speech in zip(decoded.usable, found, strict=True))
    return dataclasses.replace(decoded, usable=usable)
