"""A vocoder that works at the frame rate: pulses and noise, filtered in the spectrum, and one inverse STFT.

The excitation is a band-limited pulse train at the pitch that a small network reads from the mel, mixed with white
noise in each frequency bin. Its spectrum is scaled so that its mel is the given one (channel vocoder), and a ConvNeXt
network at the frame rate predicts what the mel does not determine: the mixture, a correction of the amplitude and a
rotation of the phase. Sources: harmonic-plus-noise excitation from neural source-filter models (Wang et al., 2019) and
HiFTNet (Li et al., 2023); spectrum and inverse STFT from Vocos (Siuzdak, 2023); the amplitude from the mel's inverse
from FreeV (Lv et al., 2024).

Frame t is centred on sample t * hop, as FastPitch's mels are. Imports torch at once: import it inside functions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from voicemill.synthesis.mel import AudioConfig
from voicemill_runtime.griffin_lim import mel_bands

NOISE_FRAMES = 128
"""Period of the stored noise in frames (1.5 s at the default hop)."""
PITCH_RANGE = (50.0, 800.0)
"""Hz, lowest and highest pitch that the network can predict."""
PITCH_BINS = 160
"""Bins of equal width in log-frequency: 30 cents each."""
PITCH_NEIGHBOURS = 4
"""Bins on each side of the most likely one over which the pitch is averaged."""
SMALLEST = 1e-6
LARGEST_CORRECTION = 4.0
"""Nepers by which the network may change an amplitude."""


class IstftConfig(BaseModel):
    """Sizes of the vocoder's networks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=256, gt=0, description="channels of a block")
    inner_width: int = Field(default=640, gt=0, description="channels inside a block")
    layers: int = Field(default=6, gt=0, description="blocks")
    pitch_width: int = Field(default=128, gt=0, description="channels of a block of the pitch network")
    pitch_layers: int = Field(default=3, gt=0, description="blocks of the pitch network")


class Block(nn.Module):
    """ConvNeXt block along time: depthwise convolution, normalisation, two linear layers, residual. (B, C, T)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, inner)
        self.project = nn.Linear(inner, width)
        self.scale = nn.Parameter(torch.full((width,), 1 / 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) -> (B, C, T)."""
        inner = functional.gelu(self.expand(self.norm(self.depthwise(x).transpose(1, 2))))
        result: torch.Tensor = x + (self.scale * self.project(inner)).transpose(1, 2)
        return result


class FrameNetwork(nn.Module):
    """Convolution, blocks, linear head: (B, inputs, T) -> (B, outputs, T)."""

    def __init__(self, inputs: int, outputs: int, *, width: int, inner: int, layers: int) -> None:
        super().__init__()
        self.input = nn.Conv1d(inputs, width, 7, padding=3)
        self.input_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, inner) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, T) -> (B, outputs, T)."""
        x = self.input_norm(self.input(x).transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        result: torch.Tensor = self.head(self.norm(x.transpose(1, 2))).transpose(1, 2)
        return result


class IstftNetwork(nn.Module):
    """Log-mel (B, mels, frames) -> samples (B, frames * hop).

    Args:
        config: sizes.
        audio: mel settings; `n_fft` is four hops.
        as_products: transforms as matrix products instead of FFTs, and samples limited to -1..1: for ONNX.
    """

    bands: torch.Tensor
    spread: torch.Tensor
    window: torch.Tensor
    noise: torch.Tensor
    pitch_hertz: torch.Tensor

    def __init__(self, config: IstftConfig, audio: AudioConfig, *, as_products: bool = False) -> None:
        super().__init__()
        if audio.n_fft != 4 * audio.hop_length:
            raise ValueError("the vocoder needs n_fft = 4 * hop_length")
        self.config, self.audio = config, audio
        self.bins = audio.n_fft // 2 + 1
        self.as_products = as_products
        bands = mel_bands(audio.model_dump())
        window = torch.hann_window(audio.n_fft)
        for name, value in {
            "bands": torch.from_numpy(bands),
            "spread": torch.from_numpy(_spread(bands)),
            "window": window,
            "noise": _noise(window, audio.hop_length),
            "pitch_hertz": torch.logspace(*np.log2(PITCH_RANGE).tolist(), PITCH_BINS, base=2.0),
        }.items():
            self.register_buffer(name, value, persistent=False)
        if as_products:
            self.products, self.inverse_products = _products(audio.n_fft)
        self.pitch_network = FrameNetwork(
            audio.n_mels, PITCH_BINS, width=config.pitch_width, inner=3 * config.pitch_width, layers=config.pitch_layers
        )
        self.filter_network = FrameNetwork(
            2 * audio.n_mels + 1, 4 * self.bins, width=config.width, inner=config.inner_width, layers=config.layers
        )
        with torch.no_grad():  # no correction, half noise, no rotation
            head = self.filter_network.head
            head.weight.mul_(0.1)
            head.bias.zero_()
            head.bias[2 * self.bins : 3 * self.bins] = 1.0

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Samples (B, frames * hop), not limited to -1..1, of a log-mel (B, mels, frames)."""
        samples = self.synthesise(mel, self.pitch(mel))
        return samples.clamp(-1.0, 1.0) if self.as_products else samples

    def pitch_logits(self, mel: torch.Tensor) -> torch.Tensor:
        """Unnormalised log-probabilities (B, PITCH_BINS, frames) of the bins of `pitch_hertz`."""
        result: torch.Tensor = self.pitch_network(mel / 4 + 1)
        return result

    def pitch(self, mel: torch.Tensor) -> torch.Tensor:
        """Hz, (B, frames), float64, also where the speech is unvoiced.

        In double precision, because the excitation sums it over all frames.
        """
        logits = self.pitch_logits(mel).double()
        bins = torch.arange(PITCH_BINS, device=mel.device)[None, :, None]
        near = (bins - logits.argmax(1, keepdim=True)).abs() <= PITCH_NEIGHBOURS
        weights = torch.softmax(logits, 1) * near
        octaves = (weights * self.pitch_hertz.double().log2()[None, :, None]).sum(1) / weights.sum(1)
        padded = functional.pad(octaves[:, None], (1, 1), mode="replicate")[:, 0]
        smooth = 0.25 * padded[:, :-2] + 0.5 * octaves + 0.25 * padded[:, 2:]
        return torch.exp(smooth * math.log(2))

    def synthesise(self, mel: torch.Tensor, hertz: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Samples (B, frames * hop) of a log-mel (B, mels, frames) at a pitch (B, frames) in Hz.

        Args:
            mel: natural logarithm.
            hertz: positive in every frame.
            noise: spectrum of white noise (2, B, frames, bins); None repeats the stored one.
        """
        frames = mel.shape[2]
        pulses = self._transform(self._pulses(hertz))
        if noise is None:
            at = torch.arange(frames, device=mel.device) % NOISE_FRAMES
            noise = self.noise[:, None, at]
        pulse_mel = torch.log(self.bands @ _magnitude(pulses).transpose(1, 2) + SMALLEST)
        features = torch.cat((mel / 4 + 1, pulse_mel / 4, torch.log(hertz.to(mel.dtype) / 150)[:, None]), 1)
        mixture, correction, real, imaginary = self.filter_network(features).transpose(1, 2).chunk(4, 2)
        mixture = torch.sigmoid(mixture)
        excitation = mixture * pulses + (1 - mixture) * noise
        wanted = torch.log((torch.exp(mel) - self.audio.log_floor).clamp_min(SMALLEST))
        gain = wanted - torch.log(self.bands @ _magnitude(excitation).transpose(1, 2) + SMALLEST)
        amplitude = (self.spread @ gain).transpose(1, 2)
        amplitude = torch.exp(amplitude + LARGEST_CORRECTION * torch.tanh(correction / LARGEST_CORRECTION))
        amplitude = amplitude * torch.rsqrt(real * real + imaginary * imaginary + SMALLEST)
        cosine, sine = amplitude * real, amplitude * imaginary
        rotated = torch.stack(
            (excitation[0] * cosine - excitation[1] * sine, excitation[0] * sine + excitation[1] * cosine)
        )
        return self._inverse(rotated)

    def _pulses(self, hertz: torch.Tensor) -> torch.Tensor:
        """Band-limited pulses of unit power, (B, frames + 3, hop): from two hops before frame 0.

        The closed form of a sum of cosines at all harmonics (Stilson and Smith, 1996). The pitch is linear between
        frames. Cycles are summed in double precision: a long text has thousands.
        """
        hop, rate = self.audio.hop_length, self.audio.sample_rate
        points = torch.cat((hertz[:, :1], hertz[:, :1], hertz, hertz[:, -1:], hertz[:, -1:]), 1).double() / rate
        first, last = points[:, :-1], points[:, 1:]
        advance = (first + last) * (hop / 2)
        start = torch.cumsum(advance, 1) - advance
        n = torch.arange(hop, device=hertz.device, dtype=torch.float64)
        cycles = start[..., None] + first[..., None] * n + (last - first)[..., None] * (n * n / (2 * hop))
        cycles = cycles - torch.floor(cycles + 0.5)
        count = 2 * torch.floor(0.5 / torch.maximum(first, last))[..., None] + 1
        half_turns = count * cycles  # many: taken modulo a turn before the precision is lowered
        numerator = torch.sin((half_turns - 2 * torch.floor(half_turns / 2 + 0.5)).float() * math.pi)
        phase, count = cycles.float() * math.pi, count.float()
        centre = phase.abs() < 1e-4
        ratio = numerator / torch.sin(torch.where(centre, torch.ones_like(phase), phase))
        return torch.where(centre, count.expand_as(ratio), ratio) * torch.rsqrt(count)

    def _transform(self, segments: torch.Tensor) -> torch.Tensor:
        """Segments (B, frames + 3, hop) -> spectrum (2, B, frames, bins)."""
        frames = segments.shape[1] - 3
        windows = torch.cat([segments[:, part : part + frames] for part in range(4)], 2) * self.window
        if self.as_products:
            return torch.stack((windows @ self.products[0], windows @ self.products[1]))
        return torch.view_as_real(torch.fft.rfft(windows)).movedim(-1, 0)

    def _inverse(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Spectrum (2, B, frames, bins) -> samples (B, frames * hop); the squared windows sum to 1.5."""
        hop = self.audio.hop_length
        if self.as_products:
            windows = spectrum[0] @ self.inverse_products[0] + spectrum[1] @ self.inverse_products[1]
        else:
            windows = torch.fft.irfft(torch.complex(spectrum[0], spectrum[1]), n=self.audio.n_fft)
        windows = windows * (self.window / 1.5)
        parts = [
            functional.pad(windows[..., part * hop : (part + 1) * hop], (0, 0, part, 3 - part)) for part in range(4)
        ]
        segments = parts[0] + parts[1] + parts[2] + parts[3]
        return segments[:, 2:-1].flatten(1)


def _magnitude(spectrum: torch.Tensor) -> torch.Tensor:
    return torch.sqrt(spectrum[0] * spectrum[0] + spectrum[1] * spectrum[1] + SMALLEST)


def _products(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices of the transform (real and imaginary part, size, bins) and of its inverse (both parts, bins, size)."""
    at, bins = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size // 2 + 1, dtype=torch.float64)
    angles = (at * bins % size) * (2 * math.pi / size)
    forward = torch.stack((torch.cos(angles), -torch.sin(angles)))
    weights = torch.where((bins == 0) | (bins == size // 2), 1.0, 2.0) / size
    return forward.float(), (forward * weights).transpose(1, 2).contiguous().float()


def _spread(bands: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Interpolation of band values to bins, (bins, mels): each row sums to one; bins outside take the nearest band."""
    shape = bands / bands.max(1, keepdims=True)
    covered = np.flatnonzero(shape.sum(0) > 1e-3)
    weights = shape.T.copy()
    weights[: covered[0]], weights[covered[-1] + 1 :] = weights[covered[0]], weights[covered[-1]]
    result: np.ndarray[Any, np.dtype[np.float32]] = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return result


def _noise(window: torch.Tensor, hop: int) -> torch.Tensor:
    """Spectrum (2, NOISE_FRAMES, bins) of periodic white noise of unit power, the same on every machine."""
    samples = np.random.default_rng(0).standard_normal(NOISE_FRAMES * hop).astype(np.float32)
    wrapped = torch.from_numpy(np.concatenate((samples, samples[: len(window) - hop])))
    return torch.view_as_real(torch.fft.rfft(wrapped.unfold(0, len(window), hop) * window)).movedim(-1, 0).contiguous()
