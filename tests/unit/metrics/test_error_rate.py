from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import NotMeasurableError
from voicemill.metrics.error_rate import ErrorRate, character_errors, interval, pooled, spoken_words, word_errors


def test_case_and_punctuation_never_count() -> None:
    assert spoken_words("Well, it's LATE!") == "well it's late"
    assert pooled(word_errors(["Well, it's late!"], ["well it's late"])).rate == 0.0


def test_counts_substitutions_insertions_and_deletions() -> None:
    found = word_errors(["one two three four", "five six"], ["one too three", "five six seven"])
    assert [each.errors for each in found] == [2, 1]
    assert pooled(found) == ErrorRate(errors=3, length=6)


def test_the_set_s_rate_weighs_sentences_by_length() -> None:
    found = character_errors(["abcdefghij", "ab"], ["abcdefghij", ""])
    assert pooled(found).rate == pytest.approx(2 / 12)


def test_an_empty_text_misses_every_word() -> None:
    assert pooled(word_errors(["one two"], [""])).rate == 1.0


def test_interval_holds_the_rate_and_repeats() -> None:
    found = [ErrorRate(errors, 20) for errors in (0, 1, 2, 5, 0, 3)]
    low, high = interval(found)
    assert low < pooled(found).rate < high
    assert interval(found) == (low, high)


@pytest.mark.parametrize(("references", "hypotheses"), [(["one"], []), (["..."], ["one"])])
def test_lists_that_do_not_pair_up_are_refused(references: list[str], hypotheses: list[str]) -> None:
    with pytest.raises(NotMeasurableError) as caught:
        word_errors(references, hypotheses)
    assert (caught.value.reason, caught.value.exit_code) == ("not_measurable", 3)


def test_nothing_to_pool_and_nothing_to_resample() -> None:
    with pytest.raises(NotMeasurableError):
        pooled([])
    with pytest.raises(NotMeasurableError):
        interval([ErrorRate(1, 2)])


sentence = st.lists(st.sampled_from(["one", "two", "three", "four", "it's"]), min_size=1, max_size=8).map(" ".join)


def distance(reference: str | list[str], heard: str | list[str]) -> int:
    """Levenshtein's distance, the textbook recursion."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(reference, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (one != other))
    return row[-1]


@given(st.lists(st.tuples(sentence, sentence), min_size=1, max_size=4))
def test_rates_are_levenshtein_s_and_jiwer_s(pairs: list[tuple[str, str]]) -> None:
    references, heard = [a for a, _ in pairs], [b for _, b in pairs]
    words, characters = word_errors(references, heard), character_errors(references, heard)
    assert [each.errors for each in words] == [distance(a.split(), b.split()) for a, b in pairs]
    assert [each.errors for each in characters] == [distance(a, b) for a, b in pairs]
    assert pooled(words).rate == pytest.approx(jiwer.wer(references, heard))
    assert pooled(characters).rate == pytest.approx(jiwer.cer(references, heard))
