from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import acoustic_model, viterbi
from voicemill.align.acoustic_model import STATES_PER_PHONE, AcousticModel, DecodingGraph, decoding_graph
from voicemill.align.features import FrontEnd, streams, to_pcm16
from voicemill.align.viterbi import PhoneSegment, best_path
from voicemill.text.lexicon import Lexicon

Clip = tuple[npt.NDArray[np.float32], str]
Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return acoustic_model.load()


@pytest.fixture(scope="module")
def sound(clips: list[Clip]) -> list[Floats]:
    return streams(FrontEnd().cepstra(to_pcm16(clips[0][0][:16_000])))


def reference_search(model: AcousticModel, graph: DecodingGraph, sound: list[Floats]) -> list[PhoneSegment]:
    """The same search, state by state."""
    states = [(node, state) for node in range(len(graph.nodes)) for state in range(STATES_PER_PHONE)]
    of = np.array([graph.nodes[node].senones[state] for node, state in states])
    senones, inverse = np.unique(of, return_inverse=True)
    books = np.empty(len(senones), dtype=int)
    books[inverse] = [graph.nodes[node].phone for node, _ in states]
    scores = model.log_likelihoods(sound, senones, books)[:, inverse].astype(int)
    ways: dict[tuple[int, int], tuple[int, list[tuple[int, int]]]] = {}
    for frame, row in enumerate(scores):
        now = {}
        for index, (node, state) in enumerate(states):
            phone = graph.nodes[node].phone
            options: list[tuple[int, list[tuple[int, int]]]] = []
            cost = viterbi.SILENCE_COST if graph.nodes[node].word < 0 else 0
            if frame == 0 and state == 0 and -1 in graph.nodes[node].predecessors:
                options.append((cost, []))
            froms = [(node, state, int(model.self_loop[phone, state]))]
            if state:
                froms.append((node, state - 1, int(model.forward[phone, state - 1])))
            else:
                froms += [
                    (
                        other,
                        STATES_PER_PHONE - 1,
                        int(model.forward[graph.nodes[other].phone, STATES_PER_PHONE - 1]) + cost,
                    )
                    for other in graph.nodes[node].predecessors
                    if other >= 0
                ]
            for other, position, price in froms:
                if (other, position) in ways:
                    total, way = ways[other, position]
                    options.append((total + price, way))
            if options:
                total, way = max(options, key=lambda option: option[0])
                now[node, state] = (total + int(row[index]), [*way, (node, state)])
        ways = now
    _, way = max(
        (ways[node, STATES_PER_PHONE - 1] for node in graph.final if (node, STATES_PER_PHONE - 1) in ways),
        key=lambda found: found[0] + int(model.forward[graph.nodes[found[1][-1][0]].phone, STATES_PER_PHONE - 1]),
    )
    frames, found = 0, []
    for node, group in itertools.groupby(way, key=lambda position: position[0]):
        length = len(list(group))
        if graph.nodes[node].word >= 0:
            found.append(PhoneSegment(graph.nodes[node].word, graph.nodes[node].position, frames, frames + length, 0))
        frames += length
    return found


@pytest.mark.parametrize("text", ["good morning", "a good", "a a", "hello"])
def test_the_path_is_the_best_of_all(model: AcousticModel, sound: list[Floats], lexicon: Lexicon, text: str) -> None:
    graph = decoding_graph(model, [lexicon.pronounce(word).phones for word in text.split()])
    found = best_path(model, graph, sound)
    assert found is not None

    def places(stretches: list[PhoneSegment]) -> list[tuple[int, int, int, int]]:
        return [(one.word, one.position, one.first, one.end) for one in stretches]

    assert places(found) == places(reference_search(model, graph, sound))


def test_the_graph_contains_both_ways_from_word_to_word(model: AcousticModel) -> None:
    graph = decoding_graph(model, [("G", "UH", "D"), ("AH",), ("M", "AO")])
    # good: G UH, D before silence and before AH; a: beside silence or words on either side; more: M in two ways
    assert [sum(node.word == word for node in graph.nodes) for word in (-1, 0, 1, 2)] == [4, 4, 4, 3]
    assert all(len([other for other in node.predecessors if other >= 0]) <= 2 for node in graph.nodes)
    assert {graph.nodes[node].word for node in graph.final} == {-1, 2}


def test_each_phone_has_three_frames_and_one_after_the_other(
    model: AcousticModel, sound: list[Floats], lexicon: Lexicon
) -> None:
    words = [lexicon.pronounce(word).phones for word in ("good", "morning")]
    found = best_path(model, decoding_graph(model, words), sound)
    assert found is not None
    assert [(one.word, one.position) for one in found] == [
        (w, p) for w, word in enumerate(words) for p in range(len(word))
    ]
    assert all(one.end - one.first >= STATES_PER_PHONE for one in found)
    assert all(one.end <= two.first for one, two in itertools.pairwise(found))


def test_a_sound_shorter_than_the_text_has_no_path(model: AcousticModel, sound: list[Floats], lexicon: Lexicon) -> None:
    graph = decoding_graph(model, [lexicon.pronounce("unmistakable").phones] * 3)  # 33 phones or more
    assert best_path(model, graph, [stream[: 3 * 33 - 1] for stream in sound]) is None
    one = decoding_graph(model, [("AH",)])
    assert best_path(model, one, [stream[:STATES_PER_PHONE] for stream in sound]) is not None
    assert best_path(model, one, [stream[: STATES_PER_PHONE - 1] for stream in sound]) is None
