from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import acoustic_model, viterbi
from voicemill.align.acoustic_model import STATES, AcousticModel
from voicemill.align.features import FrontEnd, streams
from voicemill.align.forced_alignment import to_pcm16
from voicemill.align.viterbi import Network, Stretch, best_path, network
from voicemill.text.lexicon import Lexicon

Clip = tuple[npt.NDArray[np.float32], str]
Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return acoustic_model.load()


@pytest.fixture(scope="module")
def sound(clips: list[Clip]) -> list[Floats]:
    return streams(FrontEnd().cepstra(to_pcm16(clips[0][0][:16_000])))


def plainly(model: AcousticModel, net: Network, sound: list[Floats]) -> list[Stretch]:
    """The same search, state by state."""
    states = [(node, state) for node in range(len(net.nodes)) for state in range(STATES)]
    of = np.array([net.nodes[node].senones[state] for node, state in states])
    senones, inverse = np.unique(of, return_inverse=True)
    books = np.empty(len(senones), dtype=int)
    books[inverse] = [net.nodes[node].phone for node, _ in states]
    scores = model.scores(sound, senones, books)[:, inverse].astype(int)
    ways: dict[tuple[int, int], tuple[int, list[tuple[int, int]]]] = {}
    for frame, row in enumerate(scores):
        now = {}
        for index, (node, state) in enumerate(states):
            phone = net.nodes[node].phone
            options: list[tuple[int, list[tuple[int, int]]]] = []
            cost = viterbi.SILENCE_COST if net.nodes[node].word < 0 else 0
            if frame == 0 and state == 0 and -1 in net.nodes[node].before:
                options.append((cost, []))
            froms = [(node, state, int(model.stay[phone, state]))]
            if state:
                froms.append((node, state - 1, int(model.leave[phone, state - 1])))
            else:
                froms += [
                    (other, STATES - 1, int(model.leave[net.nodes[other].phone, STATES - 1]) + cost)
                    for other in net.nodes[node].before
                    if other >= 0
                ]
            for other, place, price in froms:
                if (other, place) in ways:
                    total, way = ways[other, place]
                    options.append((total + price, way))
            if options:
                total, way = max(options, key=lambda option: option[0])
                now[node, state] = (total + int(row[index]), [*way, (node, state)])
        ways = now
    _, way = max(
        (ways[node, STATES - 1] for node in net.last if (node, STATES - 1) in ways),
        key=lambda found: found[0] + int(model.leave[net.nodes[found[1][-1][0]].phone, STATES - 1]),
    )
    frames, found = 0, []
    for node, group in itertools.groupby(way, key=lambda place: place[0]):
        length = len(list(group))
        if net.nodes[node].word >= 0:
            found.append(Stretch(net.nodes[node].word, net.nodes[node].place, frames, frames + length, 0))
        frames += length
    return found


@pytest.mark.parametrize("text", ["good morning", "a good", "a a", "hello"])
def test_the_path_is_the_best_of_all(model: AcousticModel, sound: list[Floats], lexicon: Lexicon, text: str) -> None:
    net = network(model, [lexicon.pronounce(word).phones for word in text.split()])
    found = best_path(model, net, sound)
    assert found is not None

    def places(stretches: list[Stretch]) -> list[tuple[int, int, int, int]]:
        return [(one.word, one.place, one.first, one.end) for one in stretches]

    assert places(found) == places(plainly(model, net, sound))


def test_the_network_knows_both_ways_from_word_to_word(model: AcousticModel) -> None:
    net = network(model, [("G", "UH", "D"), ("AH",), ("M", "AO")])
    # good: G UH, D before silence and before AH; a: beside silence or words on either side; more: M in two ways
    assert [sum(node.word == word for node in net.nodes) for word in (-1, 0, 1, 2)] == [4, 4, 4, 3]
    assert all(len([other for other in node.before if other >= 0]) <= 2 for node in net.nodes)
    assert {net.nodes[node].word for node in net.last} == {-1, 2}


def test_each_phone_has_three_frames_and_one_after_the_other(
    model: AcousticModel, sound: list[Floats], lexicon: Lexicon
) -> None:
    words = [lexicon.pronounce(word).phones for word in ("good", "morning")]
    found = best_path(model, network(model, words), sound)
    assert found is not None
    assert [(one.word, one.place) for one in found] == [
        (w, p) for w, word in enumerate(words) for p in range(len(word))
    ]
    assert all(one.end - one.first >= STATES for one in found)
    assert all(one.end <= two.first for one, two in itertools.pairwise(found))


def test_a_sound_shorter_than_the_text_has_no_path(model: AcousticModel, sound: list[Floats], lexicon: Lexicon) -> None:
    net = network(model, [lexicon.pronounce("unmistakable").phones] * 3)  # 33 phones or more
    assert best_path(model, net, [stream[: 3 * 33 - 1] for stream in sound]) is None
    one = network(model, [("AH",)])
    assert best_path(model, one, [stream[:STATES] for stream in sound]) is not None
    assert best_path(model, one, [stream[: STATES - 1] for stream in sound]) is None
