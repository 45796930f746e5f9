"""The watermark as nodes of an ONNX graph, for voices that other programs speak with.

It computes what `voicemill_marks.watermark.Watermark` computes for one call, in float32. The code begins anew with each
call. Only the bins of the code's bands are transformed: what the mark adds to them is transformed back and added to the
sound.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voicemill_marks.code import (
    BANDS,
    CHIPS,
    CHIPS_PER_SECOND,
    FRAME,
    FRAMES_PER_WINDOW,
    PUBLIC_KEY,
    bands_of_bins,
    code_of,
)
from voicemill_marks.watermark import CHANGE_AT_MEAN, LARGEST_CHANGE

if TYPE_CHECKING:
    import onnx

SOUND = "samples"
"""Output of a voice's graph: (1, samples)."""
_FLOOR = 1e-12
_WINDOWS_AT_A_SAMPLE = 2.0
"""Sum of the squared windows over a sample: that of a periodic Hann window at a quarter of its length."""


def mark_sound(model: onnx.ModelProto, rate: int, payload: bytes) -> None:
    """Add the watermark to a graph's output `samples`.

    Args:
        model: changed in place; its operators are those of opset 17.
        rate: of the samples, in Hz.
        payload: four bytes.
    """
    plain = f"unmarked_{SOUND}"
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == SOUND:
                    names[index] = plain
    nodes = _Nodes()
    _watermark(nodes, plain, rate, payload)
    model.graph.node.extend(nodes.nodes)
    model.graph.initializer.extend(nodes.constants)


@dataclass
class _Nodes:
    """Nodes and constants under names of their own."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        from onnx import helper

        name = to or f"watermark_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = f"watermark_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of one axis."""
        return self.constant(values, np.int64)


def _watermark(nodes: _Nodes, plain: str, rate: int, payload: bytes) -> None:
    hop = max(1, round(FRAME * rate))
    window = FRAMES_PER_WINDOW * hop
    taper = np.sqrt(np.hanning(window + 1)[:-1])
    band = bands_of_bins(window, rate)
    bins = np.flatnonzero(band < BANDS)
    waves = _waves(window, bins)
    add, constant = nodes.add, nodes.constant

    sound = add("Reshape", plain, nodes.integers(1, 1, -1))
    padded = add("Pad", sound, nodes.integers(0, 0, window, 0, 0, 2 * window))
    spectrum = add("Conv", padded, constant((waves * taper)[:, None]), strides=[hop])
    power = add("Mul", spectrum, spectrum)
    rows = np.concatenate((band[bins], band[bins]))
    energy = add("MatMul", constant(np.eye(BANDS)[:, rows]), power)
    total = _total_power(nodes, padded, taper, hop)
    energy, total = (
        add("AveragePool", each, kernel_shape=[3], pads=[1, 1], count_include_pad=1) for each in (energy, total)
    )
    mean = add("Mul", add("Add", total, constant((BANDS + 1) * _FLOOR)), constant(1 / BANDS))
    share = add("Div", mean, add("Add", energy, constant(_FLOOR)))
    change = add("Min", add("Mul", add("Sqrt", share), constant(CHANGE_AT_MEAN)), constant(LARGEST_CHANGE))
    decibels = add("Mul", change, _signs(nodes, energy, rate, hop, payload))
    gain = add("Sub", add("Exp", add("Mul", decibels, constant(np.log(10) / 20))), constant(1.0))
    added = add("Mul", spectrum, add("Gather", gain, nodes.constant(rows, np.int64), axis=1))
    back = (waves * taper)[:, None] * (2 / window / _WINDOWS_AT_A_SAMPLE)
    longer = add("ConvTranspose", added, constant(back), strides=[hop])
    end = add("Add", add("Gather", add("Shape", sound), nodes.integers(2), axis=0), nodes.integers(window))
    difference = add("Slice", longer, nodes.integers(window), end, nodes.integers(2))
    add("Reshape", add("Add", sound, difference), nodes.integers(1, -1), to=SOUND)


def _waves(window: int, bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosines, then sines, of the bins, shape (2 * bins, window)."""
    angle = 2 * np.pi * bins[:, None] * np.arange(window) / window
    return np.concatenate((np.cos(angle), np.sin(angle)))


def _total_power(nodes: _Nodes, padded: str, taper: NDArray[np.float64], hop: int) -> str:
    """The power of a frame's spectrum from 0 Hz to half of the rate, (1, 1, frames), by Parseval's theorem."""
    window, add = len(taper), nodes.add
    ends = np.stack((np.ones(window), np.cos(np.pi * np.arange(window)))) * taper
    outer = add("Conv", padded, nodes.constant(ends[:, None]), strides=[hop])
    outer_power = add("ReduceSum", add("Mul", outer, outer), nodes.integers(1), keepdims=1)
    squares = add("Conv", add("Mul", padded, padded), nodes.constant((window * taper**2)[None, None]), strides=[hop])
    return add("Mul", add("Add", squares, outer_power), nodes.constant(0.5))


def _signs(nodes: _Nodes, frames_of: str, rate: int, hop: int, payload: bytes) -> str:
    """The sign of each band in each frame, shape (bands, frames)."""
    add = nodes.add
    last = add("Gather", add("Shape", frames_of), nodes.constant(2, np.int64), axis=0)
    frames = add("Range", nodes.constant(0, np.int64), last, nodes.constant(1, np.int64))
    # The chip at a frame's centre, from a period earlier, because integers are divided towards zero.
    start = CHIPS * rate - CHIPS_PER_SECOND * (FRAMES_PER_WINDOW * hop // 2)
    moment = add("Add", add("Mul", frames, nodes.integers(CHIPS_PER_SECOND * hop)), nodes.integers(start))
    chips = add("Mod", add("Div", moment, nodes.integers(rate)), nodes.integers(CHIPS))
    pattern = code_of(PUBLIC_KEY).pattern(payload)
    return add("Gather", nodes.constant(pattern), chips, axis=1)
