"""Sentences synthesised by flite, with the times of their words.

flite prints the end of each phone (`-psdur`) but not its word. The phones of the words in the dictionary are aligned with
flite's by edit distance, which also works where flite pronounces a word differently.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from voicemill.text.lexicon import VOWELS, Lexicon
from voicemill.text.normalise import normalise, words

RATE = 16_000
"""Hz; the voice kal has 8000 Hz and is resampled."""
EDGE = 0.05
"""Seconds of flite's own near-silence kept on both sides of a sentence, faded."""
_SAME = {"AX": "AH", "AXR": "ER"}
"""flite's names of phones with another name in the dictionary."""
_GAP = 0.7
"""Cost of an insertion or deletion; a substitution costs 0.6, of a vowel by a consonant or vice versa 1.5."""


@dataclass(frozen=True)
class Spoken:
    """A sentence synthesised by flite.

    Attributes:
        samples: (n,) int16 at `RATE`, from `EDGE` seconds before the first phone to `EDGE` seconds after the last.
        words: word, start, end; seconds from the start of the first phone.
        seconds: from the start of the first phone to the end of the last.
    """

    samples: NDArray[np.int16]
    words: tuple[tuple[str, float, float], ...]
    seconds: float


def speak(text: str, voice: str, lexicon: Lexicon) -> Spoken:
    """Synthesise a sentence with a voice of flite."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "sentence.wav"
        argv = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(wav)]
        printed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        samples, rate = soundfile.read(wav, dtype="float32")
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    phones = _phones(printed)
    start, end = phones[0][1], phones[-1][2]
    first, last = max(0, round((start - EDGE) * RATE)), round((end + EDGE) * RATE)
    cut = np.pad(samples[first:last], (max(0, round((EDGE - start) * RATE)), max(0, last - len(samples))))
    fade = np.linspace(0.0, 1.0, round(EDGE * RATE) // 2, dtype=np.float32)  # no click at the cut
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    placed = word_times(
        [(name, one - start, two - start) for name, one, two in phones], words(normalise(text)), lexicon
    )
    return Spoken(np.round(cut * 32767).astype(np.int16), tuple(placed), end - start)


def _phones(printed: str) -> list[tuple[str, float, float]]:
    """Name, start and end of each phone except the pauses."""
    found, before = [], 0.0
    for entry in printed.split():
        name, _, end = entry.rpartition(":")
        if name != "pau":
            found.append((_SAME.get(name.upper(), name.upper()), before, float(end)))
        before = float(end)
    return found


def word_times(
    phones: list[tuple[str, float, float]], expected: list[str], lexicon: Lexicon
) -> list[tuple[str, float, float]]:
    """Start and end of each word, by edit distance between the dictionary's phones and flite's."""
    wanted = [(phone, number) for number, word in enumerate(expected) for phone in lexicon.pronounce(word).phones]
    rows, columns = len(wanted), len(phones)
    cost = np.zeros((rows + 1, columns + 1))
    cost[:, 0], cost[0, :] = np.arange(rows + 1) * _GAP, np.arange(columns + 1) * _GAP
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            cost[row, column] = min(
                cost[row - 1, column - 1] + _substitution_cost(wanted[row - 1][0], phones[column - 1][0]),
                cost[row - 1, column] + _GAP,
                cost[row, column - 1] + _GAP,
            )
    bounds: dict[int, tuple[float, float]] = {}
    row, column = rows, columns
    while row and column:
        if cost[row, column] == cost[row - 1, column - 1] + _substitution_cost(
            wanted[row - 1][0], phones[column - 1][0]
        ):
            row, column = row - 1, column - 1
            _, start, end = phones[column]
            number = wanted[row][1]
            bounds[number] = (start, bounds.get(number, (start, end))[1])
        elif cost[row, column] == cost[row - 1, column] + _GAP:
            row -= 1
        else:
            column -= 1
    if len(bounds) < len(expected):
        raise RuntimeError(f"flite did not pronounce all of {' '.join(expected)!r}")
    return [(word, round(bounds[number][0], 3), round(bounds[number][1], 3)) for number, word in enumerate(expected)]


def _substitution_cost(one: str, two: str) -> float:
    if one == two:
        return 0.0
    return 0.6 if (one in VOWELS) == (two in VOWELS) else 1.5
