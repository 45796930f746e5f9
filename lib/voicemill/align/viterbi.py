"""Viterbi alignment of a known text, as a decoding graph of `acoustic_model`, with acoustic features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicemill.align.acoustic_model import START, STATES_PER_PHONE, AcousticModel, DecodingGraph

SILENCE_COST = -100
"""Score of entering a silence. PocketSphinx's own value, -336 (probability 0.005, language weight 6.5), misses some
pauses; docs/benchmarks.md compares values."""
_NEVER = -(2**29)

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class PhoneSegment:
    """A phone on the best path: frames `first` to `end` (exclusive) and the sum of their scores."""

    word: int
    position: int
    first: int
    end: int
    score: int


def best_path(
    model: AcousticModel, graph: DecodingGraph, streams: Sequence[npt.NDArray[np.float32]]
) -> list[PhoneSegment] | None:
    """Viterbi alignment, without pruning.

    All scores are integers, so the path does not depend on the order of additions.

    Args:
        model: the acoustic model.
        graph: of the text, see `acoustic_model.decoding_graph`.
        streams: (frames, dimensions) of each feature stream, see `features.streams`.

    Returns:
        The phones of the best path in order; None if the audio has fewer frames than the text has states.
    """
    (found,) = _search_all(model, [graph], streams)
    return None if found is None else _segments(graph, found.states // STATES_PER_PHONE, found.scores)


def compare(
    model: AcousticModel, graphs: Sequence[DecodingGraph], streams: Sequence[npt.NDArray[np.float32]]
) -> list[int | None]:
    """Scores of the best paths of several texts for the same audio.

    The frames are scored against the senones of all graphs together, so the results can be compared with each other:
    a difference of d means that the likelihoods differ by the factor exp(0.1 d).

    Args:
        model: the acoustic model.
        graphs: of the texts.
        streams: as for `best_path`.

    Returns:
        The score of each graph; None where the audio has fewer frames than the text has states.
    """
    return [None if found is None else int(found.scores.sum()) for found in _search_all(model, graphs, streams)]


@dataclass(frozen=True, eq=False)
class _Path:
    """States (frames,) of a best path and the score (frames,) of each frame, transitions included."""

    states: npt.NDArray[np.int64]
    scores: Integers


def _search_all(
    model: AcousticModel, graphs: Sequence[DecodingGraph], streams: Sequence[npt.NDArray[np.float32]]
) -> list[_Path | None]:
    states = np.concatenate([node.senones for graph in graphs for node in graph.nodes])
    senones, first, of_state = np.unique(states, return_index=True, return_inverse=True)
    phones = np.array([node.phone for graph in graphs for node in graph.nodes])
    scores = model.log_likelihoods(streams, senones, phones[first // STATES_PER_PHONE])
    ends = np.cumsum([STATES_PER_PHONE * len(graph.nodes) for graph in graphs])
    columns = np.split(of_state, ends[:-1])
    return [_search(model, graph, scores, own) for graph, own in zip(graphs, columns, strict=True)]


def _search(
    model: AcousticModel, graph: DecodingGraph, scores: npt.NDArray[np.int16], of_state: npt.NDArray[np.int64]
) -> _Path | None:
    """The best path; `of_state` (states,) is each state's column of the scores (frames, senones)."""
    phones = np.array([node.phone for node in graph.nodes])
    self_loop, forward = model.self_loop[phones].ravel(), model.forward[phones].ravel()
    origins, costs, begin = _links(graph, forward)
    count = len(of_state)
    doubled = np.flatnonzero(origins[1] < count)
    others, other_costs = origins[1][doubled], costs[1][doubled]
    values = np.full(count + 1, _NEVER, dtype=np.int32)  # the last element is a state that no path reaches
    values[:-1] = begin + scores[0][of_state]
    # 0: from the state itself, 1 or 2: from its first or second predecessor
    backpointers = np.zeros((len(scores), count), dtype=np.int8)
    for frame in range(1, len(scores)):
        best, along = values[:-1] + self_loop, values[origins[0]] + costs[0]
        backpointers[frame] = along > best
        best = np.maximum(best, along)
        along = values[others] + other_costs
        better = along > best[doubled]
        backpointers[frame, doubled[better]] = 2
        best[doubled[better]] = along[better]
        values[:-1] = np.maximum(best + scores[frame][of_state], _NEVER)
    ends = [STATES_PER_PHONE * node + STATES_PER_PHONE - 1 for node in graph.final]
    state = max(ends, key=lambda end: int(values[end] + forward[end]))
    if values[state] <= _NEVER // 2:
        return None
    path = np.empty(len(scores), dtype=np.int64)
    for frame in range(len(scores) - 1, -1, -1):
        path[frame] = state
        if backpointers[frame, state]:
            state = int(origins[backpointers[frame, state] - 1][state])
    each = scores[np.arange(len(scores)), of_state[path]].astype(np.int32)
    each[1:] += np.where(path[1:] == path[:-1], self_loop[path[1:]], forward[path[:-1]])
    return _Path(path, each)


def _links(graph: DecodingGraph, forward: Integers) -> tuple[list[npt.NDArray[np.int64]], list[Integers], Integers]:
    """Up to two predecessors of each state besides itself, their transition scores, and the score of starting in it.

    A missing predecessor has the index `number of states`.
    """
    count = STATES_PER_PHONE * len(graph.nodes)
    origins = [np.full(count, count, dtype=np.int64) for _ in range(2)]
    costs = [np.full(count, _NEVER, dtype=np.int32) for _ in range(2)]
    begin = np.full(count, _NEVER, dtype=np.int32)
    inner = np.flatnonzero(np.arange(count) % STATES_PER_PHONE)
    origins[0][inner], costs[0][inner] = inner - 1, forward[inner - 1]
    for index, node in enumerate(graph.nodes):
        entry, cost = STATES_PER_PHONE * index, SILENCE_COST if node.word < 0 else 0
        if START in node.predecessors:
            begin[entry] = cost
        ends = [STATES_PER_PHONE * other + STATES_PER_PHONE - 1 for other in node.predecessors if other != START]
        for origin, price, end in zip(origins, costs, ends, strict=False):
            origin[entry], price[entry] = end, forward[end] + cost
    return origins, costs, begin


def _segments(graph: DecodingGraph, path: npt.NDArray[np.int64], each: Integers) -> list[PhoneSegment]:
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    found = []
    for first, end in itertools.pairwise(edges):
        node = graph.nodes[path[first]]
        if node.word >= 0:
            found.append(PhoneSegment(node.word, node.position, first, end, int(each[first:end].sum())))
    return found
