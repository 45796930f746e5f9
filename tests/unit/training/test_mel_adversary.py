"""The discriminator of mels: it distinguishes blurred ones, and its loss sharpens them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

MELS, FRAMES = 80, 96
LENGTHS = (96, 70)


@pytest.fixture(scope="module")
def recorded() -> Any:
    """Two log-mels of noise with bands, the second padded."""
    import torch

    random = np.random.default_rng(1)
    bands = np.sin(np.arange(MELS) / 3)[:, None] - 5
    mels = (bands + random.standard_normal((2, MELS, FRAMES))).astype(np.float32)
    mels[1, :, LENGTHS[1] :] = 0
    return torch.from_numpy(mels)


def test_it_learns_to_distinguish_and_its_loss_gives_back_what_the_mean_lacks(recorded: Any) -> None:
    import torch
    from torch.nn import functional

    from voicemill.training.mel_adversary import MelAdversary

    lengths = torch.tensor(LENGTHS)

    def learned(*, judged: bool) -> tuple[float, list[float]]:
        """Variation along time of a mel that is learned from many takes of the same frames, and the losses."""
        adversary, losses = MelAdversary(3), []
        mel = recorded.mean(2, keepdim=True).expand_as(recorded).clone().requires_grad_()
        optimiser = torch.optim.Adam([mel], lr=0.05)
        generator = torch.Generator().manual_seed(1)
        for _ in range(60):
            take = recorded + torch.randn(recorded.shape, generator=generator)
            loss = functional.mse_loss(mel, take)
            if judged:
                more = adversary.take_step(mel, take, lengths)
                losses.append(float(more.detach()))
                loss = loss + more
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return float(mel.detach()[0].std(1).mean()), losses

    (alone, _), (judged, losses) = learned(judged=False), learned(judged=True)
    assert all(np.isfinite(losses))
    assert 0 < losses[0] < losses[-1], "it grows to its full weight"
    assert judged > 1.05 * alone


def test_the_same_seed_judges_alike_and_a_restored_state_goes_on_alike(recorded: Any) -> None:
    import torch

    from voicemill.training.mel_adversary import MelAdversary

    before = torch.random.get_rng_state()
    first, again, other = MelAdversary(3), MelAdversary(3), MelAdversary(4)
    assert torch.equal(before, torch.random.get_rng_state())
    lengths, blurred = torch.tensor(LENGTHS), recorded * 0.9

    def steps(adversary: Any, count: int) -> list[float]:
        return [float(adversary.take_step(blurred, recorded, lengths)) for _ in range(count)]

    whole = steps(first, 6)
    assert steps(again, 3) == whole[:3]
    assert steps(other, 6) != whole
    resumed = MelAdversary(3)
    steps(resumed, 1)
    resumed.restore(again.state())
    assert steps(resumed, 3) == whole[3:]


def test_mels_that_are_not_finite_change_no_weight(recorded: Any) -> None:
    import torch

    from voicemill.training.mel_adversary import MelAdversary

    adversary = MelAdversary(3)
    before = [weight.clone() for weight in adversary.discriminator.parameters()]
    loss = adversary.take_step(torch.full_like(recorded, torch.nan), recorded, torch.tensor(LENGTHS))
    assert float(loss) == 0
    for was, weight in zip(before, adversary.discriminator.parameters(), strict=True):
        assert torch.equal(was, weight)


def test_short_clips_are_judged_whole(recorded: Any) -> None:
    import torch

    from voicemill.training.mel_adversary import MelAdversary

    adversary = MelAdversary(3)
    short = recorded[:, :, :5].clone().requires_grad_()
    adversary.take_step(short, recorded[:, :, :5], torch.tensor([5, 5]))
    adversary.take_step(short, recorded[:, :, :5], torch.tensor([5, 5])).backward()
    assert bool(torch.isfinite(short.grad).all())
    assert all(weight.grad is None or weight.requires_grad for weight in adversary.discriminator.parameters())
