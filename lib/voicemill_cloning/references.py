"""The reference of a voice: a few seconds of its recording, chosen among candidates and judged before a model gets it.

A clone speaks as its reference does, with its noise, its room and its mistakes; so the choice weighs how sure a
recogniser is of the words, the length, and the sound. A reference with two speakers or words that cannot be recognised
is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import soundfile
from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.align.features import SAMPLE_RATE
from voicemill.audio import decode, loudness, probing
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.vad import Span
from voicemill.audio.waveform import FileWaveform, excerpt
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import AudioError, NotMeasurableError, UsageError
from voicemill_cloning.reference_candidates import (
    LONGEST,
    SHORTEST,
    ReferenceCandidate,
    ScoringRecogniser,
    candidate_of,
    candidate_spans,
    given_part,
)

RATE = 24_000
"""Hz of a reference."""
MAX_SOURCE = 900.0
"""Seconds of the recording that a reference is looked for in."""
MIN_LOG_PROBABILITY = -1.2
"""Mean log probability of the transcript's tokens below which a reference is refused."""
MIN_SIMILARITY = 0.65
"""Cosine of the speaker embeddings of two windows below which they are two speakers. In 167 recordings of one person
each (LibriSpeech) the least similar windows of 2 s have 0.63 to 0.87 (0.66 and more in 99%), in 167 pairs of two people
0.33 to 0.64."""
_WINDOW, _HOP = 2.0, 1.0
SCORING_VERSION = 4
"""Of the rules in this module: results of other versions are computed again."""


class LoadableRecogniser(Protocol):
    """A recogniser that is loaded where it is needed; its name and language are part of a cached result."""

    @property
    def name(self) -> str: ...

    @property
    def language(self) -> str: ...

    def load(self) -> ScoringRecogniser: ...


class PreparedReference(BaseModel):
    """`best_segment.json` in the cache: the choice, and the candidates that it was made among.

    Attributes:
        source_sha256: of the recording.
        recogniser: name and language of the recogniser; empty without one.
        similarity: of the least similar windows of the reference; None where it is too short or no encoder is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate_scoring_version: int
    source_sha256: str
    recogniser: str
    chosen: ReferenceCandidate
    candidates: tuple[ReferenceCandidate, ...]
    similarity: float | None


@dataclass(frozen=True)
class ReferenceRequest:
    """How a reference is taken.

    Attributes:
        audio: the recording.
        text: its words, if they are known; then it is not recognised, and not judged by its words.
        start: of the reference in the recording; with `end` nothing is chosen.
        force: take a reference that is judged bad.
        choose: asks a person for one of the candidates; None takes the best.
    """

    audio: Path
    text: str | None = None
    start: float | None = None
    end: float | None = None
    force: bool = False
    choose: Callable[[Sequence[ReferenceCandidate]], int] | None = None

    def __post_init__(self) -> None:
        if self.text is not None and not any(map(str.isalnum, self.text)):
            raise UsageError("The text of the reference is empty.", hint="Give its words, or leave --ref-text out.")
        if (self.start is None) != (self.end is None):
            raise UsageError("--ref-start and --ref-end belong together.", hint="Give both, or neither.")
        if self.start is not None and self.end is not None:
            if self.start < 0.0:
                raise UsageError(
                    "--ref-start lies before the beginning of the recording.",
                    reason="reference_outside",
                    hint="Give a time inside the recording.",
                )
            _require_length(self.end - self.start)


@dataclass(frozen=True)
class Reference:
    """A reference that was prepared.

    Attributes:
        wav: mono PCM16 at `RATE`, at a level of -23 LUFS.
        text: its words; empty where they are not known.
    """

    wav: Path
    prepared: PreparedReference
    text: str

    @property
    def confidence(self) -> float | None:
        """Mean log probability of the transcript's tokens."""
        return self.prepared.chosen.log_probability


def prepare_reference(
    request: ReferenceRequest,
    cache: Path,
    stage_cache: Path,
    recogniser: LoadableRecogniser | None,
    encoder: SpeakerModel | None,
) -> Reference:
    """Choose, judge and write the reference of a recording, or take it from the cache.

    Args:
        request: see `ReferenceRequest`.
        cache: folder of caches.
        stage_cache: cache of the preparation.
        recogniser: of the words; None where they are not recognised.
        encoder: of speakers; None skips that judgement.

    Raises:
        UsageError: `reference_too_long`, `reference_too_short`, `reference_outside`.
        AudioError: the recording cannot be decoded, or is silent; `reference_silent`, `reference_two_speakers`,
            `reference_unclear`.
    """
    seconds = probing.inspect(request.audio).duration
    if seconds is not None and seconds > MAX_SOURCE:
        raise UsageError(
            f"{request.audio.name} has {seconds / 60:.0f} minutes; a reference is taken from at most "
            f"{MAX_SOURCE / 60:.0f}.",
            reason="reference_too_long",
            hint="Cut it first: voice-split --audio FILE --voice-name NAME",
        )
    sha256 = files.sha256_file(request.audio)
    folder = cache / "voice-clone" / "refs" / sha256[:32]
    normalised = folder / "ref_normalized.wav"
    if not normalised.is_file():
        gain = loudness.gain_to(loudness.measure(request.audio))
        decode.decode(request.audio, normalised, sample_rate=RATE, subtype="FLOAT", gain_db=gain)
    plain = request.start is None and request.text is None and request.choose is None and recogniser is not None
    prepared = _known(folder, _key(recogniser)) if plain else None
    if prepared is None:
        prepared = _choose(request, normalised, stage_cache, sha256, recogniser, encoder)
        if plain:
            files.write_text(folder / "best_segment.json", files.dump_json(prepared.model_dump(mode="json")))
    chosen = prepared.chosen
    if not request.force:
        _judge(request, prepared)
    target = folder / f"ref_segment_{chosen.start:.2f}_{chosen.end:.2f}.wav"
    with files.atomic_path(target, suffix=".wav") as temporary:
        soundfile.write(temporary, FileWaveform((normalised,)).read(chosen.start, chosen.end), RATE, subtype="PCM_16")
    return Reference(target, prepared, (request.text or chosen.transcript).strip())


def least_similarity(encoder: SpeakerModel, samples: npt.NDArray[np.float32], rate: int) -> float | None:
    """Cosine of the two least similar windows of 2 s; None where there are fewer than two windows."""
    size, hop = round(_WINDOW * rate), round(_HOP * rate)
    windows = [samples[start : start + size] for start in range(0, len(samples) - size + 1, hop)]
    if len(windows) < 2:
        return None
    try:
        vectors = np.array([encoder.embed(window, rate) for window in windows])
    except NotMeasurableError:
        return None
    return float((vectors @ vectors.T).min())


def _choose(
    request: ReferenceRequest,
    normalised: Path,
    stage_cache: Path,
    sha256: str,
    recogniser: LoadableRecogniser | None,
    encoder: SpeakerModel | None,
) -> PreparedReference:
    waveform = FileWaveform((normalised,))
    speech = [Span(*span) for span in speech_of(SpeechTask(normalised, stage_cache)).spans]
    if not speech:
        raise AudioError(
            f"There is no speech in {request.audio.name}.",
            reason="reference_silent",
            hint="Give a recording of one person who speaks for 3 to 12 seconds.",
        )
    if request.start is not None and request.end is not None:
        spans = [given_part(request.audio.name, request.start, request.end, waveform.seconds, speech)]
    else:
        spans = candidate_spans(speech, waveform.seconds)
    if not spans:
        spoken = sum(span.duration for span in speech)
        raise UsageError(
            f"{request.audio.name} has {spoken:.1f} seconds of speech; a reference needs {SHORTEST:.0f}.",
            reason="reference_too_short",
            hint="Give a longer recording.",
        )
    model = recogniser.load() if recogniser is not None and request.text is None else None
    candidates = [candidate_of(waveform, span, model) for span in spans]
    index = max(range(len(candidates)), key=lambda number: (candidates[number].score, -number))
    if request.choose is not None and len(candidates) > 1:
        index = request.choose(candidates)
    chosen = candidates[index]
    similarity = None
    if encoder is not None:
        samples = excerpt(waveform, chosen.start, chosen.end, SAMPLE_RATE)
        similarity = least_similarity(encoder, _speech_only(samples, speech, chosen), SAMPLE_RATE)
    return PreparedReference(
        candidate_scoring_version=SCORING_VERSION,
        source_sha256=sha256,
        recogniser=_key(recogniser),
        chosen=chosen,
        candidates=tuple(candidates),
        similarity=None if similarity is None else round(similarity, 4),
    )


def _speech_only(
    samples: npt.NDArray[np.float32], speech: Sequence[Span], chosen: ReferenceCandidate
) -> npt.NDArray[np.float32]:
    """The samples of the stretches of speech inside the reference."""
    inside = [
        (max(0.0, span.start - chosen.start), span.end - chosen.start)
        for span in speech
        if span.end > chosen.start and span.start < chosen.end
    ]
    parts = [samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] for start, end in inside]
    return np.concatenate(parts) if parts else samples


def _judge(request: ReferenceRequest, prepared: PreparedReference) -> None:
    """Refuse a reference that a clone would suffer from.

    Raises:
        AudioError: `reference_two_speakers`, `reference_unclear`.
    """
    chosen = prepared.chosen
    if prepared.similarity is not None and prepared.similarity < MIN_SIMILARITY:
        raise AudioError(
            f"Two people seem to speak in the reference ({chosen.start:.1f} to {chosen.end:.1f} s; least similarity of "
            f"two windows {prepared.similarity:.2f}, and one person has {MIN_SIMILARITY:.2f} or more).",
            reason="reference_two_speakers",
            hint="Choose another part with --ref-start and --ref-end, or take it nevertheless with --force-bad-ref.",
        )
    known = chosen.log_probability
    if request.text is None and known is not None and (known < MIN_LOG_PROBABILITY or not chosen.transcript):
        shown = "no words" if not chosen.transcript else f"mean log probability {known:.2f}"
        raise AudioError(
            f"The words of the reference cannot be recognised ({shown}; {MIN_LOG_PROBABILITY} is needed).",
            reason="reference_unclear",
            hint="Name its language with --ref-language if it is not English, give its words with --ref-text, choose "
            "another part, or take it nevertheless with --force-bad-ref.",
        )


def _key(recogniser: LoadableRecogniser | None) -> str:
    return f"{recogniser.name} {recogniser.language}" if recogniser is not None else ""


def _known(folder: Path, recogniser: str) -> PreparedReference | None:
    """The choice of an earlier run by the same rules and recogniser."""
    try:
        found = PreparedReference.model_validate(files.read_json(folder / "best_segment.json"))
    except (OSError, ValueError, ValidationError):
        return None
    same = found.candidate_scoring_version == SCORING_VERSION and found.recogniser == recogniser
    return found if same else None


def _require_length(seconds: float) -> None:
    if not math.isfinite(seconds) or seconds < SHORTEST:
        raise UsageError(
            f"A reference has at least {SHORTEST:.0f} seconds.",
            reason="reference_too_short",
            hint="Move --ref-start and --ref-end.",
        )
    if seconds > LONGEST:
        raise UsageError(
            f"A reference has at most {LONGEST:.0f} seconds.",
            reason="reference_too_long",
            hint="Move --ref-start and --ref-end.",
        )
