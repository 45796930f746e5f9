"""Integrated loudness after ITU-R BS.1770-4 (EBU R 128) in numpy, for samples in memory.

The K-weighting filters act in the frequency domain: their gain on each frequency is what the standard's filters have,
and the measure depends on energies alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import AudioError

_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691


def integrated(samples: NDArray[np.float32], rate: int) -> float:
    """Loudness in LUFS of mono samples in -1..1; -inf where all of them are quieter than the absolute gate.

    Args:
        samples: shape (samples,).
        rate: in Hz.
    """
    if not samples.size:
        return -np.inf
    block, step = round(0.4 * rate), round(0.1 * rate)
    padded = np.pad(samples.astype(np.float64), (0, max(0, block - samples.size)))
    weighted = np.fft.irfft(np.fft.rfft(padded) * _k_weighting(padded.size, rate), n=padded.size)
    energies = np.concatenate(([0.0], np.cumsum(weighted**2)))
    starts = np.arange(0, padded.size - block + 1, step)
    powers = (energies[starts + block] - energies[starts]) / block
    loudness = _OFFSET + 10 * np.log10(np.maximum(powers, 1e-20))
    kept = powers[loudness > _ABSOLUTE_GATE]
    if not kept.size:
        return -np.inf
    gate = _OFFSET + 10 * np.log10(kept.mean()) + _RELATIVE_GATE
    kept = powers[loudness > max(gate, _ABSOLUTE_GATE)]
    return float(_OFFSET + 10 * np.log10(kept.mean()))


def _k_weighting(count: int, rate: int) -> NDArray[np.float64]:
    """Gains of the standard's shelving and high-pass filters at the frequencies of a real transform of `count`
    samples; the coefficients are derived for the rate from the analogue prototypes, as the standard's 48 kHz ones are.
    """
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(count))
    shelf = _biquad_shelf(1681.974450955533, 3.999843853973347, 0.7071752369554196, rate)
    pass_ = _biquad_high_pass(38.13547087602444, 0.5003270373238773, rate)
    response = np.ones_like(z)
    for b, a in (shelf, pass_):
        response *= (b[0] + b[1] * z + b[2] * z**2) / (a[0] + a[1] * z + a[2] * z**2)
    gains: NDArray[np.float64] = np.abs(response)
    return gains


def _biquad_shelf(frequency: float, gain_db: float, q: float, rate: int) -> tuple[list[float], list[float]]:
    k = np.tan(np.pi * frequency / rate)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    scale = 1 + k / q + k * k
    b = [(high + band * k / q + k * k) / scale, 2 * (k * k - high) / scale, (high - band * k / q + k * k) / scale]
    return b, [1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale]


def _biquad_high_pass(frequency: float, q: float, rate: int) -> tuple[list[float], list[float]]:
    k = np.tan(np.pi * frequency / rate)
    scale = 1 + k / q + k * k
    return [1.0, -2.0, 1.0], [1.0, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale]


def gain(samples: NDArray[np.float32], rate: int, target: float, peak: float = -1.0) -> float:
    """The factor that brings speech to a loudness, limited so that its true peak stays below a limit.

    Args:
        samples: in -1..1, shape (samples,).
        rate: in Hz.
        target: in LUFS.
        peak: in dBFS.

    Raises:
        AudioError: `audio_silent`: nothing is louder than -70 LUFS.
    """
    measured = integrated(samples, rate)
    if not measured > _ABSOLUTE_GATE:
        raise AudioError("The speech is silent.", reason="audio_silent", hint="Train the voice longer.")
    highest = max(float(np.abs(np.fft.irfft(np.fft.rfft(part), n=4 * part.size)).max()) * 4 for part in _parts(samples))
    return float(10 ** (min(target - measured, peak - 20 * np.log10(highest)) / 20))


def _parts(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Runs of samples of at most 2**16, overlapping, so that every peak between samples is inside one."""
    size, overlap = 1 << 16, 256
    return [samples[max(0, start - overlap) : start + size] for start in range(0, samples.size, size)]
