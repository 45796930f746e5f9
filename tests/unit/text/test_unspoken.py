from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.text.transcripts import read_metadata, read_script, read_sidecar
from voicemill.text.unspoken import spoken_line, without_notes


@pytest.mark.parametrize(
    ("line", "spoken"),
    [
        ("[laughs] Good morning.", "Good morning."),
        ("Good [laughs] morning [sighs].", "Good morning."),
        ("(quietly) Good morning.", "Good morning."),
        ("Good morning (laughs).", "Good morning."),
        ("Stop! (turns to the door) Who is there?", "Stop! Who is there?"),
        ("ANNA: Good morning.", "Good morning."),
        ("ANNA SMITH: (quietly) Good morning.", "Good morning."),
        ("**ANNA:** Good morning.", "Good morning."),
        ("Speaker 1: Good morning.", "Good morning."),
        ("# Chapter one", "Chapter one"),
        ("- **Good** morning, _dear_ `people`.", "Good morning, dear people."),
        ("> See [our pages](https://example.org/a), please.", "See our pages, please."),
        ("![a dog](dog.png) The dog.", "The dog."),
        ("<!-- take two --> The dog.", "The dog."),
        ("```", ""),
        ("♪ la la ♪", "la la"),
    ],
)
def test_what_is_not_read_aloud(line: str, spoken: str) -> None:
    assert spoken_line(line) == spoken


@pytest.mark.parametrize(
    "line",
    [
        "But the first Bible actually dated (which also was printed at Maintz by Peter Schoeffer) imitates a hand.",
        "He was (probably) right.",
        "The year (1462) is given.",
        "WARNING: high voltage.",
        "Remember this: it is 5 * 3 * 2.",
        "I: the first person.",
        "[T]he dog ran.",
        "snake_case_names and 2*3*4",
    ],
)
def test_what_is_read_aloud_stays(line: str) -> None:
    assert spoken_line(line) == line


def test_captions_lose_all_text_in_round_brackets() -> None:
    assert without_notes("Good (a door slams) morning.", all_parentheses=True) == "Good morning."


def test_scripts_sidecars_and_metadata_agree(tmp_path: Path) -> None:
    written = "ANNA: [laughs] Good morning."
    (tmp_path / "a.txt").write_text(f"# Greetings\n\n{written}\n\n[pause]\n\n**BEN:** Hello.\n", encoding="utf-8")
    assert read_script(tmp_path / "a.txt") == ["Greetings", "Good morning.", "Hello."]
    (tmp_path / "b.txt").write_text(written, encoding="utf-8")
    assert read_sidecar(tmp_path / "b.txt") == "Good morning."
    (tmp_path / "c.wav").write_bytes(b"")
    (tmp_path / "metadata.csv").write_text(f"c|{written}|{written}\n", encoding="utf-8")
    [clip] = read_metadata(tmp_path / "metadata.csv")
    assert (clip.text, clip.normalized) == ("Good morning.", "Good morning.")


def test_many_open_brackets_take_linear_time() -> None:
    for part in ("[", "(", "*a ", "_a ", "<!--", "`a ", "!["):
        assert spoken_line(part * 20_000) is not None
