"""Against node, where it is installed, and against values that ECMA-262 fixes."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.casimir.javascript import number_of, number_text, ordered, parse, stringify, trim
from voicemill.files import InvalidJsonError

pytestmark = pytest.mark.slow

NODE = shutil.which("node") or shutil.which("nodejs")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")

WHITE = "\t\n\v\f\r \xa0\u1680\u2003\u2028\u2029\u202f\u3000\ufeff\x85\x1c"


def node(program: str, lines: list[str]) -> list[str]:
    """`program` maps a line `x` of JSON to a string; all lines in one process."""
    script = (
        "const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(l => l.length);"
        f"const f = x => {program}; for (const l of lines) console.log(JSON.stringify(f(JSON.parse(l))));"
    )
    done = subprocess.run([str(NODE), "-e", script], input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1200000.0, "1200000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (2.5e-8, "2.5e-8"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.1 + 0.2, "0.30000000000000004"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_print_as_javascript_prints_them(number: float, text: str) -> None:
    assert number_text(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back_the_same(number: float) -> None:
    assert float(number_text(number)) == number


@needs_node
@settings(max_examples=8)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=200, max_size=400))
def test_every_bit_pattern_prints_as_in_node(patterns: list[int]) -> None:
    numbers = [struct.unpack("<d", struct.pack("<Q", pattern))[0] for pattern in patterns]
    finite = [number for number in numbers if math.isfinite(number)]
    assert node("String(x)", [repr(number) for number in finite]) == [number_text(number) for number in finite]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0b101", 5), ("0B11", 3), ("0o17", 15), ("0XfF", 255), (" 0x10\n", 16), ("", 0), ("-1.5e3", -1500), ("+.5", 0.5)],
)
def test_a_text_is_the_number_that_javascript_reads(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize("text", ["0b2", "0o8", "0xg", "0b", "-0x10", "1_0", "1e", "e1", "infinity", "1 2", "0x1.8"])
def test_a_text_that_is_no_number_in_javascript_is_none_here(text: str) -> None:
    assert math.isnan(number_of(text))


NUMERIC = st.text(alphabet="0123456789abcdefxob.+-eE_ \tInfinty" + WHITE, max_size=12)


@needs_node
@settings(max_examples=8)
@given(st.lists(NUMERIC | st.floats().map(repr) | st.integers().map(hex), min_size=100, max_size=300))
def test_strings_become_the_numbers_that_they_are_in_node(texts: list[str]) -> None:
    found = node("String(Number(x))", [json.dumps(text) for text in texts])
    assert found == [number_text(number_of(text)) for text in texts]


@needs_node
@settings(max_examples=8)
@given(st.lists(st.text(alphabet=WHITE + "ab", max_size=8), min_size=50, max_size=100))
def test_white_space_is_javascripts(texts: list[str]) -> None:
    assert node("x.trim()", [json.dumps(text) for text in texts]) == [trim(text) for text in texts]


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 2**33).map(str), inner, max_size=5)
    ),
    max_leaves=12,
)


@needs_node
@settings(max_examples=10)
@given(st.lists(DOCUMENTS, min_size=30, max_size=60))
def test_documents_read_and_print_as_in_node(documents: list[object]) -> None:
    texts = [json.dumps(document).replace("Infinity", "1e999") for document in documents]
    assert node("JSON.stringify(x)", texts) == [stringify(parse(text)) for text in texts]


def test_what_is_special_about_javascripts_numbers_and_order() -> None:
    assert stringify(parse("[12345678901234567890, 1e999, -1e999, 1.0, -0, 1e2]")) == (
        "[12345678901234567000,null,null,1,0,100]"
    )
    assert list(ordered([("b", 1.0), ("10", 1.0), ("2", 1.0), ("01", 1.0), ("4294967295", 1.0), ("b", 2.0)])) == [
        "2",
        "10",
        "b",
        "01",
        "4294967295",
    ]
    later = ("x", "00", "01", "1" * 11, "4294967295", "99999999999", "1a", "", "-1", "1.5", "\u0661")
    indices = ("0", "1", "9", "10", "1000000000", "4294967294")
    assert tuple(ordered((name, 1.0) for name in (*later, *reversed(indices)))) == (*indices, *later)
    assert stringify(parse(r'"\ud800 \ud83d\ude00 é \u007f \u2028"')) == '"\\ud800 \U0001f600 é \x7f \u2028"'
    assert stringify('"\\\b\f\n\r\t\x00') == '"\\"\\\\\\b\\f\\n\\r\\t\\u0000"'


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "NaN", "Infinity", "-Infinity", '{"a":1,"a":2}', "[" * 200_000, "[" * 80 + "]" * 80, "01"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJsonError):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidJsonError):
        stringify(parse(text)).encode("utf-8")
