"""A minute of music of our own: four chords as a pad, an arpeggio over them and a bass; no sample, no recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHORDS = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
"""A minor, F, C, G as MIDI notes."""
_BEAT = 0.5
"""Seconds; a chord lasts four beats, an arpeggio's note half of one."""
_PARTIALS = (1.0, 0.5, 0.33, 0.2, 0.12, 0.08)


def play(seconds: float, rate: int) -> NDArray[np.float32]:
    """Mono music of unit RMS, faded in and out over half a second."""
    length = round(seconds * rate)
    sound = np.zeros(length + rate * 4, dtype=np.float64)
    for number in range(int(seconds / (4 * _BEAT)) + 1):
        chord, start = _CHORDS[number % len(_CHORDS)], number * 4 * _BEAT
        for note in chord:
            _add(sound, start, _note(note, 4 * _BEAT, rate, attack=0.15, decay=3.0), 0.35, rate)
        _add(sound, start, _note(chord[0] - 24, 4 * _BEAT, rate, attack=0.02, decay=1.2), 0.9, rate)
        for step in range(8):
            note = chord[step % 3] + 12 * (1 + (step // 3) % 2)
            _add(sound, start + step * _BEAT / 2, _note(note, 0.6, rate, attack=0.005, decay=0.25), 0.6, rate)
    sound = sound[:length]
    fade = np.linspace(0.0, 1.0, min(rate // 2, length // 2))
    sound[: len(fade)] *= fade
    sound[length - len(fade) :] *= fade[::-1]
    return np.asarray(sound / np.sqrt(np.mean(sound**2)), dtype=np.float32)


def _add(sound: NDArray[np.float64], start: float, note: NDArray[np.float64], gain: float, rate: int) -> None:
    first = round(start * rate)
    last = min(len(sound), first + len(note))
    if last > first:
        sound[first:last] += gain * note[: last - first]


def _note(midi: int, seconds: float, rate: int, *, attack: float, decay: float) -> NDArray[np.float64]:
    time = np.arange(round(seconds * rate)) / rate
    pitch = 440.0 * 2.0 ** ((midi - 69) / 12)
    wave = sum(
        weight * np.sin(2 * np.pi * pitch * order * time)
        for order, weight in enumerate(_PARTIALS, 1)
        if pitch * order < rate / 2
    )
    envelope = np.minimum(1.0, time / attack) * np.exp(-time / decay) * np.minimum(1.0, (seconds - time) / 0.02)
    return np.asarray(wave * envelope)
