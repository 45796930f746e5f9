from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.protocol import Protocol, first_of, read_progress


def test_further_names_are_counted() -> None:
    names = ["a", "b", "c", "d"]
    assert first_of(names[:3]) == "a, b, c"
    assert first_of(names) == "a, b, c and 1 more"
    assert first_of(names, 1) == "a and 3 more"
    assert first_of(names, 2, "; ") == "a; b and 2 more"


def test_progress_never_goes_back_and_never_passes_the_total() -> None:
    stream = io.StringIO()
    protocol = Protocol(stream)
    for current in (0, 3, 2, 9):
        protocol.progress(current, 5)
    assert stream.getvalue().splitlines() == ["PROGRESS 0 5", "PROGRESS 3 5", "PROGRESS 3 5", "PROGRESS 5 5"]


def test_stats_are_compact_sorted_and_finite() -> None:
    stream = io.StringIO()
    protocol = Protocol(stream)
    protocol.stats({"b": 1, "a": "é", "none": None})
    assert stream.getvalue() == 'STATS {"a":"é","b":1,"none":null}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        protocol.stats({"loss": float("inf")})


def test_the_line_that_a_job_server_shows_is_progress_not_the_loss() -> None:
    """Such a server shows the last line that begins with PROGRESS or contains `loss`."""
    stream = io.StringIO()
    protocol = Protocol(stream)
    protocol.stats({"loss": 2.5})
    assert stream.getvalue() == 'STATS {"loss":2.5}\n'
    protocol.progress(3, 9)
    protocol.stats({"loss": 1.5, "step": 2})
    protocol.stats({"clips": 4})
    shown = [line for line in stream.getvalue().splitlines() if line.startswith("PROGRESS") or "loss" in line]
    assert shown[-1] == "PROGRESS 3 9"
    assert stream.getvalue().splitlines()[-1] == 'STATS {"clips":4}'


def test_artifact_must_exist_and_is_relative_below_the_base(tmp_path: Path) -> None:
    stream = io.StringIO()
    protocol = Protocol(stream, base=tmp_path)
    with pytest.raises(FileNotFoundError):
        protocol.artifact(tmp_path / "no.json")
    (tmp_path / "a b.json").write_text("{}")
    protocol.artifact(tmp_path / "a b.json")
    assert stream.getvalue() == "ARTIFACT a b.json\n"


def test_a_line_stays_one_line() -> None:
    stream = io.StringIO()
    Protocol(stream).blocked("config_missing:a\nPROGRESS 9 9\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_reader_of_chunks_sees_every_line() -> None:
    """The job server takes each chunk of the pipe for one line: two lines in one chunk would lose the second."""
    code = (
        "import sys; from voicemill.protocol import Protocol; p = Protocol(sys.stdout)\n"
        "for i in range(40): p.progress(i, 40); p.stats({'i': i})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "lib")}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, bufsize=0) as child:
        stdout = child.stdout
        if stdout is None:
            pytest.fail("no pipe")
        chunks = []
        while chunk := os.read(stdout.fileno(), 65536):
            chunks.append(chunk)
    # A busy machine may delay the reader past the gap now and then; nearly every chunk must be one line.
    assert b"".join(chunks).count(b"\n") == 80
    assert sum(chunk.count(b"\n") == 1 for chunk in chunks) >= 70


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("PROGRESS 3 9", (3, 9)),
        ("PROGRESS 3 9\r", (3, 9)),
        ("PROGRESS ² 9", None),
        ("PROGRESS -1 9", None),
        (f"PROGRESS {'9' * 5000} 9", None),
        ("PROGRESS 3", None),
        ("progress 3 9", None),
    ],
)
def test_progress_is_read_from_anybodys_line(line: str, steps: tuple[int, int] | None) -> None:
    assert read_progress(line) == steps
