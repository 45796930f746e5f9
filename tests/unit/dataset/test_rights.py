from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from voicemill.dataset import rights
from voicemill.dataset.rights import Rights
from voicemill.errors import UsageError


def test_a_statement_as_text_and_as_file(tmp_path: Path) -> None:
    said = rights.parse_rights("I, Ann, agree.", "CC0-1.0")
    assert said == Rights(
        consent="I, Ann, agree.", licence="CC0-1.0", consent_sha256=hashlib.sha256(b"I, Ann, agree.").hexdigest()
    )
    (tmp_path / "consent.txt").write_bytes("\ufeffI, Änn, agree.\r\nSigned.\n".encode())
    read = rights.parse_rights(str(tmp_path / "consent.txt"), None)
    assert read is not None
    assert (read.consent, read.licence) == ("I, Änn, agree.\nSigned.", None)
    assert rights.parse_rights(None, None) is None


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("none.txt", None, "consent_missing"),
        ("scan.pdf", b"%PDF-1.7 \xff\xfe", "consent_unreadable"),
        ("nul.txt", b"a\x00b", "consent_unreadable"),
        ("empty.txt", b" \n", "consent_unreadable"),
        ("large.txt", b"a" * (rights.MAX_BYTES + 1), "consent_unreadable"),
    ],
)
def test_what_is_no_statement(tmp_path: Path, name: str, data: bytes | None, reason: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError) as caught:
        rights.parse_rights(str(tmp_path / name), None)
    assert caught.value.reason == reason


def test_a_statement_in_one_long_line_is_no_path() -> None:
    statement = "I, Ann Lee, agree that my recordings are made into a synthetic voice. " * 20
    found = rights.parse_rights(statement, None)
    assert found is not None
    assert found.consent == statement.strip()


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "device"])
def test_a_path_of_something_else_is_no_statement(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "signed"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "signed")
    with pytest.raises(UsageError) as caught:
        rights.parse_rights(str(path), None)
    assert caught.value.reason == "consent_missing"


def test_an_empty_statement() -> None:
    with pytest.raises(UsageError, match="empty"):
        rights.parse_rights("  ", None)


def test_a_statement_stays_with_its_recordings() -> None:
    first = rights.effective_rights(Rights(consent="Yes.", consent_sha256="0" * 64), None, ["b", "a"])
    assert first is not None
    assert first.recordings == ("a", "b")
    assert rights.effective_rights(None, first, ["a"]) == first
    assert rights.effective_rights(None, first, ["a", "c"]) is None  # nobody agreed to c
    both = rights.effective_rights(Rights(licence="CC0-1.0"), first, ["a"])
    assert both == first.model_copy(update={"licence": "CC0-1.0", "recordings": ("a",)})
    other = rights.effective_rights(Rights(licence="CC0-1.0"), first, ["c"])
    assert other == Rights(licence="CC0-1.0", recordings=("c",))


def test_the_notice() -> None:
    assert Rights(licence="CC0-1.0").notice == "Licence of the recordings: CC0-1.0"
    assert "I agree." in Rights(consent="I agree.", consent_sha256="ab").notice
    assert Rights().notice == ""
