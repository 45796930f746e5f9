from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from voicemill import records
from voicemill.records import RecordError, Rule


def _even(value: int) -> None:
    if value % 2:
        raise ValueError("odd")


@dataclass(frozen=True)
class Part:
    name: Annotated[str, Rule(least=1, most=4, pattern=r"^[a-z]*\Z")]
    size: Annotated[int, Rule(least=0, most=8, check=_even)] = 0


@dataclass(frozen=True)
class Whole:
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kind: Literal["one", "two"]
    parts: Annotated[tuple[Part, ...], Rule(least=1, most=2)]
    note: str | None = None
    done: bool = False
    best: Part | None = None

    def __post_init__(self) -> None:
        if self.best is not None and self.best not in self.parts:
            raise ValueError("the best is no part")


GOOD: dict[str, Any] = {"kind": "one", "parts": [{"name": "ab", "size": 4, "unknown": 1}]}


def test_a_record_is_read_and_dumped() -> None:
    found = records.read(Whole, GOOD | {"best": {"name": "ab", "size": 4}})
    assert found == Whole("one", (Part("ab", 4),), best=Part("ab", 4))
    assert records.dump(found) == dataclasses.asdict(found)
    assert records.read(Whole, records.dump(found)) == found


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"kind": "three"}, "at kind: not one of one, two"),
        ({"kind": 1}, "at kind: not one of one, two"),
        ({"kind": ["one"]}, "at kind: not one of one, two"),
        ({"parts": []}, "at parts: too small, too large, too short or too long"),
        ({"parts": [{"name": "a"}] * 3}, "at parts: too small, too large, too short or too long"),
        ({"parts": {}}, "at parts: not a list"),
        ({"parts": ["a"]}, "at parts.0: not an object"),
        ({"parts": [{"name": "a"}, {"name": ""}]}, "at parts.1.name: too small, too large, too short or too long"),
        ({"parts": [{"name": "abcde"}]}, "at parts.0.name: too small, too large, too short or too long"),
        ({"parts": [{"name": "a\n"}]}, r"at parts.0.name: does not match ^[a-z]*\Z"),
        ({"parts": [{"name": "a", "size": 9}]}, "at parts.0.size: too small, too large, too short or too long"),
        ({"parts": [{"name": "a", "size": -1}]}, "at parts.0.size: too small, too large, too short or too long"),
        ({"parts": [{"name": "a", "size": 3}]}, "at parts.0.size: odd"),
        ({"parts": [{"name": "a", "size": True}]}, "at parts.0.size: not a whole number"),
        ({"parts": [{"name": "a", "size": 2.0}]}, "at parts.0.size: not a whole number"),
        ({"parts": [{"size": 2}]}, "at parts.0.name: missing"),
        ({"note": 5}, "at note: not a text"),
        ({"done": 1}, "at done: not true or false"),
        ({"done": None}, "at done: not true or false"),
        ({"typo": 1}, "at typo: unknown field"),
        ({"best": {"name": "zz"}}, "at the top: the best is no part"),
    ],
)
def test_the_first_fault_is_named_with_its_place(change: dict[str, Any], where: str) -> None:
    with pytest.raises(RecordError) as caught:
        records.read(Whole, GOOD | change)
    assert str(caught.value) == where


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_only_an_object_is_a_record(raw: object) -> None:
    with pytest.raises(RecordError, match="at the top: not an object"):
        records.read(Whole, raw)


def test_limits_include_their_ends() -> None:
    found = records.read(Whole, {"kind": "two", "parts": [{"name": "a", "size": 0}, {"name": "abcd", "size": 8}]})
    assert [part.size for part in found.parts] == [0, 8]


def test_the_schema_has_the_limits() -> None:
    schema = TypeAdapter(Whole).json_schema()
    part = schema["$defs"]["Part"]["properties"]
    assert (part["name"]["minLength"], part["name"]["maxLength"]) == (1, 4)
    assert (part["size"]["minimum"], part["size"]["maximum"]) == (0, 8)
    assert (schema["properties"]["parts"]["minItems"], schema["properties"]["parts"]["maxItems"]) == (1, 2)
    assert schema["additionalProperties"] is False
    with pytest.raises(ValidationError):
        TypeAdapter(Whole).validate_python(GOOD | {"kind": "three"})
