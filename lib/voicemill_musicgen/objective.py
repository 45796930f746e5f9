"""The training objective: predict the next code of each codebook in MusicGen's delay pattern. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

LOGIT_LIMIT = 50.0
"""Logits are clamped to ±50, beyond which float32 probabilities do not change."""


@dataclass(frozen=True)
class SanitisedLoss:
    """A loss and the number of logits that were sanitised for it."""

    loss: torch.Tensor
    sanitised: int


def delayed(codes: torch.Tensor, padding: int) -> torch.Tensor:
    """Codes (1, codebooks, frames) in the delay pattern: codebook k starts k steps late (Copet et al. 2023, 2.2).

    Returns:
        (1, codebooks, frames + codebooks - 1), with `padding` before a codebook starts and after it ends.
    """
    count, frames = codes.shape[1:]
    pattern = codes.new_full((1, count, frames + count - 1), padding)
    for book in range(count):
        pattern[:, book, book : book + frames] = codes[:, book]
    return pattern


def shifted(targets: torch.Tensor, padding: int) -> torch.Tensor:
    """Decoder inputs (codebooks, steps) for targets (1, codebooks, steps): each step sees only those before it."""
    start = targets.new_full((1, targets.shape[1], 1), padding)
    return torch.cat([start, targets[:, :, :-1]], dim=2)[0]


def sanitised_loss(logits: torch.Tensor, targets: torch.Tensor, padding: int) -> SanitisedLoss:
    """Mean cross-entropy of logits (1, codebooks, steps, codes) against targets (1, codebooks, steps).

    Infinite logits are clamped. A step with a NaN is excluded from the mean, so that a broken model does not look
    like an uncertain one; if no step is left, the loss is NaN.
    """
    sanitised = int((~torch.isfinite(logits)).sum())
    unknown = torch.isnan(logits).any(dim=-1)
    sane = torch.nan_to_num(logits.float(), nan=0.0, posinf=LOGIT_LIMIT, neginf=-LOGIT_LIMIT)
    sane = sane.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    losses = torch.nn.functional.cross_entropy(
        sane.permute(0, 3, 1, 2), targets, ignore_index=padding, reduction="none"
    )
    return SanitisedLoss(losses[(targets != padding) & ~unknown].mean(), sanitised)
