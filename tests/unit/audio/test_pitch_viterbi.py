"""The banded search against a dense one that is too simple to be wrong."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.audio import pitch_viterbi
from voicemill.audio.pitch_viterbi import Observation, decode, transitions

Floats = npt.NDArray[np.float64]


def dense_matrix(bins: int, width: int) -> Floats:
    local = np.zeros((bins, bins))
    for source in range(bins):
        for target in range(bins):
            local[source, target] = max(0, width // 2 + 1 - abs(source - target)) / (width // 2 + 1)
    local /= local.sum(axis=1, keepdims=True)
    return np.log(np.kron([[0.99, 1 - 0.99], [1 - 0.99, 0.99]], local) + np.finfo(np.float64).tiny)


def dense_decode(probability: Floats, matrix: Floats) -> npt.NDArray[np.intp]:
    tiny = np.finfo(np.float64).tiny
    log = np.log(probability + tiny)
    value = log[0] + np.log(1 / probability.shape[1] + tiny)
    pointers = np.zeros(probability.shape, dtype=np.intp)
    for frame in range(1, len(log)):
        options = value[:, None] + matrix
        pointers[frame] = options.argmax(axis=0)
        value = log[frame] + options.max(axis=0)
    states = [int(value.argmax())]
    for frame in range(len(log) - 1, 0, -1):
        states.append(int(pointers[frame, states[-1]]))
    return np.array(states[::-1])


def observe(voiced: Floats) -> tuple[Observation, Floats]:
    frame, pitch_bin = np.nonzero(voiced)
    bins = voiced.shape[1]
    unvoiced = (1 - np.clip(voiced.sum(axis=1), 0, 1)) / bins
    whole = np.concatenate([voiced, np.repeat(unvoiced[:, None], bins, axis=1)], axis=1)
    return Observation(frame=frame, bin=pitch_bin, probability=voiced[frame, pitch_bin], unvoiced=unvoiced), whole


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 40),
    bins=st.integers(2, 30),
    half=st.integers(0, 6),
    sparsity=st.sampled_from([0.0, 0.6, 0.9, 0.99, 1.0]),
    certain=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_same_path_as_a_dense_search(
    seed: int, frames: int, bins: int, half: int, sparsity: float, certain: float
) -> None:
    rng = np.random.default_rng(seed)
    voiced = rng.random((frames, bins)) ** 8 * (rng.random((frames, bins)) >= sparsity)
    total = voiced.sum(axis=1, keepdims=True)
    # some frames are voiced for certain: every unvoiced state has probability zero, and nothing may be left out
    scale = np.where(rng.random((frames, 1)) < certain, 1.0, rng.random((frames, 1)))
    voiced = np.divide(voiced, total, out=np.zeros_like(voiced), where=total > 0) * scale
    observation, whole = observe(voiced)
    expected = dense_decode(whole, dense_matrix(bins, 2 * half + 1))
    np.testing.assert_array_equal(decode(observation, transitions(bins, 2 * half + 1)), expected)


@pytest.mark.parametrize("block", [1, 2, 7, 40, 41])
def test_blocks_make_no_difference(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    voiced = rng.random((40, 25)) ** 9 / 25
    voiced[10:20] = 0.0
    voiced[25] = np.eye(25)[7]
    observation, whole = observe(voiced)
    monkeypatch.setattr(pitch_viterbi, "_BLOCK", block)
    np.testing.assert_array_equal(decode(observation, transitions(25, 7)), dense_decode(whole, dense_matrix(25, 7)))


def test_join_shifts_frames() -> None:
    first, _ = observe(np.array([[0.0, 0.5], [0.0, 0.0]]))
    second, _ = observe(np.array([[0.25, 0.0]]))
    joined = Observation.join([first, second], bins=2)
    assert joined.frame.tolist() == [0, 2]
    assert joined.bin.tolist() == [1, 0]
    assert joined.unvoiced.tolist() == [0.25, 0.5, 0.375]


def test_every_row_of_transitions_sums_to_one() -> None:
    moves = transitions(61, 51)
    leaving = np.exp(moves.into).sum()
    assert leaving == pytest.approx(61.0)
    assert moves.arriving.shape == (2, 61, 2, 51)
    assert np.exp(moves.out_of).sum(axis=1) == pytest.approx(np.full(61, 0.01))
