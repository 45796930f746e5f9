"""A person who records in the studio: recordings of people as Chromium's microphone, and what the person presses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from tests.browser import Tab

from voicemill.audio.decode import resample
from voicemill.settings import REPOSITORY

PEOPLE = REPOSITORY / "tests/data/people"
FIRST = ("kathleen/arctic_b0208", "You read the quotations in today's paper.")
SECOND = ("kathleen/arctic_a0144", "But there was something even more startling about this resemblance.")
RATE = 48_000


def microphone(path: Path, names: list[str], times: int) -> Path:
    """A WAV with recordings of people in turn, several times, with the noise of a quiet room between them.

    A take that began inside another sentence is refused, and the next one is whole.
    """
    noise = np.random.default_rng(1)
    parts = []
    for name in names * times:
        samples, rate = soundfile.read(PEOPLE / f"{name}.flac", dtype="float32")
        room = 10 ** (-66 / 20) * noise.standard_normal(round(2.5 * RATE))
        parts += [room.astype(np.float32), resample(samples, rate, RATE)]
    soundfile.write(path, np.concatenate(parts), RATE, subtype="PCM_16")
    return path


READY = "!document.getElementById('verdict').textContent.endsWith('…')"


def open_microphone(tab: Tab) -> None:
    """With the keyboard alone."""
    tab.wait("!document.getElementById('open').disabled")
    tab.tab_to("#open")
    tab.press("Enter")
    tab.wait("!document.getElementById('booth').hidden")


def record_until_good(tab: Tab, number: int) -> None:
    """Press the space bar until the take of a sentence is good and the page goes on to the next one."""
    for _ in range(6):
        tab.press(" ")
        tab.wait("document.getElementById('record').textContent === 'Stop'")
        tab.wait(f"document.getElementById('record').textContent !== 'Stop' && {READY}")
        if not tab.text("#position").startswith(f"Sentence {number} "):
            return
    raise AssertionError(tab.text("#session"))
