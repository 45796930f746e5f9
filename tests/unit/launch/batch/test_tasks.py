"""A task file is judged as a whole, and every refusal names file and line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import RefusedError
from voicemill.launch.batch import tasks

KNOWN = frozenset({"voice-prep", "voice-verify"})
LINES = "# three tasks\nvoice-prep --voice 'anna b' --audio \"a #1.flac\" # why\n\n!echo $HOME | tr a b # kept\nvoice-verify --help\n"


def texts(data: bytes) -> list[tuple[str, ...]]:
    return [(task.app or "!", *task.arguments) for task in tasks.parse(data, "jobs.txt", KNOWN)]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_comments_quotes_shell_lines_and_the_line_ends_of_every_system(ends: str, mark: bytes) -> None:
    data = mark + LINES.replace("\n", ends).encode()
    assert texts(data) == [
        ("voice-prep", "--voice", "anna b", "--audio", "a #1.flac"),
        ("!", "echo $HOME | tr a b # kept"),
        ("voice-verify", "--help"),
    ]
    assert [task.line for task in tasks.parse(data, "jobs.txt", KNOWN)] == [2, 4, 5]


@pytest.mark.parametrize(
    ("data", "line", "why"),
    [
        (b"voice-prep\nvoice-sing --loud\n", 2, "no app 'voice-sing'"),
        (b"\n\nvoice-prep --voice 'anna\n", 3, "no closing quotation"),
        (b"voice-prep x\\\n", 1, "no escaped character"),
        (b"voice-prep\nvoice-prep \xff\n", 2, "not UTF-8"),
        (b"voice-prep \x00\n", 1, "control character"),
        (b"voice-prep\n!  \n", 2, "nothing follows the !"),
        (b"# nothing\n", 1, "it has no tasks"),
        (b"", 1, "it has no tasks"),
        (b"#" * (tasks.MAX_BYTES + 1), 1, "larger than 4 MiB"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_and_line(data: bytes, line: int, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        tasks.parse(data, "jobs.txt", KNOWN)
    assert caught.value.reason == f"tasks_invalid:jobs.txt:{line}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        tasks.load(tmp_path / "jobs.txt")
    assert caught.value.reason == "tasks_missing"


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8), max_size=5))
def test_quoting_is_that_of_a_shell(words: list[str]) -> None:
    """What shlex quotes comes out as it went in, `#` and blanks included."""
    line = shlex.join(["voice-prep", *words])
    (task,) = tasks.parse(line.encode(), "jobs.txt", KNOWN)
    assert task.arguments == tuple(words)


def test_keys_follow_the_text_not_the_place() -> None:
    before = tasks.parse(b"voice-prep a\nvoice-prep b\nvoice-prep a\n", "jobs.txt", KNOWN)
    after = tasks.parse(b"# new\nvoice-prep b\nvoice-prep c\nvoice-prep a\nvoice-prep a\n", "jobs.txt", KNOWN)
    assert len({task.key for task in before}) == 3
    assert [task.key for task in after if task.arguments != ("c",)] == [before[1].key, before[0].key, before[2].key]


def test_apps_are_those_of_the_checkout(repository: Path) -> None:
    assert {"voice-prep", "voice-train-prod", "voice-bundle", "voice-verify"} <= tasks.apps(repository)
