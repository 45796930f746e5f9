"""Names and relative paths."""

from __future__ import annotations

import os

import pytest

from voicemill import path_names
from voicemill.errors import UsageError


@pytest.mark.parametrize(
    "path",
    ["", "\ud800", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "C:x", "a\nb", "e\u0301", "a/", "x" * 2000],
)
def test_unsafe_relative_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        path_names.safe_relative(path)


def test_safe_relative_paths_pass() -> None:
    assert path_names.safe_relative("clips/été-1.wav").as_posix() == "clips/été-1.wav"


UNPORTABLE = {
    "stream": "sample.wav:x",
    "device": "NUL",
    "device_with_suffix": "clips/nul.wav",
    "device_with_blank": "a/Con .txt",
    "device_with_number": "COM1.wav",
    "device_with_superscript": "lpt\u00b9",
    "dot": "a.",
    "dots": "clips./a.wav",
    "blank": "a ",
    "blank_of_a_folder": "clips /a.wav",
    "blank_before": " a",
    "no_break_space": "a\u00a0",
    "reversed": "a\u202egpj.exe",
    "zero_width": "a\u200bb",
    "soft_hyphen": "a\u00adb",
    "line_separator": "a\u2028b",
    "private_use": "a\ue000",
    "wildcard": "a*",
    "question": "a?",
    "quote": 'a"b',
    "angle": "<a>",
    "bar": "a|b",
    "long": "\u00e4" * 128,
    "parent": "../a",
}


@pytest.mark.parametrize("name", UNPORTABLE)
def test_a_name_that_some_system_stores_or_shows_otherwise_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        path_names.portable_relative(UNPORTABLE[name])


@pytest.mark.parametrize(
    "path", ["clips/a-0001.wav", "\u00e4 b (1).wav", "\u65e5\u672c/\u8a9e", "console.txt", "nulls", "a.b.c", ".x"]
)
def test_an_ordinary_name_is_portable(path: str) -> None:
    assert str(path_names.portable_relative(path)) == path


def test_a_name_that_is_not_utf8_has_a_reason() -> None:
    with pytest.raises(UsageError) as caught:
        path_names.check_utf8(os.fsdecode(b"\xff.wav"), "The folder x")
    assert (caught.value.reason, caught.value.exit_code) == ("name_not_utf8:\\udcff.wav", 1)
    path_names.check_utf8("\u00e4 \U0001f600", "The folder x")
