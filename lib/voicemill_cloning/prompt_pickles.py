"""Prompts of the earlier toolbox, which are pickles: read without unpickling, and converted.

Such a file is a list with one `VoiceClonePromptItem` of `qwen_tts`, whose tensors carry their bytes in the older format
of `torch.save`. `pickletools` decodes the opcodes; the few that such a file needs are carried out here over plain data.
A name is only compared, never imported, and any other name or opcode is refused.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import GateError, UsageError
from voicemill.weights.archive_bytes import unsafe
from voicemill.weights.checkpoint import ITEM_BYTES, Named, Storage, Tensor, checked_tensor
from voicemill_cloning.prompts import MAX_BYTES, ClonePrompt

ITEM = Named("qwen_tts.inference.qwen3_tts_model", "VoiceClonePromptItem")
_ORDERED_DICT = Named("collections", "OrderedDict")
_REBUILD = Named("torch._utils", "_rebuild_tensor_v2")
_LOAD_BYTES = Named("torch.storage", "_load_from_bytes")
_NAMES = frozenset({ITEM, _ORDERED_DICT, _REBUILD, _LOAD_BYTES} | {Named("torch", name) for name in ITEM_BYTES})
_FIELDS = frozenset({"ref_code", "ref_spk_embedding", "x_vector_only_mode", "icl_mode", "ref_text"})
_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
_NUMPY = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
}


@dataclass
class _Item:
    """A prompt item whose fields are not set yet."""

    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _StorageData:
    """A storage and its bytes."""

    storage: Storage
    data: bytes


def read_pickled_prompt(path: Path, metadata: Mapping[str, str] | None = None) -> ClonePrompt:
    """Read a pickled prompt.

    Args:
        path: the `.pkl` file.
        metadata: what is known of it, from the file beside it.

    Raises:
        UsageError: `prompt_missing:<name>`.
        GateError: `unsafe_archive:pickle_forbidden:<name>`, `unsafe_archive:pickle_invalid`,
            `unsafe_archive:tensor_outside_storage`.
    """
    if not path.is_file():
        raise UsageError(f"There is no prompt {path}.", reason=f"prompt_missing:{path.name}", hint="Check its name.")
    with path.open("rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise unsafe("pickle_invalid", f"{path.name} is too large for a prompt.")
    try:
        stream = io.BytesIO(data)
        value = _Machine(_load_bytes).run(stream)
        if stream.read(1):
            raise ValueError("something follows the prompt")
        return _prompt(value, dict(metadata or {}))
    except GateError:
        raise
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise unsafe("pickle_invalid", f"{path.name} is not a prompt of the earlier toolbox: {error}.") from error


def _prompt(value: Any, metadata: dict[str, str]) -> ClonePrompt:
    items = value if isinstance(value, list) else [value]
    if len(items) != 1 or not isinstance(items[0], _Item) or not set(items[0].state) <= _FIELDS:
        raise ValueError("it does not hold one prompt item")
    state = items[0].state
    codes, text = state.get("ref_code"), state.get("ref_text") or ""
    if not isinstance(text, str):
        raise ValueError("its text is none")
    if state.get("x_vector_only_mode"):
        codes, text = None, ""
    embedding = _array(state["ref_spk_embedding"]).astype(np.float32)
    return ClonePrompt(
        embedding=embedding,
        codes=None if codes is None else _array(codes).astype(np.int64),
        text=text,
        metadata=metadata,
    )


def _array(value: Any) -> NDArray[Any]:
    """A tensor's numbers; `checked_tensor` has compared shape and storage."""
    tensor, data = value
    if not isinstance(tensor, Tensor) or not isinstance(data, bytes):
        raise ValueError("a field is not a tensor")
    flat = np.frombuffer(data, dtype=_NUMPY[tensor.storage.dtype])
    if tensor.storage.dtype == "BFloat16Storage":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    strides = tuple(step * flat.itemsize for step in tensor.stride)
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.array(view)


def _load_bytes(data: bytes) -> _StorageData:
    """One storage in the older format of `torch.save`: four pickles, the list of keys, the bytes."""
    stream = io.BytesIO(data)
    if _Machine(None).run(stream) != _MAGIC or _Machine(None).run(stream) != _LEGACY_VERSION:
        raise ValueError("a tensor has an unknown format")
    system = _Machine(None).run(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("a tensor is not little-endian")
    storage = _Machine(None).run(stream)
    keys = _Machine(None).run(stream)
    if not isinstance(storage, Storage) or keys != [storage.key]:
        raise ValueError("a tensor has an unknown structure")
    numel = int.from_bytes(stream.read(8), "little")
    rest = stream.read()
    if numel != storage.numel or len(rest) != numel * ITEM_BYTES[storage.dtype]:
        raise unsafe("tensor_outside_storage", "A tensor's storage does not have the length that it claims.")
    return _StorageData(storage, rest)


_MARK = object()


class _Machine:
    """Carries out the opcodes of one pickle over plain data."""

    def __init__(self, load_bytes: Any) -> None:
        """
        Args:
            load_bytes: reads a nested storage; None where none may be.
        """
        self._load_bytes = load_bytes
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, stream: io.BytesIO) -> Any:
        """The value of the pickle at the stream's position, which is then behind it."""
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                break
            action = getattr(self, f"_{opcode.name.lower()}", None)
            if action is not None:
                action(argument)
            elif opcode.name in _CONSTANTS:
                self._stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _ARGUMENTS:
                self._stack.append(argument)
            elif opcode.name not in _IGNORED:
                raise unsafe(
                    f"pickle_forbidden:{opcode.name.lower()}",
                    f"The pickle uses the opcode {opcode.name}, which no prompt needs.",
                )
        if len(self._stack) != 1:
            raise ValueError("the pickle does not end with one object")
        return self._stack[0]

    def _take_to_mark(self) -> list[Any]:
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _take(self) -> Any:
        item = self._stack.pop()
        if item is _MARK:
            raise ValueError("unexpected mark")
        return item

    def _empty_list(self, argument: Any) -> None:
        self._stack.append([])

    def _empty_dict(self, argument: Any) -> None:
        self._stack.append({})

    def _mark(self, argument: Any) -> None:
        self._stack.append(_MARK)

    def _tuple(self, argument: Any) -> None:
        self._stack.append(tuple(self._take_to_mark()))

    def _tuple1(self, argument: Any) -> None:
        self._stack.append((self._take(),))

    def _tuple2(self, argument: Any) -> None:
        last, first = self._take(), self._take()
        self._stack.append((first, last))

    def _tuple3(self, argument: Any) -> None:
        last, middle, first = self._take(), self._take(), self._take()
        self._stack.append((first, middle, last))

    def _memoize(self, argument: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _binput(self, argument: int) -> None:
        self._memo[argument] = self._stack[-1]

    _long_binput = _binput

    def _binget(self, argument: int) -> None:
        self._stack.append(self._memo[argument])

    _long_binget = _binget

    def _append(self, argument: Any) -> None:
        item = self._take()
        self._top_list().append(item)

    def _appends(self, argument: Any) -> None:
        items = self._take_to_mark()
        self._top_list().extend(items)

    def _top_list(self) -> list[Any]:
        if not isinstance(self._stack[-1], list):
            raise ValueError("items for something other than a list")
        return self._stack[-1]

    def _setitem(self, argument: Any) -> None:
        value, key = self._take(), self._take()
        self._set([key, value])

    def _setitems(self, argument: Any) -> None:
        self._set(self._take_to_mark())

    def _set(self, pairs: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(pairs) % 2 or not all(isinstance(key, str) for key in pairs[::2]):
            raise ValueError("items for something other than a dict of texts")
        target.update(zip(pairs[::2], pairs[1::2], strict=True))

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, argument: Any) -> None:
        name, module = self._take(), self._take()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str) or Named(module, name) not in _NAMES:
            raise unsafe(
                f"pickle_forbidden:{module}.{name}", f"The pickle wants {module}.{name}, which no prompt needs."
            )
        self._stack.append(Named(module, name))

    def _newobj(self, argument: Any) -> None:
        arguments, kind = self._take(), self._take()
        if kind != ITEM or arguments != ():
            raise unsafe("pickle_forbidden:newobj", "The pickle makes an object that no prompt has.")
        self._stack.append(_Item())

    def _build(self, argument: Any) -> None:
        state, item = self._take(), self._stack[-1]
        if not isinstance(item, _Item) or not isinstance(state, dict) or item.state:
            raise unsafe("pickle_forbidden:build", "The pickle sets the state of an object that no prompt has.")
        item.state = state

    def _reduce(self, argument: Any) -> None:
        arguments, function = self._take(), self._take()
        if not isinstance(arguments, tuple):
            raise ValueError("arguments that are no tuple")
        if function == _ORDERED_DICT and arguments == ():
            self._stack.append({})
        elif function == _LOAD_BYTES and self._load_bytes is not None:
            (data,) = arguments
            self._stack.append(self._load_bytes(bytes(data)))
        elif function == _REBUILD and len(arguments) in (6, 7) and isinstance(arguments[0], _StorageData):
            held = arguments[0]
            self._stack.append((checked_tensor(held.storage, *arguments[1:4]), held.data))
        else:
            raise unsafe("pickle_forbidden:reduce", "The pickle calls a function in an unusual way.")

    def _binpersid(self, argument: Any) -> None:
        kind, named, key, _, numel, view = self._take()
        known = isinstance(named, Named) and named.module == "torch" and named.name in _NUMPY
        if kind != "storage" or not known or not isinstance(key, str) or view is not None:
            raise ValueError("unknown persistent object")
        if not isinstance(numel, int) or isinstance(numel, bool) or not 0 <= numel <= MAX_BYTES:
            raise ValueError("a storage of an impossible length")
        self._stack.append(Storage(named.name, numel, key))


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_ARGUMENTS = frozenset(
    {
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
    }
)
_IGNORED = frozenset({"PROTO", "FRAME"})
