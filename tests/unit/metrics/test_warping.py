from __future__ import annotations

import numpy as np
import pytest

from voicemill.errors import NotMeasurableError
from voicemill.metrics import warping
from voicemill.metrics.warping import warping_path


def plain_cost(first: np.ndarray, second: np.ndarray) -> float:
    """The textbook recursion, cell by cell."""
    cost = np.linalg.norm(first[:, None] - second[None], axis=2)
    total = np.full((len(first) + 1, len(second) + 1), np.inf)
    total[0, 0] = 0.0
    for i in range(len(first)):
        for j in range(len(second)):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (7, 1), (6, 9), (20, 13)])
def test_path_is_monotonic_complete_and_optimal(rows: int, columns: int) -> None:
    rng = np.random.default_rng(rows * 100 + columns)
    first, second = rng.standard_normal((rows, 3)), rng.standard_normal((columns, 3))
    path = warping_path(first, second)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [rows - 1, columns - 1]
    steps = np.diff(path, axis=0)
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(axis=1) >= 1).all()
    cost = np.linalg.norm(first[path[:, 0]] - second[path[:, 1]], axis=1).sum()
    assert cost == pytest.approx(plain_cost(first, second), abs=1e-6)


def test_equal_sequences_pair_frame_by_frame() -> None:
    features = np.random.default_rng(1).standard_normal((30, 4))
    assert (warping_path(features, features) == np.arange(30)[:, None]).all()


def test_a_stretched_sequence_is_followed_without_cost() -> None:
    features = np.random.default_rng(2).standard_normal((10, 4))
    path = warping_path(features, np.repeat(features, 3, axis=0))
    assert (path[:, 1] // 3 == path[:, 0]).all()


@pytest.mark.parametrize(("first", "second"), [((0, 3), (4, 3)), ((4, 3), (4, 2)), ((4,), (4, 1))])
def test_features_of_other_shapes_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(NotMeasurableError):
        warping_path(np.zeros(first), np.zeros(second))


def test_too_long_is_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warping, "MAX_CELLS", 100)
    with pytest.raises(NotMeasurableError, match="too many"):
        warping_path(np.zeros((11, 2)), np.zeros((11, 2)))
