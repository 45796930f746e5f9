"""Sentences for recording: ours, and few of them contain most of the pairs of phones."""

from __future__ import annotations

import random

import pytest

from voicemill.text import sentence_choice
from voicemill.text.frontend import read
from voicemill.text.lexicon import default_lexicon
from voicemill.text.normalise import normalise


def test_every_sentence_is_plain_english_of_4_to_14_words() -> None:
    found = sentence_choice.sentences()
    assert len(found) >= 150
    assert len(set(found)) == len(found)
    lexicon = default_lexicon()
    for sentence in found:
        (one,) = read(sentence, lexicon)
        assert 4 <= len(sentence.split()) <= 14, sentence
        assert not one.choices, f"{sentence} can be read in several ways"
        assert all(word.text in lexicon for word in one.words), sentence
        assert normalise(sentence).isascii()


def test_the_file_names_its_licence() -> None:
    assert "CC0 1.0" in sentence_choice.SENTENCES.read_text(encoding="utf-8").splitlines()[0]


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert sentence_choice.choose(30, 7) == sentence_choice.choose(30, 7)
    assert sentence_choice.choose(30, 7) != sentence_choice.choose(30, 8)


def test_twenty_sentences_contain_every_phone_of_english() -> None:
    for seed in range(5):
        found = sentence_choice.coverage(sentence_choice.choose(20, seed))
        assert found.phones == found.all_phones == 39


def test_chosen_sentences_cover_more_pairs_than_drawn_ones() -> None:
    drawn = [
        sentence_choice.coverage(random.Random(seed).sample(sentence_choice.sentences(), 60)).pairs
        for seed in range(20)
    ]
    for seed in range(5):
        chosen = sentence_choice.choose(60, seed)
        assert len(set(chosen)) == 60
        assert sentence_choice.coverage(chosen).pairs > max(drawn) + 20


def test_a_choice_among_given_sentences_ends_with_them() -> None:
    given = ["Good morning.", "The boy hid the letter."]
    assert sorted(sentence_choice.choose(9, 1, given)) == sorted(given)


@pytest.mark.parametrize("sentence", ["The vision in his left eye is better now."])
def test_pairs_include_the_edges(sentence: str) -> None:
    phones = sentence_choice.phones_of(sentence)
    assert (phones[0], phones[-1]) == (sentence_choice.EDGE, sentence_choice.EDGE)
    assert "ZH" in phones
    assert sum(sentence_choice.pairs_of(sentence).values()) == len(phones) - 1
