from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from voicemill.align.script_matching import MatchedTake, choose_takes, find_takes

SCRIPT = [
    line.split()
    for line in ("the cat sat on the mat", "a dog ran away", "join us please", "the end of the story is near")
]


def chosen(hypothesis: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    words = hypothesis.split()
    takes, repeated = choose_takes(find_takes(SCRIPT, words), SCRIPT)

    def shown(matches: list[MatchedTake]) -> list[tuple[int, str]]:
        return [(match.sentence, " ".join(words[match.first : match.last])) for match in matches]

    return shown(takes), shown(repeated)


def test_all_in_order() -> None:
    takes, repeated = chosen(" ".join(word for sentence in SCRIPT for word in sentence))
    assert takes == [(index, " ".join(sentence)) for index, sentence in enumerate(SCRIPT)]
    assert repeated == []


def test_misrecognised_words() -> None:
    takes, _ = chosen("the cat sat in mat a dog ran away join us peas the end off the story is near")
    assert takes == [
        (0, "the cat sat in mat"),
        (1, "a dog ran away"),
        (2, "join us"),
        (3, "the end off the story is near"),
    ]


def test_similarity_and_places() -> None:
    [match] = find_takes([["the", "cat", "sat", "down"]], ["oh", "the", "bat", "sat", "down"])
    assert match == MatchedTake(0, 1, 5, (1, None, 3, 4), similarity=0.75)


def test_a_take_needs_half_of_the_words() -> None:
    def similarities(hypothesis: str, sentence: int) -> list[float]:
        return [take.similarity for take in find_takes(SCRIPT, hypothesis.split()) if take.sentence == sentence]

    assert similarities("well a dog then", 1) == [0.5]
    assert similarities("look the cat mat there", 0) == [0.5]
    assert similarities("look the cat there", 0) == []
    assert similarities("sat cat the mat on the", 0) == [0.5], "all of its words, but not in its order"


def test_skipped_sentences() -> None:
    assert chosen("the cat sat on the mat the end of the story is near")[0] == [
        (0, "the cat sat on the mat"),
        (3, "the end of the story is near"),
    ]


def test_the_last_good_take_is_kept() -> None:
    takes, repeated = chosen("the cat sat on the mat a dog ran away a dog ran away join us please")
    assert [number for number, _ in takes] == [0, 1, 2]
    assert repeated == [(1, "a dog ran away")]
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "a",
        "dog",
        "ran",
        "away",
        "a",
        "dog",
        "ran",
        "away",
        "join",
        "us",
        "please",
    ]
    kept, _ = choose_takes(find_takes(SCRIPT, words), SCRIPT)
    assert kept[1].first == 10


def test_a_spoiled_last_take_is_not_kept() -> None:
    takes, repeated = chosen("the cat sat on the mat the cat sat bump a dog ran away")
    assert takes[0] == (0, "the cat sat on the mat")
    assert repeated in ([], [(0, "the cat sat")])


def test_a_restart_keeps_the_second_round() -> None:
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "a",
        "dog",
        "ran",
        "away",
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "a",
        "dog",
        "ran",
        "away",
        "join",
        "us",
        "please",
    ]
    takes, repeated = choose_takes(find_takes(SCRIPT, words), SCRIPT)
    assert [take.first for take in takes] == [10, 16, 20]
    assert [take.first for take in repeated] == [0, 6]


def test_other_words() -> None:
    assert chosen("nothing of this is in there at all") == ([], [])
    assert chosen("") == ([], [])


@given(
    st.lists(
        st.sampled_from(
            [
                "the",
                "cat",
                "sat",
                "on",
                "mat",
                "a",
                "dog",
                "ran",
                "away",
                "join",
                "us",
                "please",
                "end",
                "of",
                "story",
                "is",
                "near",
                "uh",
            ]
        ),
        max_size=40,
    )
)
def test_invariants(hypothesis: list[str]) -> None:
    takes = find_takes(SCRIPT, hypothesis)
    kept, repeated = choose_takes(takes, SCRIPT)
    assert [match.sentence for match in kept] == sorted({match.sentence for match in kept})
    for one, two in itertools.pairwise(kept):
        assert one.last <= two.first
    for match in takes:
        positions = [place for place in match.positions if place is not None]
        assert positions == sorted(set(positions))
        assert (match.first, match.last) == (positions[0], positions[-1] + 1)
        assert all(
            hypothesis[place] == word
            for place, word in zip(match.positions, SCRIPT[match.sentence], strict=True)
            if place is not None
        )
        assert 0.5 <= match.similarity <= 1.0
    claimed = {index for match in kept for index in range(match.first, match.last)}
    assert all(claimed.isdisjoint(range(match.first, match.last)) for match in repeated)
