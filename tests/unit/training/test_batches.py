"""Parts of clips: their tokens, frames and pitch stay together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from voicemill.training.batches import MIN_EXCERPT_FRAMES, Example, excerpt

SPACE = 0
WORDS = 12


@pytest.fixture
def example() -> Example:
    """Twelve words of two phones, between spaces; a frame's mel and a token's pitch name the token."""
    import torch

    tokens = [SPACE, *(token for word in range(WORDS) for token in (2 * word + 1, 2 * word + 2, SPACE))]
    durations = [3 if token == SPACE else 10 + token % 3 for token in tokens]
    number = torch.arange(len(tokens))
    return Example(
        tokens=torch.tensor(tokens),
        mel=torch.repeat_interleave(number, torch.tensor(durations)).float().expand(4, -1),
        pitch=number.float(),
        durations=torch.tensor(durations),
        prior=None,
    )


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9])
def test_an_excerpt_is_a_run_of_whole_words_with_its_own_frames(example: Example, part: float) -> None:
    assert example.durations is not None
    first_tokens = set()
    for seed in range(40):
        found = excerpt(example, SPACE, part, np.random.default_rng(seed))
        assert found.durations is not None
        first, last = int(found.pitch[0]), int(found.pitch[-1])
        first_tokens.add(first)
        assert found.pitch.tolist() == list(range(first, last + 1))
        assert found.tokens.tolist() == example.tokens[first : last + 1].tolist()
        assert found.durations.tolist() == example.durations[first : last + 1].tolist()
        assert int(example.tokens[first - 1]) == int(example.tokens[last + 1]) == SPACE
        assert int(found.tokens[0]) != SPACE != int(found.tokens[-1])
        counts = found.durations.tolist()
        assert found.mel[0].tolist() == [
            token for token, count in zip(range(first, last + 1), counts, strict=True) for _ in range(count)
        ]
        least = max(MIN_EXCERPT_FRAMES, int(part * example.mel.shape[1]))
        assert least <= found.mel.shape[1] < least + 30, "no longer than needed"
    assert len(first_tokens) > (1 if part < 0.9 else 0)


def test_the_seed_chooses_the_words(example: Example) -> None:
    one, same, other = (excerpt(example, SPACE, 0.3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tokens.tolist() == same.tokens.tolist() != other.tokens.tolist()


def test_what_has_no_shorter_run_stays_whole(example: Example) -> None:
    import torch

    random = np.random.default_rng(0)
    assert example.durations is not None
    short = dataclasses.replace(
        example,
        tokens=example.tokens[:4],
        pitch=example.pitch[:4],
        durations=example.durations[:4],
        mel=example.mel[:, :26],
    )
    silent = dataclasses.replace(example, tokens=torch.zeros_like(example.tokens))
    prior = dataclasses.replace(example, durations=None)
    for whole in (short, silent, prior):
        assert excerpt(whole, SPACE, 0.5, random) is whole
