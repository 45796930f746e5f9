"""Captions onto speech: the borders that the ear hears, whatever the reader's eye was given."""

from __future__ import annotations

import random

from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.dataset.captioned import Group, group
from voicemill.text.captions import Caption

LIMITS = Segmentation()


def _captions(*parts: tuple[float, float]) -> list[Caption]:
    return [Caption(start, end, f"Words {number}.", number) for number, (start, end) in enumerate(parts)]


def _shown(groups: list[Group]) -> list[tuple[tuple[int, ...], float, float, str]]:
    return [
        (tuple(one.line for one in found.captions), found.voiced.start, found.voiced.end, found.problem)
        for found in groups
    ]


def test_rough_times_find_their_silence() -> None:
    speech = [Span(1.0, 3.0), Span(3.5, 6.0), Span(6.4, 6.9), Span(7.0, 9.0)]
    generator = random.Random(0)
    for _ in range(50):
        moved = [generator.uniform(-0.25, 0.25) for _ in range(4)]
        captions = _captions(
            (1.0 + moved[0], 3.1 + moved[1]), (3.4 + moved[1], 6.2 + moved[2]), (6.3 + moved[2], 9 + moved[3])
        )
        assert _shown(group(captions, speech, 10.0, LIMITS)) == [
            ((0,), 1.0, 3.0, ""),
            ((1,), 3.5, 6.0, ""),
            ((2,), 6.4, 9.0, ""),
        ]


def test_a_sentence_over_two_captions_stays_whole() -> None:
    speech = [Span(1.0, 7.0), Span(8.0, 10.0)]
    found = group(_captions((1.0, 4.0), (4.0, 7.0), (8.0, 10.0)), speech, 11.0, LIMITS)
    assert _shown(found) == [((0, 1), 1.0, 7.0, ""), ((2,), 8.0, 10.0, "")]
    assert [join.reason for join in found[0].joins] == ["no_silence"]
    assert found[0].text == "Words 0. Words 1."


def test_speech_without_a_caption_is_not_taken_in() -> None:
    speech = [Span(1.0, 3.0), Span(5.0, 7.0), Span(9.0, 11.0)]
    found = group(_captions((1.0, 3.0), (9.0, 11.0)), speech, 12.0, LIMITS)
    assert _shown(found) == [((0,), 1.0, 3.0, ""), ((1,), 9.0, 11.0, "")]


def test_what_cannot_be_used_says_why() -> None:
    speech = [Span(1.0, 4.0), Span(6.0, 30.0), Span(33.0, 33.4)]
    captions = _captions((2.0, 3.0), (6.0, 30.0), (31.2, 32.0), (33.0, 33.4))
    problems = [(one.captions[0].line, one.problem) for one in group(captions, speech, 40.0, LIMITS)]
    assert problems == [(0, "extra_speech"), (1, "too_long"), (2, "no_speech"), (3, "too_short")]


def test_a_short_one_joins_the_nearer() -> None:
    speech = [Span(1.0, 3.0), Span(3.8, 4.1), Span(4.5, 7.0)]
    found = group(_captions((1.0, 3.0), (3.8, 4.1), (4.5, 7.0)), speech, 8.0, LIMITS)
    assert _shown(found) == [((0,), 1.0, 3.0, ""), ((1, 2), 3.8, 7.0, "")]
    assert [(join.reason, round(join.pause, 3)) for join in found[1].joins] == [("too_short", 0.4)]


def test_nothing() -> None:
    assert group([], [Span(1.0, 2.0)], 3.0, LIMITS) == []
    assert [one.problem for one in group(_captions((1.0, 2.0)), [], 3.0, LIMITS)] == ["no_speech"]
