from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.dataset.stages.manifest import MOST_VALIDATION_CLIPS, assign_splits
from voicemill.errors import DatasetError


@given(st.lists(st.floats(1, 12), min_size=2, max_size=300), st.integers(0, 2**31 - 1))
def test_about_a_tenth_validates_and_the_choice_is_the_seeds(seconds: list[float], seed: int) -> None:
    texts = [str(index) for index in range(len(seconds))]
    chosen = assign_splits(seconds, texts, seed=seed)
    assert chosen == assign_splits(seconds, texts, seed=seed)
    count = chosen.count("validation")
    assert 1 <= count <= min(MOST_VALIDATION_CLIPS, len(seconds) - 1)
    assert abs(count - 0.1 * len(seconds)) <= 0.5 or count in (1, MOST_VALIDATION_CLIPS)


def test_validation_is_spread_over_the_lengths() -> None:
    seconds = [1 + index / 10 for index in range(100)]
    chosen = assign_splits(seconds, [str(index) for index in range(100)], seed=5)
    indices = [index for index, split in enumerate(chosen) if split == "validation"]
    assert [index // 10 for index in indices] == list(range(10))


def test_another_seed_chooses_others() -> None:
    seconds = [1 + index / 10 for index in range(100)]
    texts = [str(index) for index in range(100)]
    assert assign_splits(seconds, texts, seed=1) != assign_splits(seconds, texts, seed=2)


def test_a_repeated_text_stays_in_training() -> None:
    chosen = assign_splits([1.0, 2.0, 3.0], ["a", "a", "b"], seed=0)
    assert chosen == ["train", "train", "validation"]


@pytest.mark.parametrize("texts", [[], ["a"], ["a", "a"]])
def test_too_little_to_split(texts: list[str]) -> None:
    with pytest.raises(DatasetError) as caught:
        assign_splits([1.0] * len(texts), texts, seed=0)
    assert caught.value.reason == "dataset_too_small"
