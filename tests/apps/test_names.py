"""Names that are not UTF-8, wherever an app can meet one: a reason and an exit code, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BAD = b"caf\xe9"


def run(app: str, *arguments: str | bytes | Path, cwd: Path, **environment: bytes) -> tuple[int, bytes]:
    """Exit code and stderr of an app."""
    path = next((ROOT / "apps" / app).glob(f"{app}.py"))
    done = subprocess.run(
        [sys.executable, path, *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environb, **{name.encode(): value for name, value in environment.items()}},
        timeout=120,
    )
    assert b"Traceback" not in done.stderr + done.stdout, done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("app", "arguments"),
    [
        ("voice-prep", ["--audio", BAD + b".wav", "--out", "x"]),
        ("voice-verify", ["bundle", BAD]),
        ("voice-verify", ["archive", BAD + b".nemo"]),
        ("voice-bundle", ["inspect", BAD]),
        ("voice-bundle", ["import", BAD + b".tar"]),
        ("voice-train-prod", ["--audio", BAD + b".wav"]),
    ],
)
def test_an_option_is_refused(app: str, arguments: list[str | bytes], tmp_path: Path) -> None:
    code, said = run(app, *arguments, cwd=tmp_path)
    assert (code, b"[error] name_not_utf8:" in said) == (1, True), said
    assert list(tmp_path.iterdir()) == []


def test_a_setting_is_refused(tmp_path: Path) -> None:
    code, said = run("voice-train-prod", cwd=tmp_path, WORK_DIR=bytes(tmp_path) + b"/" + BAD)
    assert (code, b"[error] name_not_utf8:" in said) == (1, True), said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in (b"good", BAD):
        (folder / os.fsdecode(name + b".wav")).write_bytes(b"RIFF" + bytes(4000))
        (folder / os.fsdecode(name + b".txt")).write_text("A text.")
    work = {"WORK_DIR": bytes(tmp_path / "work"), "CACHE_DIR": bytes(tmp_path / "cache")}
    code, said = run("voice-prep", "--audio", folder, "--voice", "ann", cwd=tmp_path, **work)
    assert (code, b"[error] name_not_utf8:caf" in said) == (1, True), said


@pytest.mark.parametrize("arguments", [["bundle"], ["bundle", "--json"]])
def test_a_bundle_with_such_a_file(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    (tmp_path / "bundle" / os.fsdecode(BAD)).write_text("x")
    code, said = run("voice-verify", *arguments, tmp_path / "bundle", cwd=tmp_path)
    assert code in (1, 2, 3), said


def test_a_command_inside_such_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(BAD)
    folder.mkdir()
    (folder / "bundle").mkdir()
    code, said = run("voice-verify", "bundle", "bundle", cwd=folder)
    assert code in (1, 2, 3), said


LONG = b"x" * 300


@pytest.mark.parametrize(
    ("app", "arguments"),
    [
        ("voice-prep", ["--audio", LONG + b".wav"]),
        ("voice-prep", ["review", LONG]),
        ("voice-prep", ["import", LONG]),
        ("voice-verify", ["bundle", LONG]),
        ("voice-verify", ["status", LONG]),
        ("voice-bundle", ["import", LONG]),
        ("voice-train-prod", ["--audio", LONG]),
        ("voice-train-prod", ["--init-from", LONG]),
        ("voice-train-prod", ["say", "--bundle", LONG, "--text", "x", "--out", "a.wav"]),
    ],
)
def test_a_name_that_is_too_long_is_refused(app: str, arguments: list[str | bytes], tmp_path: Path) -> None:
    places = {"WORK_DIR": bytes(tmp_path / "work"), "CACHE_DIR": bytes(tmp_path / "cache")}
    code, said = run(app, *arguments, cwd=tmp_path, **places)
    assert (code, b"[error] name_too_long:" in said) == (1, True), said
    assert b"Cannot write" not in said


def test_a_setting_that_is_too_long_is_refused(tmp_path: Path) -> None:
    places = {"WORK_DIR": bytes(tmp_path / "work"), "CACHE_DIR": bytes(tmp_path / "cache")}
    for name in ("AUDIO_PATH", "PROD_TTS_DATASET_MANIFEST"):
        code, said = run("voice-train-prod", "--dry-run", cwd=tmp_path, **places, **{name: LONG})
        assert (code, b"[error] name_too_long:" in said) == (1, True), said
