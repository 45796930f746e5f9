"""What the pickle of a checkpoint may hold beside plain values: tensors in storages, names, fractions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from voicemill.weights.unsafe import unsafe

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
_RATIO = re.compile(r"[0-9]{1,9}(?:/[1-9][0-9]{0,8})?")


@dataclass(frozen=True)
class Tensor:
    """What a pickle says of one tensor."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Named:
    """A class or function that the pickle names; here it is a name and nothing else."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """What a pickle says of the bytes that tensors lie in."""

    dtype: str
    numel: int


def count(value: object) -> int:
    """`value`, if it is a whole number from 0.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a count")
    return value


def tensor(storage: object, offset: object, shape: object, stride: object) -> Tensor:
    """Check that a tensor lies in its storage, and has no more elements than it.

    Raises:
        ValueError: it is no tensor.
        GateError: `unsafe_archive:tensor_outside_storage`.
    """
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
        raise ValueError("not a tensor")
    sizes, steps = [count(size) for size in shape], [count(step) for step in stride]
    if len(sizes) != len(steps) or len(sizes) > 8:
        raise ValueError("not a tensor's shape")
    numel = math.prod(sizes)
    last = count(offset) + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if numel > storage.numel or (numel and last >= storage.numel):
        raise unsafe("tensor_outside_storage", f"A tensor of shape {tuple(sizes)} claims more than its storage holds.")
    return Tensor(storage.dtype, tuple(sizes))


def fraction(arguments: tuple[object, ...]) -> Fraction:
    """`Fraction(39, 5)` or, from Python before 3.11, `Fraction("39/5")`; a longer text could take for ever.

    Raises:
        ValueError: it is no fraction.
    """
    if len(arguments) == 2:
        numerator, denominator = (count(part) for part in arguments)
        if not denominator:
            raise ValueError("not a fraction")
        return Fraction(numerator, denominator)
    (text,) = arguments
    if not isinstance(text, str) or not _RATIO.fullmatch(text):
        raise ValueError("not a fraction")
    return Fraction(text)
