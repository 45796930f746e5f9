"""`voice-prep read` as its user meets it: a text in, sentences with spoken words and phones out."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

APP = Path("apps", "voice-prep", "voice-prep.py")
TEXT = "Dr. Lee read it in 1994. She lives on Elm St."
SPOKEN = [
    ["doctor", "lee", "read", "it", "in", "nineteen", "ninety", "four"],
    ["she", "lives", "on", "elm", "street"],
]


def _run(
    repository: Path, *arguments: str | Path, stdin: bytes = b"", code: str = ""
) -> subprocess.CompletedProcess[bytes]:
    program = ["-c", code] if code else [str(repository / APP)]
    return subprocess.run(
        [sys.executable, *program, "read", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(repository / "lib")},
    )


def _spoken(done: subprocess.CompletedProcess[bytes]) -> list[list[str]]:
    assert done.returncode == 0, done.stderr
    return [sentence["spoken"] for sentence in json.loads(done.stdout)]


def test_help(repository: Path) -> None:
    done = _run(repository, "--help")
    assert done.returncode == 0
    for word in (b"--text", b"--file", b"--json", b"--lexicon", b"Examples:", b"Exit codes"):
        assert word in done.stdout


def test_json_has_text_spoken_words_and_phones(repository: Path) -> None:
    done = _run(repository, "--text", TEXT, "--json")
    sentences = json.loads(done.stdout)
    assert [sentence["spoken"] for sentence in sentences] == SPOKEN
    assert [sentence["text"] for sentence in sentences] == ["Dr. Lee read it in 1994.", "She lives on Elm St."]
    assert all(set(sentence) == {"text", "spoken", "phones"} for sentence in sentences)
    assert all(len(sentence["phones"]) == len(sentence["spoken"]) for sentence in sentences)
    assert sentences[1]["phones"][1] == ["L", "IH", "V", "Z"]


def test_a_file_and_stdin_are_read_alike(repository: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert _spoken(_run(repository, "--file", script, "--json")) == SPOKEN
    assert _spoken(_run(repository, "--file", "-", "--json", stdin=script.read_bytes())) == SPOKEN


def test_the_table_shows_words_with_phones(repository: Path) -> None:
    lines = _run(repository, "--text", TEXT).stdout.decode().splitlines()
    assert lines[0] == "Dr. Lee read it in 1994."
    assert lines[1] == "  doctor    D AA K T ER"
    assert lines[3] == "  read      R EH D   (not R IY D)"


def test_own_pronunciations_are_used(repository: Path, tmp_path: Path) -> None:
    own = tmp_path / "names.dict"
    own.write_text("lee L EH\n")
    (sentence,) = json.loads(_run(repository, "--text", "Lee", "--lexicon", own, "--json").stdout)
    assert sentence["phones"] == [["L", "EH"]]


@pytest.mark.parametrize("arguments", [(), ("--text", "a", "--file", "-")])
def test_text_or_file_is_required(repository: Path, arguments: tuple[str, ...]) -> None:
    done = _run(repository, *arguments)
    assert done.returncode == 1
    assert b"either --text or --file" in done.stderr


@pytest.mark.parametrize("content", [None, b"caf\xe9", "\u043f\u0440\u0438\u0432\u0435\u0442".encode(), b"a\0b"])
def test_unusable_files_are_refused_with_a_message(repository: Path, tmp_path: Path, content: bytes | None) -> None:
    script = tmp_path / "script.txt"
    if content is not None:
        script.write_bytes(content)
    done = _run(repository, "--file", script)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert b"script.txt" in done.stderr or b"English spelling lacks" in done.stderr


def test_a_text_without_words_has_no_sentences(repository: Path) -> None:
    assert _spoken(_run(repository, "--text", " ... ", "--json")) == []
    assert b"no words" in _run(repository, "--text", "").stderr


@pytest.mark.slow
def test_a_megabyte_takes_seconds(repository: Path, demo_script: Path) -> None:
    text = demo_script.read_bytes()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _run(repository, "--file", "-", "--json", stdin=text * (1_000_000 // len(text) + 1))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)) > 1000
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 15


def test_start_imports_nothing_heavy(repository: Path) -> None:
    code = f"""
import runpy, sys
sys.argv = ["voice-prep", "read", "--text", "The cat sat.", "--json"]
try:
    runpy.run_path({str(repository / APP)!r}, run_name="__main__")
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
heavy = sorted(set(sys.modules) & {{"pydantic", "rich", "torch", "nemo_text_processing", "librosa", "voicemill.dataset"}})
sys.stderr.write(repr(heavy))
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _run(repository, code=code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr == b"[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
