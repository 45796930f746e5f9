from __future__ import annotations

import pytest

from voicemill.align.script_matching import choose_takes, find_takes
from voicemill.align.script_recognition import HypothesisWord
from voicemill.align.utterance_boundaries import SpeechRegions, UtteranceDraft, draft_utterances
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span

LIMITS = Segmentation()


def spoken(*stretches: list[tuple[str, float, float]]) -> tuple[list[Span], list[HypothesisWord]]:
    """Stretches of (word, start, end); a span is as long as its words."""
    spans = [Span(stretch[0][1], stretch[-1][2]) for stretch in stretches]
    return spans, [HypothesisWord(*word, index) for index, stretch in enumerate(stretches) for word in stretch]


def even(text: str, start: float, word: float = 0.4) -> list[tuple[str, float, float]]:
    return [(spelled, start + index * word, start + (index + 1) * word) for index, spelled in enumerate(text.split())]


def drafts(
    script: list[str], *stretches: list[tuple[str, float, float]], limits: Segmentation = LIMITS
) -> list[UtteranceDraft]:
    spans, hypothesis = spoken(*stretches)
    sentences = [sentence.lower().replace(",", "").replace(".", "").split() for sentence in script]
    takes, _ = choose_takes(find_takes(sentences, [word.text for word in hypothesis]), sentences)
    return draft_utterances(takes, SpeechRegions(spans, hypothesis), script, limits)


def test_a_sentence_over_two_stretches() -> None:
    [found] = drafts(["Every Tuesday, my aunt drives."], even("every tuesday", 1.0), even("my aunt drives", 2.1))
    assert found == UtteranceDraft(
        Span(1.0, pytest.approx(3.3)), "Every Tuesday, my aunt drives.", (0,), 1.0, "", "edge", "edge"
    )


def test_two_sentences_in_one_stretch_are_cut_at_the_silence_between_them() -> None:
    found = drafts(["One big fish.", "Two red fish."], even("one big fish", 1.0) + even("two red fish", 2.3))
    assert [(draft.text, draft.span.end, draft.problem) for draft in found] == [
        ("One big fish.", pytest.approx(2.2), ""),
        ("Two red fish.", pytest.approx(3.5), ""),
    ]


def test_two_sentences_without_a_pause_stay_together() -> None:
    [found] = drafts(["One big fish.", "Two red fish."], even("one big fish two red fish", 1.0))
    assert (found.text, found.sentences, found.problem) == ("One big fish. Two red fish.", (0, 1), "")


def test_a_missed_first_word_is_still_inside() -> None:
    [found] = drafts(
        ["Good morning, dear people."],
        even("morning dear people", 1.4),
    )
    assert found.span.start == 1.4
    spans, hypothesis = spoken(even("morning dear people", 1.8))
    takes, _ = choose_takes(
        find_takes([["good", "morning", "dear", "people"]], [word.text for word in hypothesis]), [["x"] * 4]
    )
    [wider] = draft_utterances(
        takes, SpeechRegions([Span(1.0, 1.4), *spans], hypothesis), ["Good morning, dear people."], LIMITS
    )
    assert wider.span.start == 1.0  # a region of its own, near, and as long as the word that is missing


def test_a_long_sentence_is_split_at_its_longest_pause() -> None:
    script = ["One two three four five, six seven eight nine ten, a b c d e f g h i j k l m n."]
    first, second, third = (
        even("one two three four five", 0.0, 1.0),
        even("six seven eight nine ten", 5.3, 1.0),
        even("a b c d e f g h i j k l m n", 10.5, 0.3),
    )
    found = drafts(script, first, second, third)
    assert [draft.text for draft in found] == [
        "One two three four five,",
        "six seven eight nine ten, a b c d e f g h i j k l m n.",
    ]
    assert all(draft.sentences == (0,) and not draft.problem for draft in found)
    assert all(draft.span.duration <= LIMITS.max_duration for draft in found)


def test_too_long_without_a_pause() -> None:
    [found] = drafts([" ".join("abcdefghijklmno")], even(" ".join("abcdefghijklmno"), 0.0, 1.0))
    assert found.problem == "too_long"


def test_a_short_sentence_joins_its_neighbour() -> None:
    found = drafts(["Run.", "The dog ran away."], even("run", 1.0), even("the dog ran away", 1.9))
    assert [(draft.text, draft.sentences) for draft in found] == [("Run. The dog ran away.", (0, 1))]


def test_a_short_sentence_far_from_others() -> None:
    found = drafts(["Run.", "The dog ran away."], even("run", 1.0), even("the dog ran away", 9.0))
    assert [(draft.text, draft.problem) for draft in found] == [("Run.", "too_short"), ("The dog ran away.", "")]


def test_other_speech_is_cut_off_at_a_silence() -> None:
    [found] = drafts(["The dog ran away."], even("oh no well", 0.0) + even("the dog ran away", 1.3))
    assert (found.span.start, found.problem) == (pytest.approx(1.3), "")


def test_other_speech_without_a_silence_makes_the_clip_unusable() -> None:
    [found] = drafts(["The dog ran away."], even("oh no well the dog ran away", 0.0))
    assert found.problem == "extra_speech"


def test_a_misheard_start_stays_with_its_sentence() -> None:
    first, second = "One big fish swims here.", "And it is worth mention."
    misheard = even("one big fish swims here", 1.0) + even("at", 3.1, 0.2) + even("is worth mention", 3.45)
    found = drafts([first, second], misheard)
    assert [(draft.text, draft.span.start, draft.problem) for draft in found] == [(first, 1.0, ""), (second, 3.1, "")]


def test_a_misheard_start_on_the_other_side_of_a_pause() -> None:
    first, second = "One big fish swims here.", "And it is worth mention."
    misheard = even("one big fish swims here", 1.0) + even("at", 3.1, 0.2)
    found = drafts([first, second], misheard, even("is worth mention", 3.6))
    assert [(draft.text, draft.span.start, draft.problem) for draft in found] == [(first, 1.0, ""), (second, 3.1, "")]


def test_a_misheard_start_without_any_silence_joins_the_sentences() -> None:
    misheard = [*even("one big fish swims here", 1.0), ("at", 3.0, 3.5), *even("is worth mention", 3.5)]
    [found] = drafts(["One big fish swims here.", "And it is worth mention."], misheard)
    assert (found.sentences, found.problem) == ((0, 1), "")


def test_a_misheard_start_before_a_pause_without_a_silence_before_it_joins_the_sentences() -> None:
    misheard = [*even("one big fish swims here", 1.0), ("at", 3.03, 3.45)]
    [found] = drafts(["One big fish swims here.", "And it is worth mention."], misheard, even("is worth mention", 3.65))
    assert (found.sentences, found.problem) == ((0, 1), "")


def test_a_misheard_end_stays_with_its_sentence() -> None:
    first, second = "One big fish swims to it.", "Two red birds fly."
    misheard = even("one big fish swims", 1.0) + even("toad", 2.68, 0.4) + even("two red birds fly", 3.18)
    found = drafts([first, second], misheard)
    assert [(draft.text, draft.span.end, draft.problem) for draft in found] == [
        (first, pytest.approx(3.08), ""),
        (second, pytest.approx(4.78), ""),
    ]


def test_other_speech_costs_only_the_piece_that_it_touches() -> None:
    script = ["One two three four five, six seven eight nine ten, a b c d e f g h i j k l m n."]
    first, second, third = (
        even("oh no well one two three four five", 0.0, 0.6),
        even("six seven eight nine ten", 5.3, 1.0),
        even("a b c d e f g h i j k l m n", 10.5, 0.3),
    )
    found = drafts(script, first, second, third)
    assert [(draft.text, draft.problem) for draft in found] == [
        ("One two three four five,", "extra_speech"),
        ("six seven eight nine ten, a b c d e f g h i j k l m n.", ""),
    ]
