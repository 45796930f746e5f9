"""The acoustic model: PocketSphinx's en-us HMM, read from its files, decoding graphs of texts, and frame
log-likelihoods per senone.

The model (`model/en-us/en-us` in PocketSphinx's wheel) has 42 phones of three HMM states each. The output distribution
of a state, a *senone*, depends on the phone's context: there are some 5000 senones, shared by 137,000 triphones. All
senones of a phone mix the same 128 Gaussian densities, the phone's *codebook*, for each of three feature streams
(`features`).

Scores are integers in PocketSphinx's unit: 1024 steps of log 1.0001, about 0.1 nat.

In the decoding graph of a text, words follow each other directly or with a silence between them; silences before the
first and after the last word are optional too. The first and last phone of a word have different senones beside a
silence and beside another word, so the graph contains both variants.

The densities of many frames are one matrix product here. PocketSphinx computes them one by one, twice, which takes 82%
of the time of its aligner (docs/adr/0012).
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicemill.text.lexicon import pocketsphinx_folder

STATES_PER_PHONE = 3
"""HMM states of a phone, left to right, none skipped."""
SILENCE = "SIL"
SCORE_UNIT = 1024.0 * float(np.log(1.0001))
"""Nats in one unit of a score."""
WORD_POSITIONS = "ibes"
"""Position of a phone in its word: internal, beginning, end, single; in the order of the model's codes."""
START = -1
"""Predecessor of the nodes that begin a path."""
_MAGIC = 0x11223344
_MIN_VARIANCE = 1e-4
_MIN_DENSITY = np.float32(2e-6)
"""Floor added to the density of each stream, relative to the best of the text's codebooks: four densities at
PocketSphinx's floor of 96 units, with weights of 1/128."""
BLOCK_FRAMES = 64
"""Frames scored at a time: the matrix products stay so small that the BLAS does not start threads for them."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AcousticModel:
    """The model's parameters.

    Attributes:
        phones: index of each phone by name; also the index of its senones' codebook.
        densities: (streams, codebooks, 2 x dimensions + 1, 128) coefficients of the squared feature, the feature and 1
            in the logarithm of each Gaussian density.
        weights: (streams, 128, senones) mixture weights, as negated scores.
        self_loop: (phones, 3) score of staying in a state for another frame.
        forward: (phones, 3) score of moving to the next state.
        senone_sequences: (senone sequences, 3) senones of the three states.
        context_independent: (phones,) index of the senone sequence of each phone without context.
        triphones: index of the senone sequence by word position, phone, left and right context, see `_code`.
    """

    phones: dict[str, int]
    densities: Floats
    weights: npt.NDArray[np.uint8]
    self_loop: npt.NDArray[np.int32]
    forward: npt.NDArray[np.int32]
    senone_sequences: npt.NDArray[np.uint16]
    context_independent: npt.NDArray[np.int32]
    triphones: dict[int, int]

    def senones(self, phone: int, left: int, right: int, position: str) -> npt.NDArray[np.uint16]:
        """The senones (3,) of a phone in its context.

        A triphone that is not in the model is looked up at other word positions, then with silence in place of the
        neighbouring word, as PocketSphinx does. If it is not found at all, the context-independent phone is used.

        Args:
            phone: index of the phone.
            left: index of the phone before it.
            right: index of the phone after it.
            position: one of `WORD_POSITIONS`.
        """
        silence = self.phones[SILENCE]
        positions = [position, *(other for other in WORD_POSITIONS if other != position)]
        pause = (silence if position in "bs" else left, silence if position in "es" else right)
        for neighbours in ((left, right), pause):
            for candidate in positions:
                kind = self.triphones.get(_code(WORD_POSITIONS.index(candidate), phone, *neighbours))
                if kind is not None:
                    return _row(self.senone_sequences, kind)
        return self.context_independent_senones(phone)

    def context_independent_senones(self, phone: int) -> npt.NDArray[np.uint16]:
        """The senones (3,) of a phone without context; those of silence never depend on it."""
        return _row(self.senone_sequences, int(self.context_independent[phone]))

    def log_likelihoods(
        self, streams: Sequence[Floats], senones: npt.NDArray[np.integer], codebooks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int16]:
        """Frame log-likelihoods of senones, relative to the best of them in each frame.

        Args:
            streams: (frames, dimensions) of each feature stream.
            senones: (n,) distinct senones.
            codebooks: (n,) their codebooks.

        Returns:
            (frames, n) scores, 0 for the best senone of a frame, negative for the others.
        """
        books, place = np.unique(codebooks, return_inverse=True)
        # the senones of each codebook in adjacent columns, padded to the longest row
        column = np.array([np.count_nonzero(place[:index] == book) for index, book in enumerate(place)])
        weights = np.zeros((len(streams), len(books), self.weights.shape[1], int(column.max()) + 1), dtype=np.float32)
        for stream, table in enumerate(self.weights):
            weights[stream, place, :, column] = np.exp(table[:, senones].T * np.float32(-SCORE_UNIT))
        densities = self.densities[:, books]
        found = np.empty((len(streams[0]), len(senones)), dtype=np.int16)
        for first in range(0, len(found), BLOCK_FRAMES):
            total = np.zeros((), dtype=np.float32)
            for stream, features in enumerate(streams):
                part = features[first : first + BLOCK_FRAMES]
                terms = np.concatenate((part * part, part, np.ones((len(part), 1), dtype=np.float32)), axis=1)
                logarithms = np.matmul(terms, densities[stream])
                logarithms -= logarithms.max(axis=(0, 2), keepdims=True)
                mixed = np.matmul(np.exp(logarithms, out=logarithms), weights[stream])
                total = total + np.log(mixed + _MIN_DENSITY)
            units = np.round(total[place, :, column].T * np.float32(1.0 / SCORE_UNIT))
            found[first : first + BLOCK_FRAMES] = units - units.max(axis=1, keepdims=True)
        return found


@dataclass(frozen=True, eq=False)
class Node:
    """A phone of the text in its context, or a silence.

    Attributes:
        word: index of its word; -1 for silence.
        position: index of the phone in its word.
        phone: index in the model.
        senones: (3,) one for each state.
        predecessors: indices of the nodes before it; -1 is the start of the audio.
    """

    word: int
    position: int
    phone: int
    senones: npt.NDArray[np.uint16]
    predecessors: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DecodingGraph:
    """All pronunciations of a text, with optional silences; a path ends in one of the nodes `final`."""

    nodes: tuple[Node, ...]
    final: tuple[int, ...]


@functools.lru_cache(maxsize=1)
def load() -> AcousticModel:
    """Read the model in PocketSphinx's wheel.

    Raises:
        DependencyError: PocketSphinx is not installed.
        ValueError: the files have another format.
    """
    folder = pocketsphinx_folder() / "model" / "en-us" / "en-us"
    means, variances = _gaussians(folder / "means"), _gaussians(folder / "variances")
    half = 0.5 / np.maximum(variances, _MIN_VARIANCE)
    constant = 0.5 * np.log(half / np.pi).sum(-1) - (half * means**2).sum(-1)
    densities = np.concatenate((-half, 2.0 * half * means, constant[..., None]), axis=-1)
    names, triphones, context_independent, matrices, senone_sequences = _definition(folder / "mdef")
    chances = _numbers(folder / "transition_matrices", 4)[matrices]
    with np.errstate(divide="ignore"):  # transitions other than to the same or the next state have probability 0
        steps = np.round(np.log(chances / chances.sum(-1, keepdims=True)) / SCORE_UNIT)
    states = np.arange(STATES_PER_PHONE)
    return AcousticModel(
        phones={name: index for index, name in enumerate(names)},
        densities=np.ascontiguousarray(densities.transpose(1, 0, 3, 2), dtype=np.float32),
        weights=_weights(folder / "sendump"),
        self_loop=steps[:, states, states].astype(np.int32),
        forward=steps[:, states, states + 1].astype(np.int32),
        senone_sequences=senone_sequences,
        context_independent=context_independent,
        triphones=triphones,
    )


def decoding_graph(model: AcousticModel, words: Sequence[Sequence[str]]) -> DecodingGraph:
    """The decoding graph of words, each a sequence of phones."""
    silence = model.phones[SILENCE]
    spelled = [[model.phones[name] for name in word] for word in words]
    nodes: list[Node] = []

    def add(word: int, position: int, phone: int, senones: npt.NDArray[np.uint16], predecessors: Sequence[int]) -> int:
        nodes.append(Node(word, position, phone, senones, tuple(predecessors)))
        return len(nodes) - 1

    def pause(predecessors: Sequence[int]) -> int:
        return add(-1, 0, silence, model.context_independent_senones(silence), predecessors)

    def variants(
        index: int, position: int, right: int, word_position: str, lefts: Mapping[int, Sequence[int]]
    ) -> list[int]:
        """One node for a phone of a word for each left context; `right` is the phone after it."""
        phone = spelled[index][position]
        return [
            add(index, position, phone, model.senones(phone, left, right, word_position), predecessors)
            for left, predecessors in lefts.items()
        ]

    # the predecessors of the next nodes, by their left context
    lefts: dict[int, list[int]] = {silence: [pause([START]), START]}
    word_ends: list[int] = []
    for index, word in enumerate(spelled):
        for position, (phone, right) in enumerate(itertools.pairwise(word)):
            lefts = {phone: variants(index, position, right, "i" if position else "b", lefts)}
        end, word_position = len(word) - 1, "e" if len(word) > 1 else "s"
        word_ends = variants(index, end, silence, word_position, lefts)
        following = {silence: [pause(word_ends)]}
        if index + 1 < len(spelled):
            following[word[-1]] = variants(index, end, spelled[index + 1][0], word_position, lefts)
        lefts = following
    return DecodingGraph(tuple(nodes), (*lefts[silence], *word_ends))


def _row(table: npt.NDArray[np.uint16], index: int) -> npt.NDArray[np.uint16]:
    row: npt.NDArray[np.uint16] = table[index]
    return row


def _code(position: int, phone: int, left: int, right: int) -> int:
    return ((position * 64 + phone) * 64 + left) * 64 + right


def _body(path: Path) -> tuple[bytes, int]:
    """The content of a Sphinx 3 file and the offset of its data, behind the header and the byte-order mark."""
    raw = path.read_bytes()
    start = raw.find(b"endhdr\n") + len(b"endhdr\n")
    if not raw.startswith(b"s3\n") or struct.unpack_from("<I", raw, start)[0] != _MAGIC:
        raise ValueError(f"{path} is not a little-endian file of Sphinx 3")
    return raw, start + 4


def _numbers(path: Path, head: int) -> npt.NDArray[np.float64]:
    """An array (a, b, c) after a header of `head` integers: its shape and the number of elements."""
    raw, start = _body(path)
    *shape, count = struct.unpack_from(f"<{head}i", raw, start)
    return np.frombuffer(raw, "<f4", count, start + 4 * head).reshape(shape).astype(np.float64)


def _gaussians(path: Path) -> npt.NDArray[np.float64]:
    """(codebooks, streams, densities, dimensions); all streams have the same number of dimensions."""
    raw, start = _body(path)
    books, streams, densities = struct.unpack_from("<3i", raw, start)
    *lengths, count = struct.unpack_from(f"<{streams + 1}i", raw, start + 12)
    numbers = np.frombuffer(raw, "<f4", count, start + 16 + 4 * streams)
    return numbers.reshape(books, streams, densities, lengths[0]).astype(np.float64)


def _weights(path: Path) -> npt.NDArray[np.uint8]:
    """(streams, densities, senones) mixture weights, after a header of length-prefixed strings."""
    raw, start, streams = path.read_bytes(), 0, 1
    while (length := struct.unpack_from("<i", raw, start)[0]) != 0:
        name, _, value = raw[start + 4 : start + 4 + length].rstrip(b"\0").partition(b" ")
        if name == b"feature_count":
            streams = int(value)
        if name == b"cluster_count" and int(value) != 0:
            raise ValueError(f"{path} holds clustered weights")
        start += 4 + length
    rows, columns = struct.unpack_from("<2i", raw, start + 4)
    return np.frombuffer(raw, np.uint8, streams * rows * columns, start + 12).reshape(streams, rows, columns)


def _definition(
    path: Path,
) -> tuple[list[str], dict[int, int], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint16]]:
    """The model definition file.

    Returns:
        Names of the phones; senone sequence of each triphone; senone sequence of each phone; transition matrix of each
        phone; and the senones (sequences, 3).
    """
    raw = path.read_bytes()
    if raw[:4] != b"BMDF":
        raise ValueError(f"{path} is not a little-endian model definition")
    start = 12 + struct.unpack_from("<i", raw, 8)[0]
    phones, entries, states, _, _, _, kinds, _, nodes, _ = struct.unpack_from("<10i", raw, start)
    if states != STATES_PER_PHONE:
        raise ValueError(f"{path} has phones of {states} states")
    start += 40
    names = [name.decode() for name in raw[start:].split(b"\0", phones)[:phones]]
    start += -(-sum(len(name) + 1 for name in names) // 4) * 4 + 8 * nodes  # skips the tree, which repeats the entries
    entry = np.dtype([("kind", "<i4"), ("matrix", "<i4"), ("of", "u1", 4)])
    table = np.frombuffer(raw, entry, entries, start)
    senone_sequences = np.frombuffer(raw, "<u2", kinds * STATES_PER_PHONE, start + entries * entry.itemsize + 4)
    own, others = table[:phones], table[phones:]
    codes = _code(*others["of"].astype(np.int64).T)  # type: ignore[arg-type]  # all at once
    triphones = dict(zip(codes.tolist(), others["kind"].tolist(), strict=True))  # type: ignore[attr-defined]
    return names, triphones, own["kind"], own["matrix"], senone_sequences.reshape(kinds, STATES_PER_PHONE)
