"""Voice activity detection with Silero's model, run by onnxruntime without torch.

The package `silero_vad` imports torch (2 s, 200 MB), although its sequence model needs only onnxruntime. The model file
is therefore taken from the installed package and run here. The hysteresis from probabilities to spans is Silero's
default (`get_speech_timestamps_from_probs`); a test compares the two sample for sample.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode, onnx
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.waveform import Samples, Waveform, excerpt

SAMPLE_RATE = 16_000
"""Sample rate (Hz) of the sequence model."""
FRAME = 512
"""Samples per probability: 32 ms."""
CONTEXT = 64
"""Samples of the previous frame that the model gets again."""
BLOCK = 512
"""Frames per model call (16.4 s), which bounds the memory at no cost in speed."""

_ENTER, _LEAVE = 0.5, 0.35
_MIN_SPEECH = 4_000  # samples, 250 ms: shorter bursts are clicks and breath
_MIN_SILENCE = 1_600  # samples, 100 ms: shorter dips are stop consonants
_PAD = 480  # samples, 30 ms: the model reacts about one frame late
_COLD_START, _WARM_UP = 0.1, 2.0
"""Seconds before the first speech from which on the model may have missed some, and of speech that it gets first."""
_LONG_PAUSE, _ONSET_CONTEXT = 3.0, 1.5
"""Pause (seconds) from which the onset after it is checked again, and the audio before and after the onset."""
_LEAD = 16 * FRAME
"""Samples (0.5 s) of faint noise before and after a recording: without them the model misses speech at sample 0."""
_LEAD_DBFS = -70.0
_LEVEL_DBFS, _MAX_GAIN_DB = -23.0, 45.0
"""Level to which a recording is brought before the model sees it, and the highest gain for that."""


@dataclass(frozen=True, order=True)
class Span:
    """A part of a recording: `start` inclusive, `end` exclusive, in seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


def detection_gain(levels: LevelEnvelope) -> float:
    """The factor that brings the loud parts of a recording to -23 dBFS: the model misses the onsets of soft speech."""
    loud = levels.loud_level()
    return 1.0 if loud is None else float(10.0 ** (min(_LEVEL_DBFS - loud, _MAX_GAIN_DB) / 20.0))


def detect_speech(waveform: Waveform, gain: float = 1.0) -> list[Span]:
    """As `speech_spans`, for a recording at any sample rate, read in blocks so that memory does not grow with it.

    The model gets faint noise before the first and after the last sample, which is not part of the result.

    Args:
        waveform: the recording.
        gain: factor for the model's input, from `detection_gain`.
    """
    length = 0

    def padded() -> Iterator[npt.NDArray[np.float32]]:
        nonlocal length
        yield _faint_noise()
        for block in blocks_at(waveform, SAMPLE_RATE):
            length += len(block)
            yield block * np.float32(gain)
        yield _faint_noise()

    probabilities = _probabilities(padded())
    return _inside(_spans(probabilities, length + 2 * _LEAD), length)


def blocks_at(waveform: Waveform, rate: int) -> Iterator[Samples]:
    """All samples in order, resampled to `rate` Hz, in blocks."""
    with decode.resampler(waveform.rate, rate) as convert:
        for block in waveform.blocks():
            yield convert(block, False)
        yield convert(np.zeros(0, dtype=np.float32), True)


def recover_missed_onsets(waveform: Waveform, spans: Sequence[Span], gain: float = 1.0) -> list[Span]:
    """The spans, with the onsets that the model missed after long pauses.

    The model is recurrent. After a minute of music its state can make it miss up to half a second of the first word.
    Run again on the audio around the onset, from its initial state, it detects the word.
    """
    found: list[Span] = []
    before = 0.0
    for span in spans:
        start = span.start
        if start - before >= _LONG_PAUSE:
            begin = max(before, start - _ONSET_CONTEXT)
            around = excerpt(waveform, begin, min(span.end, start + _ONSET_CONTEXT), SAMPLE_RATE) * np.float32(gain)
            for other in (Span(begin + one.start, begin + one.end) for one in speech_spans(around)):
                if other.end < span.start:
                    found.append(other)
                else:
                    start = min(start, other.start)
        found.append(Span(start, span.end))
        before = span.end
    return found


def recover_first_onset(waveform: Waveform, spans: Sequence[Span], gain: float = 1.0) -> list[Span]:
    """The spans, with the speech before the first one that the model missed because its state knew no speech yet.

    In a room with reverberation the model takes the first words of a recording for none (probabilities of 0.1 to 0.6).
    With some speech of the same recording before them it detects them (0.99).
    """
    if not spans or spans[0].start < _COLD_START:
        return list(spans)
    first = spans[0]
    begin = max(0.0, first.start - _ONSET_CONTEXT)
    known = excerpt(waveform, first.start, min(first.end, first.start + _WARM_UP), SAMPLE_RATE) * np.float32(gain)
    onset = excerpt(waveform, begin, first.start, SAMPLE_RATE) * np.float32(gain)
    before = np.concatenate((known, _faint_noise()))
    found = [
        Span(begin + (start - len(before)) / SAMPLE_RATE, begin + (end - len(before)) / SAMPLE_RATE)
        for start, end in _spans(_probabilities([before, onset, known]), len(before) + len(onset) + len(known))
    ]
    earlier = [Span(max(begin, one.start), min(one.end, first.start)) for one in found if begin < one.end]
    earlier = [one for one in earlier if one.start < first.start and one.duration > _MIN_SPEECH / SAMPLE_RATE]
    if earlier and earlier[-1].end > first.start - _PAD / SAMPLE_RATE:
        first = Span(earlier.pop().start, first.end)
    return [*earlier, first, *spans[1:]]


def _faint_noise() -> npt.NDArray[np.float32]:
    level = np.float32(10.0 ** (_LEAD_DBFS / 20.0))
    return np.random.default_rng(0).standard_normal(_LEAD, dtype=np.float32) * level


def _inside(spans: Iterable[tuple[int, int]], length: int) -> list[Span]:
    """Spans of a recording with `_LEAD` samples around it, as seconds of the recording alone."""
    moved = ((max(0, start - _LEAD), min(length, end - _LEAD)) for start, end in spans)
    return [Span(start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in moved if start < end]


def speech_spans(samples_16k: npt.NDArray[np.float32]) -> list[Span]:
    """Find speech.

    Args:
        samples_16k: mono samples (n,) at 16 kHz.

    Returns:
        Disjoint spans in ascending order; empty without speech.

    Raises:
        DependencyError: onnxruntime or silero-vad is not installed.
    """
    probabilities = speech_probabilities(samples_16k)
    return [Span(start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in _spans(probabilities, len(samples_16k))]


def speech_probabilities(samples_16k: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Probability of speech in each 32 ms frame.

    Args:
        samples_16k: mono samples (n,) at 16 kHz.

    Returns:
        (ceil(n / 512),) probabilities; the last frame is padded with zeros.

    Raises:
        DependencyError: onnxruntime or silero-vad is not installed.
    """
    return _probabilities([samples_16k])


def _probabilities(blocks: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """As `speech_probabilities`, over blocks of any length."""
    session = onnx.session(model_path())
    state = (np.zeros((1, 1, 128), dtype=np.float32),) * 2
    waiting = np.zeros(CONTEXT, dtype=np.float32)  # 64 samples of context, then the samples that are not processed yet
    found = []
    for block in blocks:
        waiting = np.concatenate((waiting, block))
        while len(waiting) - CONTEXT >= BLOCK * FRAME:
            values, state = _run_model(session, waiting[: CONTEXT + BLOCK * FRAME], state)
            found.append(values)
            waiting = waiting[BLOCK * FRAME :]
    count = -(-(len(waiting) - CONTEXT) // FRAME)
    if count:
        rest = np.zeros(CONTEXT + count * FRAME, dtype=np.float32)
        rest[: len(waiting)] = waiting
        found.append(_run_model(session, rest, state)[0])
    return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


_State = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _run_model(session: Any, samples: npt.NDArray[np.float32], state: _State) -> tuple[npt.NDArray[np.float32], _State]:
    """Probabilities of whole frames after 64 samples of context, and the model's state after them."""
    # each row is a frame with the 64 samples before it; rows overlap, hence a strided view, copied for the model
    frames = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(samples, CONTEXT + FRAME)[::FRAME])
    values, hidden, cell = session.run(["speech_probs", "hn", "cn"], {"input": frames, "h": state[0], "c": state[1]})
    return values.reshape(-1), (hidden, cell)


def _spans(probabilities: npt.NDArray[np.float32], length: int) -> list[tuple[int, int]]:
    """Hysteresis with Silero's defaults: enter at 0.5, leave below 0.35 for 100 ms, drop under 250 ms, pad by 30 ms."""
    spans: list[tuple[int, int]] = []
    start = quiet = -1
    for index, probability in enumerate(probabilities.tolist()):
        now = index * FRAME
        if probability >= _ENTER:
            quiet = -1
            if start < 0:
                start = now
        elif probability < _LEAVE and start >= 0:
            if quiet < 0:
                quiet = now
            if now - quiet >= _MIN_SILENCE:
                if quiet - start > _MIN_SPEECH:
                    spans.append((start, quiet))
                start = quiet = -1
    if start >= 0 and length - start > _MIN_SPEECH:
        spans.append((start, length))
    return _padded(spans, length)


def _padded(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Widen each span by 30 ms on both sides; neighbours closer than 60 ms share the silence between them."""
    starts = [start for start, _ in spans]
    ends = [end for _, end in spans]
    for index in range(len(spans)):
        if index == 0:
            starts[0] = max(0, starts[0] - _PAD)
        if index + 1 == len(spans):
            ends[index] = min(length, ends[index] + _PAD)
            continue
        silence = starts[index + 1] - ends[index]
        share = silence // 2 if silence < 2 * _PAD else _PAD
        ends[index] = min(length, ends[index] + share)
        starts[index + 1] = max(0, starts[index + 1] - share)
    return list(zip(starts, ends, strict=True))


def model_path() -> Path:
    """The sequence model inside the installed package, found without importing it.

    Raises:
        DependencyError: silero-vad is not installed, or too old to carry the sequence model.
    """
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "silero_vad_16k_sequence.onnx"
        if path.is_file():
            return path
    raise onnx.missing("silero-vad")
