"""The verdict on a take: level, clipping, noise, its edges, and whether the words of its sentence are spoken.

The words are judged by the models that check a dataset (`align.text_check`): Whisper and PocketSphinx's acoustic model.
Without Whisper, PocketSphinx alone finds a take of another text, but few single wrong words.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.align import second_recogniser
from voicemill.align.features import SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner, Alignment, spoken_reading
from voicemill.align.second_recogniser import SecondRecogniser
from voicemill.align.text_check import WrongWords, wrong_words
from voicemill.audio import quality
from voicemill.audio.decode import resample
from voicemill.audio.level_envelope import FLOOR_DB, frame_levels
from voicemill.audio.quality import ClipQuality
from voicemill.audio.vad import speech_spans
from voicemill.dataset.models import find_second_recogniser
from voicemill.errors import AudioError, DatasetError
from voicemill.text import normalise
from voicemill.text.frontend import SpokenWord
from voicemill.text.lexicon import Lexicon, default_lexicon
from voicemill.text.readings import reading_of
from voicemill.weights.registry import WeightsRegistry

Samples = npt.NDArray[np.float32]

LONGEST_SECONDS = 40.0
LOWEST_RATE = 16_000
"""Hz; a recorder below this loses consonants."""


@dataclass(frozen=True)
class TakeLimits:
    """Limits of a take; a take beyond one is to be recorded again.

    Attributes:
        quietest_dbfs: level of the speech.
        max_clipped_share: of the samples.
        min_snr_db: of the speech above the noise of the room.
        max_phones_per_second: while words are spoken; slower people and faster ones both stay below.
        min_phones_per_second: likewise.
        longest_pause: seconds between two words; at a comma or full stop half as much again.
        edge_seconds: silence that a take needs before its first and after its last word.
        edge_db: level at the edge, below that of the speech, from which on the edge counts as silent.
    """

    quietest_dbfs: float = -42.0
    max_clipped_share: float = 0.0005
    min_snr_db: float = 20.0
    max_phones_per_second: float = 20.0
    min_phones_per_second: float = 5.0
    longest_pause: float = 0.8
    edge_seconds: float = 0.02
    edge_db: float = 12.0


@dataclass(frozen=True)
class TakeFault:
    """Why a take is to be recorded again.

    Attributes:
        reason: stable, one of `REASONS`.
        sentence: for the speaker, one plain sentence.
        first: index of the first word of the text that it is about; None if it is about the whole take.
        last: index after the last one.
    """

    reason: str
    sentence: str
    first: int | None = None
    last: int | None = None


REASONS = (
    "no_speech",
    "too_quiet",
    "clipped",
    "noisy",
    "cut_start",
    "cut_end",
    "other_text",
    "wrong_word",
    "missing_word",
    "added_word",
    "too_fast",
    "too_slow",
    "long_pause",
)


@dataclass(frozen=True)
class TakeWord:
    """A word of the sentence as it is spoken; times in seconds from the start of the take."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class TakeVerdict:
    """What was measured on a take.

    Attributes:
        good: without faults.
        faults: in the order of `REASONS`.
        seconds: length of the take.
        level_dbfs: of the speech.
        peak_dbfs: highest sample.
        snr_db: of the speech above the noise.
        words: times of the words; none where they could not be aligned.
        recogniser: id of the model that checked the words beside PocketSphinx; empty where there is none.
    """

    good: bool
    faults: tuple[TakeFault, ...]
    seconds: float
    level_dbfs: float
    peak_dbfs: float
    snr_db: float
    words: tuple[TakeWord, ...]
    recogniser: str

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_take(data: bytes) -> tuple[Samples, int]:
    """The samples (n,) of a WAV or FLAC file from a recorder, channels averaged, and its rate (Hz).

    Raises:
        AudioError: `audio_unreadable`, `audio_too_small` (below 0.2 s), `audio_too_long`, `audio_not_finite`,
            `sample_rate_too_low`.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as source:
            rate, frames, kind = int(source.samplerate), int(source.frames), source.format
            if kind not in ("WAV", "WAVEX", "FLAC"):
                raise AudioError(f"A take is a WAV or FLAC file, not {kind}.", reason="audio_unreadable")
            if rate < LOWEST_RATE:
                raise AudioError(
                    f"The recorder gives {rate} samples a second; at least {LOWEST_RATE} are needed.",
                    reason="sample_rate_too_low",
                    hint="Choose another microphone, or a wired headset in place of a wireless one.",
                )
            if frames > LONGEST_SECONDS * rate:
                raise AudioError(f"A take has at most {LONGEST_SECONDS:.0f} seconds.", reason="audio_too_long")
            samples = source.read(dtype="float32", always_2d=True).mean(axis=1, dtype=np.float32)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise AudioError("This is no WAV or FLAC file.", reason="audio_unreadable") from error
    if len(samples) < 0.2 * rate:
        raise AudioError(
            "The take is shorter than 0.2 seconds.", reason="audio_too_small", hint="Press stop after the sentence."
        )
    if not np.isfinite(samples).all():
        raise AudioError("The take has samples that are no numbers.", reason="audio_not_finite")
    return samples, rate


class TakeJudge:
    """Judges takes; one per process, because its models are large. Takes are judged one after another."""

    def __init__(
        self, recogniser: SecondRecogniser | None, lexicon: Lexicon | None = None, limits: TakeLimits | None = None
    ) -> None:
        """
        Args:
            recogniser: Whisper; None judges the words by PocketSphinx alone.
            lexicon: pronunciations; the CMU dictionary by default.
            limits: of a take.
        """
        self._recogniser = recogniser
        self._lexicon = lexicon or default_lexicon()
        self._aligner = Aligner(self._lexicon)
        self._limits = limits or TakeLimits()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, registry: WeightsRegistry) -> TakeJudge:
        """A judge with Whisper, where it is installed and on the allowlist."""
        model = find_second_recogniser(registry)
        return cls(None if model is None else second_recogniser.load(model))

    def judge(self, samples: Samples, rate: int, text: str) -> TakeVerdict:
        """The verdict on one take.

        Args:
            samples: (n,) mono float, full scale 1.0.
            rate: Hz.
            text: the sentence, as written.

        Raises:
            DatasetError: `text_not_english`.
        """
        with self._lock:
            return self._judge(samples, rate, text)

    def _judge(self, samples: Samples, rate: int, text: str) -> TakeVerdict:
        measured = quality.measure(samples, rate)
        at_16k = resample(samples, rate, SAMPLE_RATE)
        faults = _of_sound(measured, bool(speech_spans(at_16k)), self._limits)
        words: tuple[TakeWord, ...] = ()
        if not faults or faults[0].reason != "no_speech":
            found, words = self._of_words(at_16k, text, measured)
            faults += found
        faults.sort(key=lambda fault: (REASONS.index(fault.reason), fault.first or 0))
        return TakeVerdict(
            good=not faults,
            faults=tuple(faults),
            seconds=round(len(samples) / rate, 3),
            level_dbfs=round(measured.loudness_dbfs, 1),
            peak_dbfs=round(measured.peak_dbfs, 1),
            snr_db=round(measured.snr_db, 1),
            words=words,
            recogniser="" if self._recogniser is None else second_recogniser.WEIGHTS_ID,
        )

    def _of_words(
        self, samples: Samples, text: str, measured: ClipQuality
    ) -> tuple[list[TakeFault], tuple[TakeWord, ...]]:
        reading = reading_of(text, normalise.normalise(text), self._lexicon)
        reading = spoken_reading(self._aligner, samples, reading)
        try:
            aligned = self._aligner.align(samples, reading.normalised, reading.phones)
        except DatasetError:
            return [TakeFault("other_text", "The take is too short for its sentence.")], ()
        timed = tuple(TakeWord(word.text, round(word.start, 3), round(word.end, 3)) for word in aligned.words)
        broken = aligned.broken_rule
        wrong: list[WrongWords] = []
        if self._recogniser is not None:
            (found,) = wrong_words(self._recogniser, self._aligner, self._lexicon, [(samples, reading.words)])
            wrong = [one for one in found if one.certain]
        faults = _of_text(reading.words, wrong)
        rushed = self._recogniser is not None and _phones_per_second(aligned) > self._limits.max_phones_per_second
        if broken is not None and not faults and not rushed:
            faults = [TakeFault("other_text", "The words of the sentence are not what is spoken.")]
        if not any(fault.reason in ("other_text", "missing_word") for fault in faults):
            faults += _of_edges(samples, aligned, measured, self._limits)
            faults += _of_pace(aligned, reading.words, self._limits)
        return faults, timed


def _of_sound(measured: ClipQuality, speech: bool, limits: TakeLimits) -> list[TakeFault]:
    if not speech:
        return [TakeFault("no_speech", "There is no speech in this take; check that the right microphone is chosen.")]
    faults = []
    if measured.loudness_dbfs < limits.quietest_dbfs:
        faults.append(TakeFault("too_quiet", "The take is too quiet; go nearer to the microphone or raise its level."))
    if measured.clipped_share > limits.max_clipped_share:
        faults.append(TakeFault("clipped", "The take is too loud and clips; lower the microphone's level."))
    if measured.snr_db < limits.min_snr_db:
        sentence = (
            f"The room is too noisy: the speech is {measured.snr_db:.0f} dB above the noise, "
            f"and {limits.min_snr_db:.0f} dB are needed."
        )
        faults.append(TakeFault("noisy", sentence))
    return faults


def _of_text(words: Sequence[SpokenWord], wrong: Sequence[WrongWords]) -> list[TakeFault]:
    faults = []
    for one in wrong:
        expected = " ".join(word.written or word.text for word in words[one.first : one.last])
        spoken = " ".join(one.recognised)
        if not spoken:
            faults.append(TakeFault("missing_word", f"“{expected}” is missing.", one.first, one.last))
        elif not expected:
            where = f" before “{words[one.first].text}”" if one.first < len(words) else " at the end"
            faults.append(TakeFault("added_word", f"“{spoken}” was added{where}.", one.first, one.last))
        else:
            sentence = f"“{spoken}” is spoken in place of “{expected}”."
            faults.append(TakeFault("wrong_word", sentence, one.first, one.last))
    changed = sum(max(one.last - one.first, len(one.recognised)) for one in wrong)
    if len(words) > 2 and changed > len(words) / 2:
        return [TakeFault("other_text", "The words of the sentence are not what is spoken.")]
    return faults


def _of_edges(samples: Samples, aligned: Alignment, measured: ClipQuality, limits: TakeLimits) -> list[TakeFault]:
    edge = round(limits.edge_seconds * SAMPLE_RATE)
    first, last = (
        float(frame_levels(part, SAMPLE_RATE, 0.01).max(initial=FLOOR_DB)) for part in (samples[:edge], samples[-edge:])
    )
    loud = measured.loudness_dbfs - limits.edge_db
    faults = []
    if aligned.words[0].start < limits.edge_seconds and first > loud:
        faults.append(TakeFault("cut_start", "The first word is cut off; wait a moment before you speak.", 0, 1))
    if len(samples) / SAMPLE_RATE - aligned.words[-1].end < limits.edge_seconds and last > loud:
        count = len(aligned.words)
        faults.append(
            TakeFault("cut_end", "The last word is cut off; wait a moment before you stop.", count - 1, count)
        )
    return faults


def _of_pace(aligned: Alignment, words: Sequence[SpokenWord], limits: TakeLimits) -> list[TakeFault]:
    pace = _phones_per_second(aligned)
    faults = []
    if pace > limits.max_phones_per_second:
        faults.append(TakeFault("too_fast", "The sentence is spoken too fast; read it calmly."))
    if pace < limits.min_phones_per_second:
        faults.append(TakeFault("too_slow", "The sentence is spoken too slowly; read it as you would talk."))
    for index, (one, two) in enumerate(zip(aligned.words, aligned.words[1:], strict=False)):
        longest = limits.longest_pause * (1.5 if words[index].mark else 1.0)
        if two.start - one.end > longest:
            sentence = f"There is a pause of {two.start - one.end:.1f} seconds after “{one.text}”."
            faults.append(TakeFault("long_pause", sentence, index, index + 2))
    return faults


def _phones_per_second(aligned: Alignment) -> float:
    """Phones over the seconds in which words are spoken."""
    phones = sum(len(word.phones) for word in aligned.words)
    return phones / max(sum(word.end - word.start for word in aligned.words), 0.05)
