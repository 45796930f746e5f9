"""Voice traits: pitch and formants of a clip, to detect another speaker without a speaker-embedding model.

Two speakers with the same pitch and vocal tract length cannot be distinguished by them. The pitch decides, the formants
only confirm; docs/benchmarks.md has the spread within and between voices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.audio import decode

RATE = 10_000
"""Hz; the first four formants are below half of it."""
_FRAME, _HOP = 500, 100  # samples: 50 ms hold three periods of 60 Hz; a frame every 10 ms
_FRAMES = 120
"""Frames that are analysed, spread evenly over the loud frames of a clip."""
_LOWEST, _HIGHEST = 60.0, 500.0
_VOICED = 0.5
"""Normalised autocorrelation of a voiced frame, at least."""
_ORDER = 12
"""Order of the linear prediction: two poles for each formant up to 5 kHz, and two for the spectral slope."""
_MIN_FRAMES = 20


@dataclass(frozen=True)
class VoiceTraits:
    """Pitch and formants of one clip.

    Attributes:
        pitch_hz: median over voiced frames.
        formant_hz: geometric mean of the medians of formants 2 to 4, which depends on the length of the vocal tract.
    """

    pitch_hz: float
    formant_hz: float


def measure(samples: npt.NDArray[np.float32], rate: int) -> VoiceTraits | None:
    """Measure a clip.

    Args:
        samples: mono samples (n,).
        rate: Hz.

    Returns:
        None with fewer than 20 voiced frames or without formants, as for a whisper or without speech.
    """
    sound = decode.resample(samples, rate, RATE).astype(np.float64)
    if len(sound) < _FRAME + _HOP:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    energy = np.square(frames).sum(axis=1)
    loud = np.flatnonzero(energy > max(float(np.percentile(energy, 50.0)), 1e-9))
    chosen = frames[loud[:: max(1, len(loud) // _FRAMES)]]
    pitch, voiced = _pitch(chosen)
    if int(voiced.sum()) < _MIN_FRAMES:
        return None
    found = _formants(chosen[voiced])
    if len(found) < _MIN_FRAMES // 2:
        return None
    medians = np.median(np.log(np.array(found)), axis=0)
    return VoiceTraits(float(np.median(pitch[voiced])), float(np.exp(medians[1:].mean())))


def _pitch(frames: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """F0 (Hz) and whether each frame is voiced, by autocorrelation divided by that of the window (Boersma 1993).

    The shortest lag within 15% of the best is chosen, to avoid octave errors downwards.
    """
    window = np.hanning(_FRAME)
    size = 2 * _FRAME

    def correlate(signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        spectrum = np.abs(np.fft.rfft(signal, size)) ** 2
        result = np.fft.irfft(spectrum, size)[..., :_FRAME]
        scaled: npt.NDArray[np.float64] = result / np.maximum(result[..., :1], 1e-12)
        return scaled

    first, last = int(RATE / _HIGHEST), int(RATE / _LOWEST)
    values = (correlate((frames - frames.mean(axis=1, keepdims=True)) * window) / correlate(window))[
        :, first : last + 1
    ]
    inner = values[:, 1:-1]
    peaks = (inner > values[:, :-2]) & (inner >= values[:, 2:])
    heights = np.where(peaks, inner, 0.0)
    best = heights.max(axis=1)
    lag = np.argmax(heights >= 0.85 * best[:, None], axis=1) + first + 1
    return RATE / lag, best >= _VOICED


def _formants(frames: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """The first four resonances (Hz) of each frame by linear prediction; without frames that have fewer."""
    emphasised = frames.copy()
    emphasised[:, 1:] -= 0.97 * frames[:, :-1]
    spectrum = np.abs(np.fft.rfft(emphasised * np.hamming(_FRAME), 2 * _FRAME)) ** 2
    correlation = np.fft.irfft(spectrum)[:, : _ORDER + 1]
    correlation = correlation[correlation[:, 0] > 0]
    correlation[:, 0] *= 1.0001  # a little noise keeps the equations solvable
    lags = np.arange(_ORDER)
    equations = correlation[:, np.abs(lags[:, None] - lags)]
    # the poles are the eigenvalues of the companion matrix
    companion = np.tile(np.eye(_ORDER, k=-1), (len(equations), 1, 1))
    companion[:, 0] = np.linalg.solve(equations, correlation[:, 1:, None])[..., 0]
    return [kept for poles in np.linalg.eigvals(companion) if len(kept := _resonances(poles)) == 4]


def _resonances(poles: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
    """At most four frequencies (Hz), the lowest first, of poles that are narrow enough for a formant."""
    poles = poles[poles.imag > 0]
    hertz = np.angle(poles) * RATE / (2 * np.pi)
    width = -np.log(np.abs(poles)) * RATE / np.pi
    kept: npt.NDArray[np.float64] = np.sort(hertz[(hertz > 150) & (hertz < 4800) & (width < 500)])[:4]
    return kept
