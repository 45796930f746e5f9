"""Tunes the iSTFT vocoder to its speaker; the weights with the best held-out loss win. Imports torch at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from voicemill.synthesis.mel import AudioConfig
from voicemill.training.config import RuntimeVocoderConfig
from voicemill.training.istft_adversary import Adversary
from voicemill.training.istft_losses import SpectralLoss
from voicemill.training.istft_network import IstftNetwork

HELD_OUT_SECONDS = 6.0
"""Length to which a held-out recording is cut."""
AVERAGE_DECAY = 0.98
WARMUP_STEPS = 10


@dataclass(frozen=True)
class TuningClip:
    """A recording of the speaker.

    Attributes:
        samples: in -1..1, shape (samples,).
        mel: log-mel as the acoustic model predicts it with the recording's own timing, shape (mels, frames); None
            takes the recording's.
    """

    samples: NDArray[np.float32]
    mel: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TuningResult:
    """The outcome of a tuning.

    Attributes:
        steps: that were taken.
        best_step: whose weights were kept; 0: the base's.
        before: held-out loss of the base.
        after: held-out loss of the kept weights.
        seconds: wall time.
    """

    steps: int
    best_step: int
    before: float
    after: float
    seconds: float


def tune_istft(
    network: IstftNetwork,
    clips: Sequence[TuningClip],
    held_out: Sequence[TuningClip],
    settings: RuntimeVocoderConfig,
    *,
    seed: int,
    adversary: Adversary | None = None,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> TuningResult:
    """Tune a vocoder in place; it keeps the weights with the lowest held-out loss, at worst its own.

    Half of the crops have the acoustic model's mels, so that the vocoder learns their blur. The pitch network stays as
    it is. Everything random depends on the seed and the step only.

    Args:
        network: the base.
        clips: to train on; at least one.
        held_out: recordings that no step uses; at least one.
        settings: steps, batch, rate, and the checks that end it early.
        seed: of the crops.
        adversary: the base's discriminators, which go on learning; None: reconstruction only.
        on_step: called with the step, from 1, and its loss.
    """
    started = time.monotonic()
    loss_of = SpectralLoss(network.audio)
    usable = [_pair(clip, loss_of, network.audio) for clip in clips]
    usable = [pair for pair in usable if pair[1].shape[1] >= settings.segment_frames] or usable
    weights = list(network.filter_network.parameters())
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, betas=(0.8, 0.99))
    average = [weight.detach().clone() for weight in weights]
    best = [weight.detach().clone() for weight in weights]
    before = after = held_out_loss(network, held_out, loss_of)
    best_step = step = misses = 0
    while step < settings.max_steps and misses < settings.patience:
        random = np.random.default_rng([seed, step])
        loss = _step_loss(network, usable, settings, loss_of, random, adversary)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / WARMUP_STEPS)
        optimiser.step()
        step += 1
        decay = min(AVERAGE_DECAY, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(average, weights, 1 - decay)
        on_step(step, float(loss.detach()))
        if step % settings.check_interval == 0 or step == settings.max_steps:
            found = _loss_with(network, weights, average, held_out, loss_of)
            misses += 1
            if found < after:
                after, best_step, misses = found, step, 0
                best = [each.clone() for each in average]
    _put(weights, best)
    return TuningResult(step, best_step, round(before, 4), round(after, 4), time.monotonic() - started)


def held_out_loss(network: IstftNetwork, clips: Sequence[TuningClip], loss_of: SpectralLoss) -> float:
    """Mean loss over whole recordings, each cut to `HELD_OUT_SECONDS`."""
    longest = int(HELD_OUT_SECONDS * network.audio.frames_per_second)
    losses = []
    with torch.no_grad():
        for clip in clips:
            samples, mel = _pair(clip, loss_of, network.audio)
            mel = mel[:, :longest]
            wanted = samples[: mel.shape[1] * network.audio.hop_length][None]
            losses.append(float(loss_of(network(mel[None])[:, : wanted.shape[1]], wanted, _whole_band(1, network))))
    return float(np.mean(losses))


def _pair(clip: TuningClip, loss_of: SpectralLoss, audio: AudioConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples and mel in step: frames * hop samples."""
    samples = torch.from_numpy(clip.samples)
    mel = loss_of.log_mel(samples[None])[0] if clip.mel is None else torch.from_numpy(clip.mel)
    frames = min(mel.shape[1], len(samples) // audio.hop_length)
    return samples[: frames * audio.hop_length], mel[:, :frames]


def _step_loss(
    network: IstftNetwork,
    pairs: Sequence[tuple[torch.Tensor, torch.Tensor]],
    settings: RuntimeVocoderConfig,
    loss_of: SpectralLoss,
    random: np.random.Generator,
    adversary: Adversary | None,
) -> torch.Tensor:
    frames, hop = min(settings.segment_frames, *(pair[1].shape[1] for pair in pairs)), network.audio.hop_length
    crops, mels = [], []
    for _ in range(settings.batch_size):
        samples, mel = pairs[int(random.integers(len(pairs)))]
        first = int(random.integers(mel.shape[1] - frames + 1))
        crop = samples[first * hop : (first + frames) * hop]
        own = random.random() < 0.5
        crops.append(crop)
        mels.append(loss_of.log_mel(crop[None])[0, :, :frames] if own else mel[:, first : first + frames])
    wanted, mel = torch.stack(crops), torch.stack(mels)
    with torch.no_grad():
        hertz = network.pitch(mel)
    made, band = network.synthesise(mel, hertz), _whole_band(len(wanted), network)
    loss = loss_of(made, wanted, band)
    return loss if adversary is None else loss + adversary.take_step(wanted, made, band, random)[0]


def _whole_band(size: int, network: IstftNetwork) -> torch.Tensor:
    return torch.full((size,), float(network.audio.sample_rate))


def _loss_with(
    network: IstftNetwork,
    weights: Sequence[torch.Tensor],
    average: Sequence[torch.Tensor],
    held_out: Sequence[TuningClip],
    loss_of: SpectralLoss,
) -> float:
    current = [weight.detach().clone() for weight in weights]
    _put(weights, average)
    found = held_out_loss(network, held_out, loss_of)
    _put(weights, current)
    return found


def _put(weights: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)
