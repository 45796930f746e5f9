"""Synthesis of a text of any length, chunk by chunk, with pauses, speed, pitch and loudness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill import files
from voicemill.errors import UsageError
from voicemill.synthesis.options import SynthesisOptions
from voicemill.synthesis.ssml import PLAIN, Part, Pause, parse
from voicemill.text.normalise import chunks

if TYPE_CHECKING:
    from voicemill.synthesis.mel import AudioConfig

Samples = NDArray[np.float32]
"""In -1..1, shape (samples,)."""


class Synthesiser(Protocol):
    """An acoustic model with its vocoder."""

    @property
    def audio(self) -> AudioConfig:
        """Settings of its mels; `audio.sample_rate` is the rate of its samples, in Hz."""

    def predict_mel(self, text: str, *, speed: float = 1.0, semitones: float = 0.0) -> NDArray[np.float32]:
        """Log-mel of shape (mels, frames) of one normalised chunk of text."""

    def vocode(self, mel: NDArray[np.float32]) -> Samples:
        """Samples, shape (frames * hop,), of a log-mel of shape (mels, frames)."""


def synthesise(synthesiser: Synthesiser, text: str, options: SynthesisOptions) -> Samples:
    """Samples in -1..1 at the voice's rate, shape (samples,).

    Args:
        synthesiser: the voice.
        text: plain, with breaks; any length.
        options: speed, pitch, pauses.

    Raises:
        UsageError: there are no words in the text (`nothing_to_say`), or `markup_unsupported`.
        DatasetError: `text_not_english`.
        DependencyError: the pronunciation dictionary is not installed.
        TrainingError: `synthesis_non_finite`: the output is empty or not finite.
    """
    rate = synthesiser.audio.sample_rate
    pieces: list[Samples] = []
    has_speech = False
    for passage in parse_breaks(text, options.paragraph_pause, options.sentence_pause):
        if isinstance(passage, float):
            pieces.append(_silence(passage, rate))
            continue
        for index, chunk in enumerate(chunks(passage)):
            if index:
                pieces.append(_silence(options.sentence_pause, rate))
            mel = synthesiser.predict_mel(chunk, speed=options.speed, semitones=options.semitones)
            pieces.append(synthesiser.vocode(mel))
            has_speech = True
    if not has_speech:
        raise UsageError("There is nothing to say in the text.", reason="nothing_to_say", hint="Give words to say.")
    return np.concatenate(pieces)


def parse_breaks(text: str, paragraph_pause: float = 0.7, sentence_pause: float = 0.3) -> list[str | float]:
    """Split a text at its breaks and paragraphs: texts, and pauses in seconds, in order.

    Marks are left out: they have times only where the voice's graph speaks.

    Raises:
        UsageError: see `ssml.parse`; `markup_unsupported:<element>` also for phones and prosody.
    """
    parsed: list[str | float] = []
    for item in parse(text, sentence_pause=sentence_pause, paragraph_pause=paragraph_pause):
        if isinstance(item, Pause):
            parsed.append(item.seconds)
        elif words := "".join(map(_plain, item.parts)).strip():
            parsed.append(words)
    return parsed


def synthesise_to_file(
    synthesiser: Synthesiser, text: str, target: Path, options: SynthesisOptions
) -> tuple[float, float]:
    """Synthesise a text into a mono 16-bit WAV file, written atomically.

    Returns:
        Seconds of sound, and the gain in dB that gave the file its loudness.

    Raises:
        as `synthesise`; StorageError: the file cannot be written.
    """
    import soundfile

    from voicemill.audio.loudness import gain_to, measure

    samples, rate = synthesise(synthesiser, text, options), synthesiser.audio.sample_rate
    gain = 0.0
    with (
        files.atomic_path(target, suffix=".wav") as temporary,
        files.library_writes(target, soundfile.LibsndfileError),
    ):
        if options.loudness_lufs is not None:
            soundfile.write(temporary, samples, rate, subtype="FLOAT")
            gain = gain_to(measure(temporary), options.loudness_lufs)
        soundfile.write(temporary, np.clip(samples * 10 ** (gain / 20), -1.0, 1.0), rate, subtype="PCM_16")
    return len(samples) / rate, gain


def _silence(seconds: float, rate: int) -> Samples:
    return np.zeros(round(seconds * rate), dtype=np.float32)


def _plain(part: Part) -> str:
    element = "prosody" if part.style != PLAIN else "phoneme" if any(each.phones for each in part.given) else ""
    if element:
        raise UsageError(
            f"Unsupported markup: <{element}> with a voice of an earlier version.",
            reason=f"markup_unsupported:{element}",
            hint="Build the voice's bundle again: it gets a graph, which speaks all elements.",
        )
    return " ".join(word.text for word in part.given) if part.given else part.text
