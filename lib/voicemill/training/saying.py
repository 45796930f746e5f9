"""A text said by a finished voice: pauses, speed, pitch and loudness, chunk by chunk.

The markup is the small part of SSML that a studio asks for: `<break time="500ms"/>`, with or without a surrounding
`<speak>` (W3C SSML 1.1, section 3.2.3). Anything else in angle brackets is refused rather than read aloud.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill import files
from voicemill.errors import UsageError

if TYPE_CHECKING:
    from voicemill.training.synthesis import Speaker

Samples = NDArray[np.float32]
LONGEST_BREAK = 10.0
"""Seconds."""
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<break\s+time\s*=\s*([\"'])(\d+(?:\.\d+)?)(ms|s)\1\s*/>")
_SPEAK = re.compile(r"\s*<speak(?:\s[^<>]*)?>(.*)</speak>\s*", re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Manner:
    """How a text is said.

    Attributes:
        speed: 1 as trained, 2 twice as fast.
        semitones: pitch shift; 12 is an octave up. The voice's mean pitch moves by that ratio and everything else by
            the same number of Hz, which is what FastPitch can do; beyond a few semitones it sounds unlike the person.
        sentence_pause: seconds between sentences.
        paragraph_pause: seconds between paragraphs.
        loudness_lufs: integrated loudness of the file (EBU R 128); None leaves it as the voice gives it.
    """

    speed: float = 1.0
    semitones: float = 0.0
    sentence_pause: float = 0.3
    paragraph_pause: float = 0.7
    loudness_lufs: float | None = -23.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("speed", 0.5, 2.0),
            ("semitones", -12.0, 12.0),
            ("sentence_pause", 0.0, LONGEST_BREAK),
            ("paragraph_pause", 0.0, LONGEST_BREAK),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} must lie between {low:g} and {high:g}.")


def passages(text: str, paragraph_pause: float = 0.7) -> list[str | float]:
    """Texts to say and pauses in seconds, in order.

    Raises:
        UsageError: `markup_unsupported` for any tag but a break of at most ten seconds.
    """
    whole = _SPEAK.fullmatch(text)
    body = whole[1] if whole else text
    found: list[str | float] = []
    position = 0
    for tag in _TAG.finditer(body):
        pause = _BREAK.fullmatch(tag[0])
        seconds = float(pause[2]) / (1000 if pause[3] == "ms" else 1) if pause else LONGEST_BREAK + 1
        if seconds > LONGEST_BREAK:
            raise UsageError(
                f"{tag[0][:60]} is no markup that can be said.",
                reason="markup_unsupported",
                hint='Only <break time="500ms"/> of at most 10 s is understood.',
            )
        found += [*_paragraphs(body[position : tag.start()], paragraph_pause), seconds]
        position = tag.end()
    return [*found, *_paragraphs(body[position:], paragraph_pause)]


def _paragraphs(text: str, pause: float) -> list[str | float]:
    found: list[str | float] = []
    for paragraph in _PARAGRAPH.split(text):
        if paragraph.strip():
            found += [pause, paragraph.strip()]
    return found[1:]


def say(speaker: Speaker, text: str, manner: Manner, normalise: Callable[[str], str]) -> Samples:
    """Samples in -1..1 at the voice's rate, shape (samples,).

    Args:
        speaker: the voice.
        text: plain, with breaks; any length.
        manner: speed, pitch, pauses.
        normalise: written text -> spoken form, see `text.normalise`.

    Raises:
        UsageError: there is nothing to say in the text (`nothing_to_say`), or `markup_unsupported`.
        DatasetError: `text_not_english`.
        TrainingError: the voice's output is not sound.
    """
    from voicemill.training.synthesis import sentences

    rate = speaker.audio.sample_rate
    pieces: list[Samples] = []
    said = 0
    for passage in passages(text, manner.paragraph_pause):
        if isinstance(passage, float):
            pieces.append(_silence(passage, rate))
            continue
        for index, sentence in enumerate(sentences(normalise(passage))):
            if index:
                pieces.append(_silence(manner.sentence_pause, rate))
            pieces.append(speaker.sound_of(speaker.mel_for(sentence, speed=manner.speed, semitones=manner.semitones)))
            said += 1
    if not said:
        raise UsageError("There is nothing to say in the text.", reason="nothing_to_say", hint="Give words to say.")
    return np.concatenate(pieces)


def say_to_file(
    speaker: Speaker, text: str, target: Path, manner: Manner, normalise: Callable[[str], str]
) -> tuple[float, float]:
    """Say a text into a mono 16-bit WAV file, written atomically.

    Returns:
        Seconds of sound, and the gain in dB that brought it to the wished loudness.

    Raises:
        as `say`; StorageError: the file cannot be written.
    """
    import soundfile

    from voicemill.audio.loudness import gain_to, measure

    samples, rate = say(speaker, text, manner, normalise), speaker.audio.sample_rate
    gain = 0.0
    with (
        files.atomic_path(target, suffix=".wav") as temporary,
        files.library_writes(target, soundfile.LibsndfileError),
    ):
        if manner.loudness_lufs is not None:
            soundfile.write(temporary, samples, rate, subtype="FLOAT")
            gain = gain_to(measure(temporary), manner.loudness_lufs)
        soundfile.write(temporary, np.clip(samples * 10 ** (gain / 20), -1.0, 1.0), rate, subtype="PCM_16")
    return len(samples) / rate, gain


def _silence(seconds: float, rate: int) -> Samples:
    return np.zeros(round(seconds * rate), dtype=np.float32)
