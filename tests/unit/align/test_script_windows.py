from __future__ import annotations

import random

import pytest

from voicemill.align.script_windows import BLOCK, EVERY, parts, sample

WORDS = [first + last for first in "bdfgklmnprst" for last in ("ad", "en", "ip", "ol", "ush", "ay", "ear", "oon")]


@pytest.fixture(scope="module")
def script() -> list[list[str]]:
    """600 sentences of few words that come again and again, one line in fifty without any."""
    rng = random.Random(1)
    return [rng.choices(WORDS, k=rng.randint(3, 14)) if index % 50 else [] for index in range(600)]


def misheard(words: list[str], rng: random.Random) -> list[str]:
    """One word in eight is another one."""
    return [rng.choice(WORDS) if rng.random() < 0.125 else word for word in words]


def near(script: list[list[str]], read: list[int]) -> list[tuple[int, range]]:
    """The sentence that is said in each stretch, and the sentences that are expected there."""
    rng, count = random.Random(2), len(read)
    heard = {index: misheard(script[read[index]], rng) for index in sample(count)}
    found = parts(count, heard, script)
    assert [stretch for stretches, _ in found for stretch in stretches] == list(range(count))
    return [(read[stretch], part) for stretches, part in found for stretch in stretches]


def test_a_short_recording_needs_no_sample() -> None:
    assert not sample(4 * BLOCK - 1)
    assert len(sample(4 * BLOCK)) == 4 * BLOCK // EVERY


def test_what_is_read_is_near_and_most_of_the_script_is_not(script: list[list[str]]) -> None:
    found = near(script, list(range(600)))
    assert all(sentence in part for sentence, part in found)
    assert max(len(part) for _, part in found) < len(script) / 4


def test_a_reader_may_leave_out_a_chapter_and_read_a_page_twice(script: list[list[str]]) -> None:
    found = near(script, [*range(120), *range(300, 400), *range(380, 600)])
    assert sum(sentence in part for sentence, part in found) >= len(found) - 2
    assert sum(len(part) < len(script) / 4 for _, part in found) > len(found) / 2


def test_a_voice_that_says_something_else_in_between_does_not_lead_astray(script: list[list[str]]) -> None:
    rng = random.Random(3)
    heard = {index: misheard(script[index], rng) for index in sample(600)}
    for index in list(heard)[5::9]:
        heard[index] = script[-index]
    for stretches, part in parts(600, heard, script):
        assert set(stretches) <= set(part)


def test_the_whole_script_where_nothing_of_it_was_heard(script: list[list[str]]) -> None:
    for nothing in ({}, {8: []}, {8: ["quite", "another", "text"]}):
        assert {part for _, part in parts(200, nothing, script)} == {range(600)}
