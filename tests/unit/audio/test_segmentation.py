"""Cuts fall into pauses, utterances keep their limits, nothing is lost without a word."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.audio.segmentation import Segmentation, plan, segment
from voicemill.audio.vad import Span, speech_spans

RATE = 16_000


def recording(spans: list[Span], length: float) -> np.ndarray:
    """Noise bursts where somebody speaks, a low noise elsewhere."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1e-3, round(length * RATE))
    for span in spans:
        part = slice(round(span.start * RATE), round(span.end * RATE))
        samples[part] = rng.normal(0, 0.2, len(samples[part]))
    return samples.astype(np.float32)


def spans_of(*borders: float) -> list[Span]:
    return [Span(start, end) for start, end in zip(borders[::2], borders[1::2], strict=True)]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100])
def test_cuts_do_not_drift_in_a_long_recording(rate: int) -> None:
    """A step of 5 ms is no whole number of samples at every rate; after minutes the difference would be seconds."""
    spans = spans_of(*(value for index in range(60) for value in (0.5 + 3.0 * index, 2.5 + 3.0 * index)))
    samples = np.full(180 * rate, 1e-4, dtype=np.float32)
    for span in spans:
        samples[round(span.start * rate) : round(span.end * rate)] = 0.3
        samples[round((span.end + 0.09) * rate) : round((span.end + 0.13) * rate)] = 0.0
    for utterance, span in zip(segment(spans, samples, rate), spans, strict=True):
        assert 0.09 <= utterance.end - span.end <= 0.13


def test_one_utterance_per_pause() -> None:
    spans = spans_of(0.5, 2.5, 3.2, 6.0, 7.0, 9.0)
    found = segment(spans, recording(spans, 10.0), RATE)
    assert len(found) == 3
    for utterance, span in zip(found, spans, strict=True):
        assert 0.05 - 1e-6 <= span.start - utterance.start <= 0.15 + 1e-6
        assert 0.05 - 1e-6 <= utterance.end - span.end <= 0.15 + 1e-6


def test_short_dips_do_not_separate() -> None:
    spans = spans_of(0.5, 2.0, 2.2, 3.0, 3.25, 4.0)
    assert len(segment(spans, recording(spans, 5.0), RATE)) == 1


def test_cut_falls_into_the_quietest_point() -> None:
    spans = spans_of(1.0, 3.0, 4.0, 6.0)
    samples = recording(spans, 7.0)
    samples[round(3.07 * RATE) : round(3.10 * RATE)] = 0.0
    found = segment(spans, samples, RATE)
    assert 3.07 <= found[0].end <= 3.10


def test_a_cut_keeps_its_distance_from_a_late_consonant() -> None:
    """What sounds on behind the end that the model saw (a final s) is not cut through."""
    spans = spans_of(1.0, 3.0, 4.0, 6.0)
    samples = recording([Span(1.0, 3.08), Span(4.0, 6.0)], 7.0)
    found = segment(spans, samples, RATE)
    assert 3.08 <= found[0].end <= 3.16


def test_short_one_joins_the_nearer_neighbour() -> None:
    spans = spans_of(1.0, 3.0, 3.5, 4.0, 4.9, 7.0)
    found = segment(spans, recording(spans, 8.0), RATE)
    assert [round(item.start) for item in found] == [1, 5]
    assert found[0].end > 4.0


def test_short_one_without_a_neighbour_is_reported() -> None:
    spans = spans_of(1.0, 3.0, 6.0, 6.4, 9.0, 11.0)
    found = plan(spans, recording(spans, 12.0), RATE)
    assert len(found.kept) == 2
    assert [(item.reason, item.span) for item in found.dropped] == [("too_short", Span(6.0, 6.4))]


def test_long_one_is_split_at_its_longest_pause() -> None:
    spans = spans_of(1.0, 5.0, 5.15, 9.0, 9.28, 12.0, 12.1, 15.0)
    found = segment(spans, recording(spans, 16.0), RATE)
    assert len(found) == 2
    assert 9.0 < found[0].end <= found[1].start < 9.28


def test_long_one_is_split_repeatedly() -> None:
    borders = [value for index in range(20) for value in (1.0 + 2.0 * index, 2.85 + 2.0 * index)]
    spans = spans_of(*borders)
    found = plan(spans, recording(spans, 43.0), RATE)
    assert not found.dropped
    assert all(1.0 <= item.duration <= 12.0 for item in found.kept)


def test_long_one_without_a_pause_in_the_spans_is_searched_for_one() -> None:
    samples = recording(spans_of(1.0, 8.0, 8.15, 15.0), 16.0)
    found = plan([Span(1.0, 15.0)], samples, RATE)
    assert not found.dropped
    assert len(found.kept) == 2
    assert 8.0 <= found.kept[0].end <= found.kept[1].start <= 8.15


def test_an_hour_without_a_long_pause() -> None:
    spans = spans_of(*(value for index in range(1800) for value in (2.0 * index, 2.0 * index + 1.9)))
    found = plan(spans, np.zeros(3600 * 100, dtype=np.float32), 100)
    assert not found.dropped
    assert max(item.duration for item in found.kept) <= 12.0


def test_long_one_without_any_pause_is_reported_not_cut() -> None:
    found = plan([Span(1.0, 15.0)], recording([Span(1.0, 15.0)], 16.0), RATE)
    assert found.kept == []
    assert [item.reason for item in found.dropped] == ["no_pause"]


@pytest.mark.parametrize("spans", [[], [Span(0.0, 0.2)]])
def test_nothing_to_segment(spans: list[Span]) -> None:
    assert segment(spans, recording(spans, 1.0), RATE) == []


def test_speech_from_the_first_to_the_last_sample() -> None:
    spans = [Span(0.0, 3.0)]
    assert segment(spans, recording(spans, 3.0), RATE) == [Span(0.0, 3.0)]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 2.0), st.floats(0.25, 9.0)), min_size=1, max_size=25),
    st.sampled_from([12.0, 6.0, 4.0]),
)
def test_invariants(lengths: list[tuple[float, float]], longest: float) -> None:
    spans, position = [], 0.0
    for pause, speech in lengths:
        spans.append(Span(position + pause, position + pause + speech))
        position = spans[-1].end
    limits = Segmentation(max_duration=longest)
    found = plan(spans, recording(spans, position + 0.5), RATE, limits)
    assert all(limits.min_duration <= item.duration <= limits.max_duration for item in found.kept)
    assert all(left.end <= right.start for left, right in pairwise(found.kept))
    assert all(item.start >= 0.0 and item.end <= position + 0.5 for item in found.kept)
    left_out = [item.span for item in found.dropped]
    for span in spans:  # every span is whole in one utterance, or reported, or was searched for pauses
        inside = [
            item for item in found.kept + left_out if item.start <= span.start + 1e-9 and span.end <= item.end + 1e-9
        ]
        assert len(inside) == 1 or span.duration > longest - 0.3
    for item in found.kept:  # no utterance begins or ends inside speech
        for border in (item.start, item.end):
            assert not any(
                span.start + 1e-9 < border < span.end - 1e-9 for span in spans if span.duration <= longest - 0.3
            )


@pytest.mark.parametrize(
    "limits",
    [
        {"min_duration": 0.0},
        {"min_duration": 13.0},
        {"min_padding": 0.2},
        {"min_padding": -0.1},
        {"min_pause": 0.0},
        {"min_pause": 2.0},
    ],
)
def test_invalid_limits(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Segmentation(**limits)


def test_utterances_of_the_demo(demo_speech: np.ndarray) -> None:
    import soxr

    speech = soxr.resample(demo_speech, 22_050, RATE).astype(np.float32)
    found = plan(speech_spans(speech), demo_speech, 22_050)
    assert len(found.kept) >= 4
    assert all(1.0 <= item.duration <= 12.0 for item in found.kept)
    edge = [
        np.sqrt(np.mean(np.square(demo_speech[round(second * 22_050) - 110 : round(second * 22_050) + 110])))
        for item in found.kept
        for second in (item.start, item.end - 0.005)
    ]
    assert 20 * np.log10(max(edge)) < -50


def test_every_cut_has_a_reason() -> None:
    spans = spans_of(1.0, 3.0, 3.5, 4.0, 6.0, 11.0, 11.15, 15.0, 15.25, 19.0)
    found = plan(spans, recording(spans, 20.0), RATE)
    assert not found.dropped
    reasons = [(start.reason, end.reason) for start, end in found.cuts]
    assert reasons == [("edge", "pause"), ("pause", "longest_pause"), ("longest_pause", "edge")]
    for utterance, (start, end) in zip(found.kept, found.cuts, strict=True):
        assert (utterance.start, utterance.end) == (start.second, end.second)
        assert start.level is not None
        assert start.level == pytest.approx(-60, abs=3)  # of the noise, not of the speech
    assert [cut.pause for cut in found.cuts[0]] == pytest.approx([1.0, 2.0])
    assert [
        [(join.reason, round(join.second, 2), round(join.pause, 2)) for join in joins] for joins in found.joins
    ] == [
        [("too_short", 3.25, 0.5)],
        [],
        [],
    ]


def test_a_dip_is_distinguished_from_a_pause() -> None:
    samples = recording(spans_of(1.0, 8.0, 8.15, 15.0), 16.0)
    found = plan([Span(1.0, 15.0)], samples, RATE)
    assert [(start.reason, end.reason) for start, end in found.cuts] == [("edge", "dip"), ("dip", "edge")]
