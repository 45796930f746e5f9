"""Graphs of ONNX, read as bytes: ours pass, anything that no voice needs is refused."""

from __future__ import annotations

import pytest

from voicemill.errors import GateError
from voicemill.weights.onnx_bytes import metadata_of_graph, opset_of_graph


def field(number: int, data: bytes | int) -> bytes:
    if isinstance(data, int):
        return bytes([number << 3, data])
    assert len(data) < 128
    key = (number << 3) | 2
    return (bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])) + bytes([len(data)]) + data


NODE = field(1, b"x") + field(2, b"y") + field(4, b"Relu")
METADATA = field(14, field(1, b"format") + field(2, b"voicemill-voice-1"))


def model(graph: bytes, *more: bytes) -> bytes:
    return field(1, 8) + field(7, graph) + METADATA + b"".join(more)


def subgraph(depth: int) -> bytes:
    return field(1, field(5, field(6, subgraph(depth - 1)))) if depth else field(1, NODE)


def test_a_graph_of_plain_operators() -> None:
    tensor = field(1, 2) + field(2, 1) + field(9, b"\0" * 8)
    constant = field(4, b"Constant") + field(5, field(1, b"value") + field(5, tensor))
    data = model(field(1, NODE) + field(1, constant) + field(5, tensor))
    assert metadata_of_graph(data) == {"format": "voicemill-voice-1"}
    assert metadata_of_graph(model(subgraph(7))) == {"format": "voicemill-voice-1"}, "eight graphs deep"


EXTERNAL = field(13, field(1, b"location") + field(2, b"/etc/passwd"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "malformed"),
        (b"not a graph", "field_13"),
        (METADATA, "malformed"),
        (model(field(1, NODE))[:-1], "malformed"),
        (model(field(1, NODE), field(7, field(1, NODE))), "malformed"),
        (model(field(5, EXTERNAL)), "external_data"),
        (model(field(5, field(14, 1))), "external_data"),
        (model(field(1, field(5, field(5, EXTERNAL)))), "external_data"),
        (model(field(1, field(5, field(10, EXTERNAL)))), "external_data"),
        (model(field(1, field(5, field(6, field(5, EXTERNAL))))), "external_data"),
        (model(field(1, NODE + field(7, b"com.microsoft"))), "operator_domain"),
        (model(field(1, NODE), field(25, b"")), "field_25"),
        (model(field(1, NODE), field(20, b"")), "field_20"),
        (model(field(15, b"")), "field_15"),
        (model(subgraph(8)), "depth"),
        (b"\xff" * 20, "malformed"),
        (field(7, 1), "malformed"),
    ],
)
def test_graphs_that_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(GateError) as caught:
        metadata_of_graph(data)
    assert caught.value.reason == f"unsafe_graph:{why}"


def test_the_version_of_the_operators() -> None:
    own, other = field(8, field(2, 17)), field(8, field(1, b"com.microsoft") + field(2, 3))
    for imports in ((own,), (other, own), (own, other)):
        assert opset_of_graph(model(field(1, NODE), *imports)) == 17
    for without in ((), (other,), (field(8, field(1, b"")),)):
        with pytest.raises(GateError) as caught:
            opset_of_graph(model(field(1, NODE), *without))
        assert caught.value.reason == "unsafe_graph:malformed"
