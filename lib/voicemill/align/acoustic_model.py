"""PocketSphinx's en-us acoustic model, read from its files: how well each moment of a sound fits each state of a phone.

Why not PocketSphinx's own scoring: 82% of the time of its aligner goes into one density after the other, twice, for two
passes. Here the densities of many moments are one product of matrices, once.

The model (`model/en-us/en-us` in PocketSphinx's wheel) has 42 phones, each with three states one after the other. A
state sounds different between different neighbours, so there are some 5000 of them (*senones*), shared among 137,000
phones with their neighbours (*triphones*). The senones of one phone weigh the same 128 Gaussian densities (its
*codebook*) of each of three streams of features (`features`).

Scores are whole numbers in PocketSphinx's unit of 1024 steps of log 1.0001, about 0.1 nat.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicemill.text.lexicon import pocketsphinx_folder

STATES = 3
"""Of a phone, one after the other."""
SILENCE = "SIL"
UNIT = 1024.0 * float(np.log(1.0001))
"""Nats in one unit of score."""
POSITIONS = "ibes"
"""Where in a word a phone stands: inside, at its beginning, at its end, or alone; in the order of the model's codes."""
_MAGIC = 0x11223344
_LEAST_VARIANCE = 1e-4
_LEAST_DENSITY = np.float32(2e-6)
"""Added to each stream's density (1 is the best of the text's codebooks), so that its logarithm has a floor: four
densities at PocketSphinx's floor of 96 units, with weights of 1/128."""
BLOCK = 64
"""Moments scored at a time: the products stay small enough that the BLAS does not start threads for them."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AcousticModel:
    """The model as arrays.

    Attributes:
        phones: index by name; also the codebook of the phone's senones.
        densities: (streams, codebooks, 2 x dimensions + 1, 128) what the squares of a feature, the feature and 1 are
            multiplied by to give the logarithm of a density.
        weights: (streams, 128, senones) units below 0.
        stay: (phones, 3) score of staying in a state for one more moment.
        leave: (phones, 3) score of going on to the next one.
        sequences: (triphones' kinds, 3) senones.
        plain: kind of each phone whose neighbours are not known.
        triphones: kind by position, phone, left and right neighbour, see `_code`.
    """

    phones: dict[str, int]
    densities: Floats
    weights: npt.NDArray[np.uint8]
    stay: npt.NDArray[np.int32]
    leave: npt.NDArray[np.int32]
    sequences: npt.NDArray[np.uint16]
    plain: npt.NDArray[np.int32]
    triphones: dict[int, int]

    def senones(self, phone: int, left: int, right: int, position: str) -> npt.NDArray[np.uint16]:
        """(3,) the senones of a phone between two others.

        A neighbourhood that was not in the training data is looked for at other places of a word, then with silence in
        place of the neighbouring word, as PocketSphinx does; what is not found at all is the phone by itself.
        """
        silence = self.phones[SILENCE]
        places = [position, *(other for other in POSITIONS if other != position)]
        pause = (silence if position in "bs" else left, silence if position in "es" else right)
        for neighbours in ((left, right), pause):
            for place in places:
                kind = self.triphones.get(_code(POSITIONS.index(place), phone, *neighbours))
                if kind is not None:
                    return _row(self.sequences, kind)
        return self.alone(phone)

    def alone(self, phone: int) -> npt.NDArray[np.uint16]:
        """(3,) the senones of a phone without neighbours; silence is always like this."""
        return _row(self.sequences, int(self.plain[phone]))

    def scores(
        self, streams: Sequence[Floats], senones: npt.NDArray[np.integer], codebooks: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int16]:
        """How well each moment fits each of some senones: 0 the best of them at this moment, less is worse.

        Args:
            streams: (moments, dimensions) features of each stream.
            senones: (n,) different ones.
            codebooks: (n,) of these senones.

        Returns:
            (moments, n)
        """
        books, place = np.unique(codebooks, return_inverse=True)
        # each codebook's senones side by side, filled up to the longest row
        column = np.array([np.count_nonzero(place[:index] == book) for index, book in enumerate(place)])
        weights = np.zeros((len(streams), len(books), self.weights.shape[1], int(column.max()) + 1), dtype=np.float32)
        for stream, table in enumerate(self.weights):
            weights[stream, place, :, column] = np.exp(table[:, senones].T * np.float32(-UNIT))
        densities = self.densities[:, books]
        found = np.empty((len(streams[0]), len(senones)), dtype=np.int16)
        for first in range(0, len(found), BLOCK):
            total = np.zeros((), dtype=np.float32)
            for stream, features in enumerate(streams):
                part = features[first : first + BLOCK]
                terms = np.concatenate((part * part, part, np.ones((len(part), 1), dtype=np.float32)), axis=1)
                logarithms = np.matmul(terms, densities[stream])
                logarithms -= logarithms.max(axis=(0, 2), keepdims=True)
                mixed = np.matmul(np.exp(logarithms, out=logarithms), weights[stream])
                total = total + np.log(mixed + _LEAST_DENSITY)
            units = np.round(total[place, :, column].T * np.float32(1.0 / UNIT))
            found[first : first + BLOCK] = units - units.max(axis=1, keepdims=True)
        return found


@functools.lru_cache(maxsize=1)
def load() -> AcousticModel:
    """The model of PocketSphinx's wheel.

    Raises:
        DependencyError: PocketSphinx is not installed.
        ValueError: these are not the files of such a model.
    """
    folder = pocketsphinx_folder() / "model" / "en-us" / "en-us"
    means, variances = _gaussians(folder / "means"), _gaussians(folder / "variances")
    half = 0.5 / np.maximum(variances, _LEAST_VARIANCE)
    constant = 0.5 * np.log(half / np.pi).sum(-1) - (half * means**2).sum(-1)
    densities = np.concatenate((-half, 2.0 * half * means, constant[..., None]), axis=-1)
    names, triphones, plain, matrices, sequences = _definition(folder / "mdef")
    chances = _numbers(folder / "transition_matrices", 4)[matrices]
    with np.errstate(divide="ignore"):  # three states that none skips: the other elements are 0
        steps = np.round(np.log(chances / chances.sum(-1, keepdims=True)) / UNIT)
    states = np.arange(STATES)
    return AcousticModel(
        phones={name: index for index, name in enumerate(names)},
        densities=np.ascontiguousarray(densities.transpose(1, 0, 3, 2), dtype=np.float32),
        weights=_weights(folder / "sendump"),
        stay=steps[:, states, states].astype(np.int32),
        leave=steps[:, states, states + 1].astype(np.int32),
        sequences=sequences,
        plain=plain,
        triphones=triphones,
    )


def _row(table: npt.NDArray[np.uint16], index: int) -> npt.NDArray[np.uint16]:
    row: npt.NDArray[np.uint16] = table[index]
    return row


def _code(position: int, phone: int, left: int, right: int) -> int:
    return ((position * 64 + phone) * 64 + left) * 64 + right


def _body(path: Path) -> tuple[bytes, int]:
    """A file of Sphinx 3 and where its numbers begin: behind lines of text, `endhdr` and the mark of the byte order."""
    raw = path.read_bytes()
    start = raw.find(b"endhdr\n") + len(b"endhdr\n")
    if not raw.startswith(b"s3\n") or struct.unpack_from("<I", raw, start)[0] != _MAGIC:
        raise ValueError(f"{path} is not a little-endian file of Sphinx 3")
    return raw, start + 4


def _numbers(path: Path, head: int) -> npt.NDArray[np.float64]:
    """An array of three dimensions behind `head` integers, the last of which counts the numbers."""
    raw, start = _body(path)
    *shape, count = struct.unpack_from(f"<{head}i", raw, start)
    return np.frombuffer(raw, "<f4", count, start + 4 * head).reshape(shape).astype(np.float64)


def _gaussians(path: Path) -> npt.NDArray[np.float64]:
    """(codebooks, streams, densities, dimensions); the streams have the same number of dimensions."""
    raw, start = _body(path)
    books, streams, densities = struct.unpack_from("<3i", raw, start)
    *lengths, count = struct.unpack_from(f"<{streams + 1}i", raw, start + 12)
    numbers = np.frombuffer(raw, "<f4", count, start + 16 + 4 * streams)
    return numbers.reshape(books, streams, densities, lengths[0]).astype(np.float64)


def _weights(path: Path) -> npt.NDArray[np.uint8]:
    """(streams, densities, senones) behind strings that tell their own lengths."""
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
    """Names of the phones, kinds of the triphones and of the phones by themselves, the phones' matrices of transitions,
    and the senones of each kind.
    """
    raw = path.read_bytes()
    if raw[:4] != b"BMDF":
        raise ValueError(f"{path} is not a little-endian model definition")
    start = 12 + struct.unpack_from("<i", raw, 8)[0]
    phones, entries, states, _, _, _, kinds, _, nodes, _ = struct.unpack_from("<10i", raw, start)
    if states != STATES:
        raise ValueError(f"{path} has phones of {states} states")
    start += 40
    names = [name.decode() for name in raw[start:].split(b"\0", phones)[:phones]]
    start += -(-sum(len(name) + 1 for name in names) // 4) * 4 + 8 * nodes  # the tree repeats what the entries say
    entry = np.dtype([("kind", "<i4"), ("matrix", "<i4"), ("of", "u1", 4)])
    table = np.frombuffer(raw, entry, entries, start)
    sequences = np.frombuffer(raw, "<u2", kinds * STATES, start + entries * entry.itemsize + 4)
    own, others = table[:phones], table[phones:]
    codes = _code(*others["of"].astype(np.int64).T)  # type: ignore[arg-type]  # all at once
    triphones = dict(zip(codes.tolist(), others["kind"].tolist(), strict=True))  # type: ignore[attr-defined]
    return names, triphones, own["kind"], own["matrix"], sequences.reshape(kinds, STATES)
