from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.errors import DatasetError
from voicemill.training.durations import (
    AlignedPhone,
    AlignedWord,
    TokenSpan,
    frame_counts,
    gaussian_prior,
    is_sounded,
    token_pitch,
    token_spans,
)

WORDS = (
    AlignedWord("hi", (AlignedPhone("HH", 0.1, 0.2), AlignedPhone("AY", 0.2, 0.4))),
    AlignedWord("you", (AlignedPhone("Y", 0.6, 0.7), AlignedPhone("UW", 0.7, 0.9))),
)


def spans(symbols: list[str], *, strict: bool = True) -> list[tuple[float, float]]:
    return [(span.start, span.end) for span in token_spans(symbols, WORDS, 1.0, clip="c", strict=strict)]


def test_a_comma_has_the_pause_and_the_space_after_it_no_duration() -> None:
    assert spans([" ", "HH", "AY", ",", " ", "Y", "UW", ".", " "]) == [
        (0.0, 0.1),
        (0.1, 0.2),
        (0.2, 0.4),
        (0.4, 0.6),
        (0.6, 0.6),
        (0.6, 0.7),
        (0.7, 0.9),
        (0.9, 1.0),
        (1.0, 1.0),
    ]


def test_without_tokens_to_hold_them_pauses_go_to_the_phone_before() -> None:
    assert spans(["HH", "AY", "Y", "UW"]) == [(0.0, 0.2), (0.2, 0.6), (0.6, 0.7), (0.7, 1.0)]


def test_stress_marks_do_not_matter() -> None:
    assert spans(["HH", "AY1", " ", "Y", "UW0"])[1] == (0.2, 0.4)


def test_other_phones_are_refused_and_the_first_is_named() -> None:
    with pytest.raises(DatasetError, match="phone 2 is EY in the text and AY in the alignment") as caught:
        spans(["HH", "EY", " ", "Y", "UW"])
    assert caught.value.reason == "alignment_mismatch:c"


def test_a_word_spelled_by_letters_shares_its_time_when_not_strict() -> None:
    found = spans(["HH", "AY1", " ", "y", "o", "u"], strict=False)
    np.testing.assert_allclose(found[3:], [(0.6, 0.7), (0.7, 0.8), (0.8, 1.0)])
    with pytest.raises(DatasetError, match="1 words and the alignment 2"):
        spans(["HH", "AY1", "Y", "U"], strict=False)


@pytest.mark.parametrize("symbols", [[], [" ", "."]])
def test_a_text_without_phones(symbols: list[str]) -> None:
    with pytest.raises(DatasetError, match="it has no phones"):
        spans(symbols)


def test_sounded_symbols() -> None:
    assert [symbol for symbol in ("AH0", "x", " ", ",", "'", "<pad>") if is_sounded(symbol)] == ["AH0", "x", "<pad>"]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=40), st.integers(0, 300), st.floats(20, 200))
@settings(deadline=None)
def test_frames_always_sum_to_the_mel(lengths: list[float], frames: int, rate: float) -> None:
    ends = np.cumsum(lengths)
    tokens = [TokenSpan(float(end - length), float(end)) for end, length in zip(ends, lengths, strict=True)]
    counts = frame_counts(tokens, frames, rate)
    assert counts.sum() == frames
    assert (counts >= 0).all()


def test_frame_boundaries_are_rounded_once() -> None:
    counts = frame_counts([TokenSpan(0, 0.014), TokenSpan(0.014, 0.026), TokenSpan(0.026, 0.04)], 4, 100.0)
    assert counts.tolist() == [1, 2, 1]


def test_prior_peaks_at_each_token() -> None:
    prior = gaussian_prior([TokenSpan(0, 0.1), TokenSpan(0.1, 0.3), TokenSpan(0.3, 0.4)], 40, 100.0)
    assert prior.shape == (40, 3)
    assert prior.dtype == np.float32
    assert prior.argmax(axis=0).tolist() == [4, 19, 34]
    assert (prior > 0).all()


def test_token_pitch_averages_voiced_frames_only() -> None:
    pitch = np.array([1.0, 0.0, 3.0, 0.0, 0.0, -2.0], dtype=np.float32)
    assert token_pitch(pitch, np.array([3, 2, 0, 1])).tolist() == [2.0, 0.0, 0.0, -2.0]
