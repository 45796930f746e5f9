"""Checkpoints as `torch.save` writes them: a stored zip with one pickle and the storages of its tensors.

The pickle is read by a small machine that knows tensors and plain values. Where `pickle` would import and call, the
machine compares names. Anything else is refused: other globals, other opcodes, tensors that claim more than their
storage holds. Opcodes: `pickletools` in Python's library.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

from voicemill.weights import plain_zip
from voicemill.weights.archive_bytes import Member, read_exact, unsafe

MAX_PICKLE_BYTES = 1 << 20
"""A FastPitch state dict pickles to 24 kB, a HiFi-GAN with discriminators to about 100 kB."""
_OTHER_ENTRIES = {
    "version": re.compile(rb"[0-9]{1,3}\n"),
    "byteorder": re.compile(rb"little"),
    ".format_version": re.compile(rb"[0-9]{1,3}"),
    ".storage_alignment": re.compile(rb"[0-9]{1,5}"),
    ".data/serialization_id": re.compile(rb"[0-9]{40}"),
}
"""The small entries that torch adds, and their contents. Tensors are little-endian, as on every machine we run on."""
ITEM_BYTES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}
_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
"""Name of a storage class -> the dtype of its tensors in torch."""
ORDERED_DICT = ("collections", "OrderedDict")
REBUILD_TENSOR = ("torch._utils", "_rebuild_tensor_v2")
REBUILD_PARAMETER = ("torch._utils", "_rebuild_parameter")
FRACTION = ("fractions", "Fraction")
_MOST_COUNT = 1 << 32
"""Largest size, stride or offset of a tensor, also where the tensor is empty: torch's own end at 63 bits."""
_RATIO = re.compile(r"[0-9]{1,9}(?:/[1-9][0-9]{0,8})?")


@dataclass(frozen=True)
class Storage:
    """The bytes that tensors share, as the pickle describes them; `key` names the zip's entry `data/<key>`."""

    dtype: str
    numel: int
    key: str


@dataclass(frozen=True)
class Tensor:
    """A tensor as the pickle describes it: a view of `storage`, `offset` and `stride` counted in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Named:
    """A class or function that the pickle names. It is only a name and is never imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint.

    Attributes:
        value: dicts, tuples, numbers, texts, `Tensor`, `Named`.
        storages: the bytes of each storage in the open file, by key.
        unused: keys of storages that the pickle does not name.
    """

    value: Any
    storages: Mapping[str, Member]
    unused: tuple[str, ...] = ()

    def tensors(self, value: Any) -> dict[str, Tensor]:
        """`value`, a part of this checkpoint's value, if it is a state dict and no storage is left over.

        Raises:
            GateError: `unsafe_archive:` with `pickle_invalid`, `unexpected_entry:<name>`.
        """
        tensors = state_dict(value)
        if self.unused:
            raise unsafe(
                f"unexpected_entry:data/{self.unused[0]}", "The checkpoint holds data that belong to no tensor."
            )
        return tensors


def read(
    handle: BinaryIO, member: Member, *, classes: frozenset[tuple[str, str]] = frozenset(), plain: bool = False
) -> Checkpoint:
    """Read a checkpoint without executing it.

    Args:
        handle: the open file.
        member: the range of the checkpoint in it.
        classes: (module, name) that may be named besides those of tensors; only `FRACTION` is ever evaluated.
        plain: whether lists and floating-point numbers are allowed too.

    Raises:
        GateError: `unsafe_archive:` with the refusals of `plain_zip`, `unexpected_entry:<name>`, `pickle_invalid`,
            `pickle_forbidden:<name>`, `tensor_outside_storage`.
    """
    entries = plain_zip.entries(handle, member)
    storages: dict[str, Member] = {}
    for name, entry in entries.items():
        folder, _, key = name.partition("/")
        if folder == "data" and key.isascii() and key.isdigit():
            storages[key] = entry
        elif name != "data.pkl":
            _check_other(handle, entry)
    pickled = entries.get("data.pkl")
    if pickled is None or pickled.size > MAX_PICKLE_BYTES:
        raise unsafe("pickle_invalid", "The checkpoint has no pickle of a plausible size.")
    data = read_exact(handle, pickled.offset, pickled.size, "weights_not_a_plain_zip")
    machine = _Machine(data, {key: entry.size for key, entry in storages.items()}, classes, plain)
    try:
        value = machine.run()
    except (IndexError, KeyError, TypeError, ValueError, UnicodeDecodeError, struct.error) as error:
        raise unsafe("pickle_invalid", f"The checkpoint's pickle makes no sense: {type(error).__name__}.") from error
    return Checkpoint(value, storages, tuple(sorted(set(storages) - machine.used_storages)))


def _check_other(handle: BinaryIO, entry: Member) -> None:
    known = _OTHER_ENTRIES.get(entry.name)
    if known is None or entry.size > 64:
        name = entry.name
        raise unsafe(f"unexpected_entry:{name}", f"The checkpoint holds {name!r}, which its weights do not need.")
    if not known.fullmatch(read_exact(handle, entry.offset, entry.size, "weights_not_a_plain_zip")):
        raise unsafe("weights_not_a_plain_zip", f"The checkpoint's entry {entry.name!r} has an unknown content.")


def load_tensors(handle: BinaryIO, tensors: Mapping[str, Tensor], storages: Mapping[str, Member]) -> dict[str, Any]:
    """The inspected tensors as torch tensors on the CPU, made of the bytes of the open file.

    Nothing is parsed again, so exactly the inspected bytes are loaded. Tensors that share a storage share memory, as
    `torch.load` has them.

    Args:
        handle: the file that was inspected, still open.
        tensors: from `state_dict`.
        storages: from the same `Checkpoint`.

    Raises:
        GateError: `unsafe_archive:weights_not_a_plain_zip`: the file was cut meanwhile.
    """
    import torch

    held: dict[str, torch.Tensor] = {}
    loaded: dict[str, Any] = {}
    for name, tensor in tensors.items():
        key = tensor.storage.key
        if key not in held:
            place = storages[key]
            data = bytearray(read_exact(handle, place.offset, place.size, "weights_not_a_plain_zip"))
            dtype = getattr(torch, _DTYPES[tensor.storage.dtype])
            held[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        loaded[name] = held[key].as_strided(tensor.shape, tensor.stride, tensor.offset)
    return loaded


def state_dict(value: Any) -> dict[str, Tensor]:
    """`value`, if it is a state dict: names and tensors, and nothing else.

    Raises:
        GateError: `unsafe_archive:pickle_invalid`.
    """
    if not isinstance(value, dict):
        raise unsafe("pickle_invalid", "The checkpoint is not a state dict.")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise unsafe("pickle_invalid", f"The checkpoint holds something other than a tensor at {name!r}.")
    return value


class _Mapping(dict[str, Any]):
    """An OrderedDict."""


_MARK = object()


class _Machine:
    """Runs the opcodes of pickle protocol 2 that `torch.save` uses, over plain data."""

    def __init__(
        self,
        data: bytes,
        storages: Mapping[str, int],
        classes: frozenset[tuple[str, str]],
        plain: bool,
    ) -> None:
        self._data = data
        self._storages = storages
        self._classes = classes
        self._dispatch = _PLAIN if plain else _DISPATCH
        self._dtypes: dict[str, str] = {}
        self._position = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    @property
    def used_storages(self) -> set[str]:
        """Keys of the storages that the pickle names."""
        return set(self._dtypes)

    def run(self) -> Any:
        data, dispatch = self._data, self._dispatch
        if data[:2] != b"\x80\x02":
            raise unsafe("pickle_forbidden:protocol", "The checkpoint's pickle is not of protocol 2.")
        self._position = 2
        while True:
            opcode = data[self._position]
            self._position += 1
            if opcode == 0x2E:  # STOP
                break
            step = dispatch.get(opcode)
            if step is None:
                raise unsafe(
                    f"pickle_forbidden:opcode_{opcode:02x}",
                    f"The checkpoint's pickle uses opcode {opcode:#04x}, which its weights do not need.",
                )
            step(self)
        if len(self._stack) != 1 or self._position != len(data):
            raise ValueError("the pickle does not end with one object")
        return self._stack[0]

    def take(self, size: int) -> bytes:
        """The next `size` bytes of the pickle."""
        end = self._position + size
        if end > len(self._data):
            raise ValueError("cut short")
        piece = self._data[self._position : end]
        self._position = end
        return piece

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("unexpected mark")
        return value

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def top(self) -> Any:
        return self._stack[-1]

    def remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def recall(self, index: int) -> None:
        self.push(self._memo[index])

    def load_global(self) -> None:
        end = self._data.index(b"\n", self._position)
        module = self.take(end - self._position + 1)[:-1].decode("ascii")
        end = self._data.index(b"\n", self._position)
        name = self.take(end - self._position + 1)[:-1].decode("ascii")
        known = (module, name) in (ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER) or (
            module == "torch" and name in ITEM_BYTES
        )
        if not known and (module, name) not in self._classes:
            raise unsafe(
                f"pickle_forbidden:{module}.{name}",
                f"The checkpoint's pickle wants {module}.{name}, which its weights do not need.",
            )
        self.push(Named(module, name))

    def set_items(self, pairs: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, dict) or len(pairs) % 2:
            raise ValueError("items for something other than a dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str) or key in target:
                raise ValueError("a key is not a text, or comes twice")
            target[key] = value

    def extend(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise ValueError("items for something other than a list")
        target.extend(items)

    def build(self) -> None:
        """`_metadata` of a module's state dict: versions of submodules; read and dropped."""
        state = self.pop()
        if not isinstance(self.top(), _Mapping) or not isinstance(state, dict) or set(state) != {"_metadata"}:
            raise unsafe(
                "pickle_forbidden:build", "The checkpoint's pickle sets state that a state dict does not have."
            )

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Named) or not isinstance(arguments, tuple):
            raise unsafe("pickle_forbidden:reduce", "The checkpoint's pickle calls something that is not a function.")
        called = (function.module, function.name)
        if called == ORDERED_DICT and arguments == ():
            self.push(_Mapping())
        elif called == REBUILD_TENSOR and len(arguments) in (6, 7):
            self.push(checked_tensor(*arguments[:4]))
        elif called == REBUILD_PARAMETER and len(arguments) == 3 and isinstance(arguments[0], Tensor):
            self.push(arguments[0])
        elif called == FRACTION:
            self.push(_fraction(arguments))
        else:
            raise unsafe(
                "pickle_forbidden:reduce", f"The checkpoint's pickle calls {'.'.join(called)} in an unusual way."
            )

    def persistent(self) -> None:
        kind, storage, key, location, numel = self.pop()
        if (
            kind != "storage"
            or not isinstance(storage, Named)
            or not isinstance(key, str)
            or not isinstance(location, str)
        ):
            raise ValueError("unknown persistent object")
        _count(numel)
        held = self._storages.get(key)
        if storage.name not in ITEM_BYTES or held is None or held != numel * ITEM_BYTES[storage.name]:
            raise unsafe("tensor_outside_storage", f"The storage {key!r} does not hold what the checkpoint claims.")
        if self._dtypes.setdefault(key, storage.name) != storage.name:
            raise ValueError("one storage of two types")
        self.push(Storage(storage.name, numel, key))


def _tuple(machine: _Machine, size: int) -> None:
    items = [machine.pop() for _ in range(size)][::-1]
    machine.push(tuple(items))


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


_DISPATCH: dict[int, Callable[[_Machine], None]] = {
    ord("}"): lambda m: m.push({}),
    ord(")"): lambda m: m.push(()),
    ord("("): lambda m: m.push(_MARK),
    ord("N"): lambda m: m.push(None),
    ord("t"): lambda m: m.push(tuple(m.pop_to_mark())),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x8A: lambda m: m.push(m.number(m.number(1), signed=True)),  # LONG1
    ord("J"): lambda m: m.push(m.number(4, signed=True)),
    ord("K"): lambda m: m.push(m.number(1)),
    ord("M"): lambda m: m.push(m.number(2)),
    ord("X"): lambda m: m.push(m.take(m.number(4)).decode("utf-8")),
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    ord("s"): _set_item,
    ord("u"): lambda m: m.set_items(m.pop_to_mark()),
    ord("c"): lambda m: m.load_global(),
    ord("R"): lambda m: m.reduce(),
    ord("Q"): lambda m: m.persistent(),
    ord("b"): lambda m: m.build(),
}
_PLAIN: dict[int, Callable[[_Machine], None]] = {
    **_DISPATCH,
    ord("]"): lambda m: m.push([]),
    ord("a"): lambda m: m.extend([m.pop()]),
    ord("e"): lambda m: m.extend(m.pop_to_mark()),
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
}


def _count(value: object) -> int:
    """`value`, if it is a whole number from 0.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a count")
    return value


def checked_tensor(storage: object, offset: object, shape: object, stride: object) -> Tensor:
    """A tensor, checked to lie in its storage and to have no more elements than it.

    Raises:
        ValueError: it is not a tensor.
        GateError: `unsafe_archive:tensor_outside_storage`.
    """
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
        raise ValueError("not a tensor")
    sizes, steps = tuple(map(_count, shape)), tuple(map(_count, stride))
    if len(sizes) != len(steps) or len(sizes) > 8:
        raise ValueError("not a tensor's shape")
    numel = math.prod(sizes)
    last = _count(offset) + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if numel > storage.numel or (numel and last >= storage.numel):
        raise unsafe("tensor_outside_storage", f"A tensor of shape {sizes} claims more than its storage holds.")
    if max((*sizes, *steps, _count(offset))) > _MOST_COUNT:
        raise ValueError("a number that no tensor needs")
    return Tensor(storage, _count(offset), sizes, steps)


def _fraction(arguments: tuple[object, ...]) -> Fraction:
    """`Fraction(39, 5)` or, from Python before 3.11, `Fraction("39/5")`; a longer text could take for ever.

    Raises:
        ValueError: it is not a fraction.
    """
    if len(arguments) == 2:
        numerator, denominator = (_count(part) for part in arguments)
        if not denominator:
            raise ValueError("not a fraction")
        return Fraction(numerator, denominator)
    (text,) = arguments
    if not isinstance(text, str) or not _RATIO.fullmatch(text):
        raise ValueError("not a fraction")
    return Fraction(text)
