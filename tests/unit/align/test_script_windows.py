from __future__ import annotations

import random

import pytest

from voicemill.align.script_windows import ANCHOR_INTERVAL, BLOCK, anchor_spans, windows

WORDS = [first + last for first in "bdfgklmnprst" for last in ("ad", "en", "ip", "ol", "ush", "ay", "ear", "oon")]


@pytest.fixture(scope="module")
def script() -> list[list[str]]:
    """600 sentences of few words that come again and again, one line in fifty without any."""
    rng = random.Random(1)
    return [rng.choices(WORDS, k=rng.randint(3, 14)) if index % 50 else [] for index in range(600)]


def misrecognised(words: list[str], rng: random.Random) -> list[str]:
    """One word in eight is another one."""
    return [rng.choice(WORDS) if rng.random() < 0.125 else word for word in words]


def windows_of_sentences(script: list[list[str]], read: list[int]) -> list[tuple[int, range]]:
    """The sentence that each span reads, and the window of the script for it."""
    rng, count = random.Random(2), len(read)
    hypotheses = {index: misrecognised(script[read[index]], rng) for index in anchor_spans(count)}
    found = windows(count, hypotheses, script)
    assert [span for spans, _ in found for span in spans] == list(range(count))
    return [(read[span], part) for spans, part in found for span in spans]


def test_a_short_recording_has_no_anchors() -> None:
    assert not anchor_spans(4 * BLOCK - 1)
    assert len(anchor_spans(4 * BLOCK)) == 4 * BLOCK // ANCHOR_INTERVAL


def test_windows_contain_the_sentence_that_is_read_and_little_else(script: list[list[str]]) -> None:
    found = windows_of_sentences(script, list(range(600)))
    assert all(sentence in part for sentence, part in found)
    assert max(len(part) for _, part in found) < len(script) / 4


def test_a_skipped_chapter_and_a_repeated_page(script: list[list[str]]) -> None:
    found = windows_of_sentences(script, [*range(120), *range(300, 400), *range(380, 600)])
    assert sum(sentence in part for sentence, part in found) >= len(found) - 2
    assert sum(len(part) < len(script) / 4 for _, part in found) > len(found) / 2


def test_other_speech_between_the_anchors(script: list[list[str]]) -> None:
    rng = random.Random(3)
    hypotheses = {index: misrecognised(script[index], rng) for index in anchor_spans(600)}
    for index in list(hypotheses)[5::9]:
        hypotheses[index] = script[-index]
    for spans, part in windows(600, hypotheses, script):
        assert set(spans) <= set(part)


def test_the_window_is_the_whole_script_if_no_sentence_was_found(script: list[list[str]]) -> None:
    for nothing in ({}, {8: []}, {8: ["quite", "another", "text"]}):
        assert {part for _, part in windows(200, nothing, script)} == {range(600)}
