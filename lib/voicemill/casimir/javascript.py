"""JSON as a JavaScript engine reads and prints it: certificate hashes are taken over what `JSON.stringify` prints.

Values are None, bool, float, str, list and dict; every number is a double. Source: ECMA-262, sections 6.1.6.1.20
(Number::toString), 7.1.4.1 (StringToNumber), 10.1.11.1 (order of own properties) and 25.5 (JSON).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from voicemill.files import MAX_JSON_DEPTH, InvalidJsonError

Value: TypeAlias = "bool | float | str | list[Value] | dict[str, Value] | None"

_WHITE_SPACE = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_PREFIXED = {"0x": 16, "0o": 8, "0b": 2}
_LARGEST_INDEX = 2**32 - 2
_DIGITS = frozenset("0123456789")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')


def parse(text: str) -> Value:
    """`JSON.parse`, except that duplicate keys and absurd depth are refused.

    Raises:
        InvalidJsonError: it is not JSON, has a duplicate key, or is nested deeper than our readers allow.
    """
    # Digits beyond a double's are rounded as JavaScript rounds them; 1e999 is Infinity there and here.
    try:
        value = json.loads(
            text, parse_int=float, parse_float=float, parse_constant=_no_constant, object_pairs_hook=_object
        )
    except (ValueError, RecursionError) as error:
        raise InvalidJsonError(str(error)) from error
    _check_depth(value)
    found: Value = value
    return found


def ordered(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """An object with these properties in JavaScript's order: array indices by number, then the others as they came.

    A property that comes again keeps its place and takes the new value.
    """
    merged: dict[str, Value] = {}
    for name, value in pairs:
        merged[name] = value
    indices = sorted((name for name in merged if _is_index(name)), key=int)
    if not indices:
        return merged
    return {name: merged[name] for name in [*indices, *(name for name in merged if not _is_index(name))]}


def stringify(value: Value) -> str:
    """`JSON.stringify(value)`: compact, non-ASCII as it is, lone surrogates escaped; null for a number that is not
    finite.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value) if math.isfinite(value) else "null"
    if isinstance(value, str):
        return f'"{_ESCAPED.sub(_escape, value)}"'
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{stringify(name)}:{stringify(each)}" for name, each in value.items()) + "}"
    return "[" + ",".join(map(stringify, value)) + "]"


def number_text(number: float) -> str:
    """`String(number)`: shortest digits that read back the same, exponent below 1e-6 and from 1e21 on."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"  # also minus zero
    sign = "-" if number < 0 else ""
    # Python's repr gives the shortest digits; only their layout differs.
    _, tuple_of_digits, exponent = Decimal(repr(abs(float(number)))).as_tuple()
    digits = "".join(map(str, tuple_of_digits)).rstrip("0")
    exponent = int(exponent) + len(tuple_of_digits) - len(digits)
    point = len(digits) + exponent  # value = 0.digits * 10 ** point
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "") + power


def number_of(text: str) -> float:
    """`Number(text)`; NaN where JavaScript gives NaN, and 0 for an empty string."""
    body = trim(text)
    if not body:
        return 0.0
    base = _PREFIXED.get(body[:2].lower())
    if base is not None:
        digits = body[2:]
        known = "0123456789abcdef"[:base]
        if not digits or any(digit not in known for digit in digits.lower()):
            return math.nan
        try:
            return float(int(digits, base))
        except OverflowError:
            return math.inf
    if body.lstrip("+-") == "Infinity" and len(body) <= len("+Infinity"):
        return -math.inf if body[0] == "-" else math.inf
    return float(body) if _DECIMAL.fullmatch(body) else math.nan


def trim(text: str) -> str:
    """`text.trim()`: JavaScript's white space, which is not Python's."""
    return text.strip(_WHITE_SPACE)


def utf8(text: str) -> bytes:
    """Bytes of what `stringify` gave; it holds no lone surrogates."""
    return text.encode("utf-8")


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _is_index(name: str) -> bool:
    if (
        name[:1] not in _DIGITS
        or not (name.isascii() and name.isdigit())
        or len(name) > 10
        or (len(name) > 1 and name[0] == "0")
    ):
        return False
    return int(name) <= _LARGEST_INDEX


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise InvalidJsonError(f"the key {name[:80]!r} comes twice")
        seen.add(name)
    return ordered(pairs)


def _no_constant(text: str) -> float:
    raise InvalidJsonError(f"{text} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise InvalidJsonError(f"nested deeper than {MAX_JSON_DEPTH} levels")
