"""`voice-train-prod say` with a bundle that has a graph: without torch and NeMo, with times and every output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

APP = "apps/voice-train-prod/voice-train-prod.py"
CODE = f"""
import runpy, sys
sys.argv = [{APP!r}, *sys.argv[1:]]
try:
    runpy.run_path({APP!r}, run_name="__main__")
finally:
    print([name for name in ("torch", "nemo", "librosa", "pynini", "scipy") if name in sys.modules], file=sys.stderr)
"""


def say(bundle: Path, *argv: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", CODE, "say", "--bundle", str(bundle), *argv]
    return subprocess.run(command, capture_output=True, timeout=200, check=False)


def test_the_runtime_speaks_without_torch(bundle: Path, tmp_path: Path) -> None:
    out, times, words = tmp_path / "hello.flac", tmp_path / "hello.srt", tmp_path / "words.txt"
    words.write_text("xylquo B AH D\n")
    argv = ["--text", 'Hello <break time="1s"/> Xylquo.', "--out", str(out), "--timings", str(times)]
    done = say(bundle, *argv, "--lexicon", str(words))
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode().strip().splitlines()[-1] == "[]"
    lines = done.stdout.decode().splitlines()
    assert json.loads(lines[0].removeprefix("STATS "))["vocoder"] == "hifigan"
    assert [Path(line.removeprefix("ARTIFACT ")).name for line in lines[1:]] == ["hello.flac", "hello.srt"]
    assert soundfile.info(out).duration > 1.2
    assert "xylquo" in times.read_text()


def test_standard_output_has_the_sound_alone(bundle: Path) -> None:
    done = say(bundle, "--text", "Hello.", "--out", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout[:4] == b"RIFF"
    assert b"STATS" in done.stderr


def test_a_pipe_and_a_link_stay(bundle: Path, tmp_path: Path) -> None:
    pipe, link, behind = tmp_path / "pipe.wav", tmp_path / "link.wav", tmp_path / "behind.wav"
    os.mkfifo(pipe)
    behind.write_bytes(b"old")
    link.symlink_to(behind)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert say(bundle, "--text", "Hello.", "--out", str(pipe)).returncode == 0
    reader.join(60)
    assert pipe.is_fifo()
    assert read[0][:4] == b"RIFF"
    assert say(bundle, "--text", "Hello.", "--out", str(link)).returncode == 0
    assert link.is_symlink()
    samples = [soundfile.read(io.BytesIO(data))[0] for data in (behind.read_bytes(), read[0])]
    assert np.array_equal(*samples)  # the signatures differ


def test_devices_and_links_of_both_outputs_stay(bundle: Path, tmp_path: Path) -> None:
    null, sound, times = Path("/dev/null"), tmp_path / "sound.flac", tmp_path / "times.json"
    link, dangling = tmp_path / "link.json", tmp_path / "dangling.wav"
    link.symlink_to(times)
    dangling.symlink_to(tmp_path / "behind.wav")
    assert say(bundle, "--text", "Hello.", "--out", str(null)).returncode == 0
    assert null.is_char_device()
    assert say(bundle, "--text", "Hello.", "--out", str(sound), "--timings", str(link)).returncode == 0
    assert link.is_symlink()
    assert json.loads(times.read_text())["words"]
    assert say(bundle, "--text", "Hello.", "--out", str(dangling)).returncode == 0
    assert dangling.is_symlink()
    assert soundfile.info(tmp_path / "behind.wav").format == "WAV"


def test_a_folder_is_no_output(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    done = say(bundle, "--text", "Hello.", "--out", str(folder))
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("name", "kind", "encoding"),
    [
        ("a.wav", "WAV", "PCM_16"),
        ("a.FLAC", "FLAC", "PCM_16"),
        ("a.mp3", "MP3", "MPEG_LAYER_III"),
        ("a.ogg", "OGG", "VORBIS"),
        ("a.opus", "OGG", "OPUS"),
    ],
)
def test_the_ending_decides_the_format(name: str, kind: str, encoding: str, bundle: Path, tmp_path: Path) -> None:
    done = say(bundle, "--text", "Hello there.", "--out", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    found = soundfile.info(tmp_path / name)
    assert (found.format, found.subtype, found.channels) == (kind, encoding, 1)
    assert found.duration > 0.3


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--out", "a.aac"], "sound_format:aac"),
        (["--out", "a"], "sound_format:"),
        (["--out", "a.wav.txt"], "sound_format:txt"),
        (["--out", "a.wav", "--timings", "a.doc"], "timings_format:doc"),
        (["--out", "a.wav", "--lexicon", "none.txt"], "lexicon_missing:none.txt"),
    ],
)
def test_requests_that_are_refused(bundle: Path, argv: list[str], reason: str) -> None:
    done = say(bundle, "--text", "Hello.", *argv)
    assert done.returncode != 0
    assert reason in done.stderr.decode()


def test_times_need_a_graph(bundle: Path, tmp_path: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"files": manifest["files"][1:]}))
    done = say(bundle, "--text", "Hello.", "--out", str(tmp_path / "a.wav"), "--timings", str(tmp_path / "a.srt"))
    assert done.returncode == 1
    assert "bundle_without_graph" in done.stderr.decode()
