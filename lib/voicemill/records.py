"""Frozen dataclasses read from JSON with the standard library only, for formats that a bare Python has to check.

Fields are annotated with their type and, where needed, a `Rule`. `read` builds a record from parsed JSON, `dump` gives
its JSON back. pydantic derives the JSON Schema from the same annotations, where it is installed.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union

_Record = TypeVar("_Record")
_MISSING = dataclasses.MISSING


class RecordError(ValueError):
    """A value does not fit its field.

    Attributes:
        path: names and indices from the top to the value.
    """

    def __init__(self, path: tuple[str | int, ...], why: str) -> None:
        super().__init__(why)
        self.path, self.why = path, why

    def __str__(self) -> str:
        return f"at {'.'.join(map(str, self.path)) or 'the top'}: {self.why}"


@dataclass(frozen=True)
class Rule:
    """Limits of a value.

    Attributes:
        pattern: regular expression that a text has to contain.
        least: smallest number, or shortest text or list.
        most: largest number, or longest text or list.
        check: raises ValueError for a value that does not fit; the schema cannot express it.
        schema: further keywords of the JSON Schema.
    """

    pattern: str | None = None
    least: int | None = None
    most: int | None = None
    check: Callable[[Any], object] | None = None
    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    def apply(self, value: Any, path: tuple[str | int, ...]) -> None:
        """Compare a value with the limits.

        Raises:
            RecordError: it does not fit.
        """
        size = value if isinstance(value, int) else len(value)
        if (self.least is not None and size < self.least) or (self.most is not None and size > self.most):
            raise RecordError(path, "too small, too large, too short or too long")
        if self.pattern is not None and re.search(self.pattern, value) is None:
            raise RecordError(path, f"does not match {self.pattern}")
        if self.check is not None:
            try:
                self.check(value)
            except ValueError as error:
                raise RecordError(path, str(error) or "not valid") from error

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """The keywords of the JSON Schema; called by pydantic."""
        schema = handler(core)
        names = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
        least, most = names.get(schema.get("type", ""), ("minimum", "maximum"))
        found = {"pattern": self.pattern, least: self.least, most: self.most, **self.schema}
        return schema | {name: value for name, value in found.items() if value is not None}


Sha256 = Annotated[str, Rule(pattern=r"^[0-9a-f]{64}\Z", schema={"pattern": "^[0-9a-f]{64}$"})]
"""Hexadecimal digits in lower case."""


def read(kind: type[_Record], raw: object, path: tuple[str | int, ...] = ()) -> _Record:
    """A record from parsed JSON. Unknown fields are ignored, unless the record forbids them.

    Args:
        kind: a dataclass.
        raw: what the JSON parser returned.
        path: its place in the file.

    Raises:
        RecordError: a field is missing, unknown, or does not fit.
    """
    if not isinstance(raw, dict):
        raise RecordError(path, "not an object")
    values: dict[str, Any] = {}
    extra = getattr(kind, "__pydantic_config__", {}).get("extra")
    hints = _types(typing.cast(Any, kind))
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in raw:
            values[field.name] = _value(hints[field.name], raw[field.name], (*path, field.name))
        elif field.default is _MISSING and field.default_factory is _MISSING:
            raise RecordError((*path, field.name), "missing")
    if extra == "forbid":
        for name in raw:
            if name not in values:
                raise RecordError((*path, str(name)), "unknown field")
    try:
        return kind(**values)
    except ValueError as error:  # of __post_init__
        raise RecordError(path, str(error)) from error


def dump(record: Any) -> dict[str, Any]:
    """The JSON object of a record, with every field."""
    return dataclasses.asdict(record)


@cache
def _types(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _value(kind: Any, raw: Any, path: tuple[str | int, ...]) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        value = _value(arguments[0], raw, path)
        for rule in arguments[1:]:
            if isinstance(rule, Rule):
                rule.apply(value, path)
        return value
    if origin in (Union, types.UnionType):
        others = [each for each in arguments if each is not type(None)]
        return None if raw is None and len(others) < len(arguments) else _value(others[0], raw, path)
    if origin is Literal:
        if isinstance(raw, str) and raw in arguments:
            return raw
        raise RecordError(path, f"not one of {', '.join(map(str, arguments))}")
    if origin in (tuple, list):
        if not isinstance(raw, list | tuple):
            raise RecordError(path, "not a list")
        return origin(_value(arguments[0], each, (*path, index)) for index, each in enumerate(raw))
    if dataclasses.is_dataclass(kind):
        return read(kind, raw, path)  # type: ignore[arg-type]
    if not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)):
        raise RecordError(path, f"not {_NAMES[kind]}")
    return raw


_NAMES = {str: "a text", int: "a whole number", bool: "true or false"}
