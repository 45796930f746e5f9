"""Data on a terminal is text: rich markup is shown as it is written, and control characters do nothing."""

from __future__ import annotations

import io
import json
import sys

import pytest

from voicemill.terminal import Terminal, json_text, plain_text

CONSENT = "I agree [only for private, non-commercial use]"
HOSTILE = [
    "[/b]",
    "[red]name",
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x9b2J",
    "\x90q",
    "a\u202eb",
    "\udc80",
    "\r",
    "\x7f",
    "][",
]


class TerminalStream(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    """The output of every method of a terminal that is given hostile data."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", stream)
    with Terminal() as terminal:
        for text in [CONSENT, *HOSTILE]:
            terminal.stage(text, 10)
            terminal.advance(1, text)
            terminal.note(text)
            terminal.table(text, [(text, text)])
    return stream.getvalue()


def test_a_condition_in_brackets_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    out = shown(monkeypatch, io.StringIO())
    assert out.count(CONSENT) == 7
    assert out.count("[/b]") == out.count("[red]name") == 7


@pytest.mark.parametrize("kind", [io.StringIO, TerminalStream])
def test_no_control_character_of_the_data_reaches_the_terminal(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO]
) -> None:
    out = shown(monkeypatch, kind())
    assert CONSENT in out
    assert "title" in out
    forbidden = ["\x1b]", "\x1b[2J", "\x07", "\x9b", "\x90", "\u202e", "\udc80", "\x7f"]
    assert [character for character in forbidden if character in out] == []
    if kind is io.StringIO:
        assert all(character.isprintable() or character == "\n" for character in out)


def test_a_table_without_rich_is_escaped_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    Terminal().table("Voices", [("ann\x1b[2J", "one\ntwo")])
    assert capsys.readouterr().err == "Voices\n  ann\\x1b[2J: one\ntwo\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_its_value_and_is_printable(text: str) -> None:
    out = json_text({text: [text, "ä"]})
    assert json.loads(out) == {text: [text, "ä"]}
    assert "ä" in out
    assert all(character.isprintable() or character == "\n" for character in out)


def test_line_breaks_stay() -> None:
    assert plain_text("one\ntwo\tthree") == "one\ntwo\\tthree"
