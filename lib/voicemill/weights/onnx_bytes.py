"""The bytes of an ONNX graph, read without a library: operators of ONNX alone, every tensor inside the file.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). A graph with a field
that none of ours has is refused: tensors in other files, functions, training, operators of other domains.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from voicemill.errors import GateError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 8
_MODEL = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 14))
_GRAPH = frozenset((1, 2, 5, 10, 11, 12, 13, 16))
_NODE = frozenset((1, 2, 3, 4, 5, 6, 7, 9))
_ATTRIBUTE = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 20))
_TENSOR = frozenset((1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12))
_DOMAINS = (b"", b"ai.onnx")


def metadata_of_graph(data: bytes | mmap) -> dict[str, str]:
    """The metadata of a graph, after every part of it was judged.

    Raises:
        GateError: `unsafe_graph:<why>`.
    """
    view = memoryview(data)
    metadata: dict[str, str] = {}
    graphs = 0
    try:
        for number, value in _fields(view, _MODEL):
            if number == 7:
                graphs += 1
                _check_graph(_message(value), 1)
            elif number == 14:
                entry = {field: _message(text) for field, text in _fields(_message(value), frozenset((1, 2)))}
                metadata[str(entry[1], "utf-8")] = str(entry.get(2, b""), "utf-8")
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise _unsafe(str(error) if isinstance(error, _UnknownFieldError) else "malformed") from error
    if graphs != 1:
        raise _unsafe("malformed")
    return metadata


def opset_of_graph(data: bytes) -> int:
    """Version of ONNX's own operators that a graph imports.

    Raises:
        GateError: `unsafe_graph:malformed`: it states none.
    """
    try:
        for number, value in _fields(memoryview(data), _MODEL):
            if number == 8:
                entry = dict(_fields(_message(value), frozenset((1, 2))))
                domain, version = entry.get(1, memoryview(b"")), entry.get(2)
                if bytes(_message(domain)) in _DOMAINS and isinstance(version, int):
                    return version
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise _unsafe("malformed") from error
    raise _unsafe("malformed")


class _UnknownFieldError(ValueError):
    """The graph has a part that none of ours has."""


def _unsafe(why: str) -> GateError:
    return GateError(
        f"The graph holds something that no voice needs, or is damaged: {why}.",
        reason=f"unsafe_graph:{why}",
        hint="Do not use this file.",
    )


def _check_graph(view: memoryview, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _UnknownFieldError("depth")
    for number, value in _fields(view, _GRAPH):
        if number == 1:
            _check_node(_message(value), depth)
        elif number == 5:
            _check_tensor(_message(value))


def _check_node(view: memoryview, depth: int) -> None:
    for number, value in _fields(view, _NODE):
        if number == 7 and _message(value) not in _DOMAINS:
            raise _UnknownFieldError("operator_domain")
        if number != 5:
            continue
        for field, part in _fields(_message(value), _ATTRIBUTE):
            if field in (5, 10):
                _check_tensor(_message(part))
            elif field in (6, 11):
                _check_graph(_message(part), depth + 1)


def _check_tensor(view: memoryview) -> None:
    for number, value in _fields(view, _TENSOR | {13, 14}):
        if number == 13 or (number == 14 and value != 0):
            raise _UnknownFieldError("external_data")


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number in place of a message")
    return value


def _fields(view: memoryview, known: frozenset[int]) -> Iterator[tuple[int, memoryview | int]]:
    """Number and content of every field of a message; numbers of fixed size come as their bytes."""
    position, end = 0, len(view)
    while position < end:
        key, position = _varint(view, position)
        number, kind = key >> 3, key & 7
        if number not in known:
            raise _UnknownFieldError(f"field_{number}")
        if kind == _VARINT:
            value, position = _varint(view, position)
            yield number, value
            continue
        if kind == _BYTES:
            size, position = _varint(view, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("a group")
        if size > end - position:
            raise ValueError("cut short")
        yield number, view[position : position + size]
        position += size


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number of more than ten bytes")
