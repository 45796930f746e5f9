"""voice-prep as its user meets it: a process with arguments, lines on stdout, an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

APP = Path("apps", "voice-prep", "voice-prep.py")
END = 40.3  # seconds: in the pause after the tenth sentence
SENTENCES = 10


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path, demo_script: Path) -> Path:
    folder = tmp_path_factory.mktemp("piece")
    with soundfile.SoundFile(demo_audio) as source:
        soundfile.write(
            folder / "take.flac", source.read(round(END * source.samplerate), dtype="int16"), source.samplerate
        )
    (folder / "take.script").write_text("\n".join(demo_script.read_text("utf-8").splitlines()[:SENTENCES]), "utf-8")
    return folder


def _environment(work: Path) -> dict[str, str]:
    home = work / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "WORK_DIR": str(work / "work"),
        "CACHE_DIR": str(work / "cache"),
        "MPLCONFIGDIR": str(work / "cache/matplotlib"),  # as run-direct has it
    }


def _run(
    repository: Path, work: Path, *arguments: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(repository / APP), *map(str, arguments)]
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=_environment(work) | variables,
        cwd=cwd or work,
    )


def test_help_is_complete_and_instant(repository: Path, tmp_path: Path) -> None:
    _run(repository, tmp_path, "--help")  # byte code and disk cache
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = _run(repository, tmp_path, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0
    for word in (
        "--audio",
        "--script",
        "--metadata",
        "--dataset",
        "--lexicon",
        "--voice",
        "--seed",
        "--sample-rate",
        "--loudness",
        "--min-seconds",
        "--max-seconds",
        "--start",
        "--end",
        "--limit",
        "--keep-rejected",
        "--explain",
        "--workers",
        "--ray",
        "--device",
        "--preset",
        "--tier",
        "--force",
        "Examples:",
        "Exit codes",
    ):
        assert word in done.stdout
    # processor time: what the clock shows depends on what else this machine does
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_help_names_every_quality_limit(repository: Path, tmp_path: Path) -> None:
    from voicemill.dataset.limits import QualityLimits

    shown = _run(repository, tmp_path, "--help").stdout.replace(",", " ").split()
    assert set(QualityLimits.model_fields) <= set(shown)


def test_help_imports_nothing_heavy(repository: Path, tmp_path: Path) -> None:
    code = f"""
import runpy, sys
sys.argv = ["voice-prep", "--help"]
try:
    runpy.run_path({str(repository / APP)!r}, run_name="__main__")
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = sorted(set(sys.modules) & {{"numpy", "pydantic", "rich", "torch", "librosa", "soundfile", "voicemill.dataset"}})
sys.stderr.write(repr(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment(tmp_path)
    )
    assert (done.returncode, done.stderr) == (0, "[]")


@pytest.mark.slow
def test_a_recording_and_its_script(repository: Path, piece: Path, tmp_path: Path) -> None:
    arguments = ("--voice", "ann", "--audio", piece / "take.flac", "--script", piece / "take.script")
    first = _run(repository, tmp_path, *arguments)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[:11] == [f"PROGRESS {done} 10" for done in range(11)]
    stats = json.loads(lines[11].removeprefix("STATS "))
    assert (stats["train"], stats["validation"], stats["rejected"], stats["cache_hit"]) == (9, 1, 0, False)
    shown = [line.removeprefix("ARTIFACT ") for line in lines[12:]]
    assert shown == [
        f"work/datasets/ann/{name}" for name in ("manifest.jsonl", "train.jsonl", "validation.jsonl", "dataset.json")
    ]
    assert all((tmp_path / path).is_file() for path in shown)
    assert "9 to train on, 1 to validate" in first.stderr
    manifest = (tmp_path / shown[0]).read_bytes()
    assert [path.name for path in (tmp_path / "home").rglob("*")] == []  # nothing is left in the user's home

    second = _run(repository, tmp_path, *arguments)
    assert second.returncode == 0
    assert second.stdout.splitlines()[:2] == ["PROGRESS 0 10", "PROGRESS 10 10"]
    assert json.loads(second.stdout.splitlines()[2].removeprefix("STATS "))["cache_hit"] is True

    forced = _run(repository, tmp_path, *arguments, "--force", "--workers", "1")
    assert forced.returncode == 0
    assert (tmp_path / shown[0]).read_bytes() == manifest


def test_separation_is_asked_for_in_vain(repository: Path, piece: Path, tmp_path: Path) -> None:
    arguments = ("--audio", piece / "take.flac", "--script", piece / "take.script", "--separate", "always")
    done = _run(repository, tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "PROGRESS 0 10\n")
    assert "allowlist_commercial_rejected" in done.stderr
    entry = {
        "id": "own/separator",
        "weights_license": "LicenseRef-own-data",
        "code_license": "MIT",
        "commercial_use_allowed": True,
        "license_url": "https://a.example",
        "kind": "separation",
        "files": [{"path": "own.th", "sha256": "0" * 64}],
    }
    (tmp_path / "list.json").write_text(json.dumps({"weights": [entry]}))
    listed = {"PROD_TTS_ALLOWLIST": str(tmp_path / "list.json")}
    done = _run(repository, tmp_path, *arguments, "--separator", "own/separator", **listed)
    assert done.returncode == 2
    assert "weights_unavailable:own/separator" in done.stderr
    assert not (tmp_path / "work/datasets").exists()


@pytest.mark.slow
def test_recognition_without_its_weights(repository: Path, piece: Path, tmp_path: Path) -> None:
    for wanted, code, reason in (
        ("nemo:nvidia/stt_en_conformer_ctc_small", 2, "weights_unavailable:nvidia/stt_en_conformer_ctc_small"),
        ("nemo:nobody/nothing", 2, "allowlist_rejected:selected_weights_not_listed"),
        ("pocketsphinx:en-us", 1, "bad_usage"),
    ):
        done = _run(repository, tmp_path, "--audio", piece / "take.flac", "--recognise", wanted)
        assert done.returncode == code, done.stderr
        assert reason in done.stderr
    without = _run(repository, tmp_path, "--audio", piece / "take.flac")
    assert without.returncode == 2
    assert "missing_transcript" in without.stderr
    assert "--recognise" in without.stderr
    assert not (tmp_path / "work/datasets").exists()


@pytest.mark.slow
def test_a_part_with_explanations(repository: Path, piece: Path, demo_script: Path, tmp_path: Path) -> None:
    (tmp_path / "part.txt").write_text("\n".join(demo_script.read_text("utf-8").splitlines()[3:SENTENCES]), "utf-8")
    done = _run(
        repository,
        tmp_path,
        *("--audio", piece / "take.flac", "--start", "0:12.6", "--script", "part.txt", "--voice", "ann"),
        *("--explain", "--limit", "min_snr_db=12", "--keep-rejected"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "PROGRESS 0 10"  # explanations are for people, on stderr
    assert "a pause in the speech" in done.stderr
    assert "ann_0001 start 13." in done.stderr
    described = json.loads((tmp_path / "work/datasets/ann/dataset.json").read_text("utf-8"))
    assert described["settings"]["start"] == 12.6
    assert described["settings"]["quality"]["min_snr_db"] == 12.0
    assert (tmp_path / "work/datasets/ann/cuts.tsv").read_text("utf-8").startswith("id\tsource\tedge\t")


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:10, song\n{url}/a/song/that/plays/somewhere/else.mp3\n",
    "concat": "ffconcat version 1.0\nfile '{url}/a/recording/somewhere/else.wav'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("folder", [False, True])
def test_a_playlist_named_wav_fetches_nothing(repository: Path, tmp_path: Path, kind: str, folder: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "take.wav").write_text(PLAYLISTS[kind].format(url=f"http://127.0.0.1:{port}", port=port))
        (tmp_path / "in" / "take.txt").write_text("Some words.")
        source = "in" if folder else "in/take.wav"
        _refused(_run(repository, tmp_path, "--audio", source, "--voice", "bad"), "audio_unreadable", 1, tmp_path)
        with pytest.raises(TimeoutError):  # nobody has knocked
            server.accept()


@pytest.mark.slow
def test_names_that_look_like_options_or_are_not_ascii(repository: Path, piece: Path, tmp_path: Path) -> None:
    shutil.copyfile(piece / "take.flac", tmp_path / "-Aufnahme für Ännchen.flac")
    shutil.copyfile(piece / "take.script", tmp_path / "-Aufnahme für Ännchen.txt")
    done = _run(repository, tmp_path, "--audio=-Aufnahme für Ännchen.flac", "--voice", "ann", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    entry = json.loads((tmp_path / "work/datasets/ann/manifest.jsonl").read_text("utf-8").splitlines()[0])
    assert entry["source"] == "-Aufnahme für Ännchen.flac"


def _lfs(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 27101972\n")


def _tone(path: Path, seconds: float, level: float) -> None:
    time_ = np.arange(round(22_050 * seconds)) / 22_050
    soundfile.write(path, level * np.sin(2 * np.pi * 440 * time_), 22_050, format="WAV", subtype="FLOAT")


def _not_a_number(path: Path) -> None:
    samples = np.full(44_100, 0.1, dtype=np.float32)
    samples[30_000] = np.nan
    soundfile.write(path, samples, 22_050, format="WAV", subtype="FLOAT")


BAD = {
    "audio_too_small": (lambda path: path.write_bytes(b""), 1),
    "audio_unreadable": (lambda path: path.write_text("I am only called a recording. " * 20), 1),
    "audio_lfs_pointer": (_lfs, 1),
    "audio_silent": (lambda path: _tone(path, 3.0, 0.0), 1),
    "audio_not_finite": (_not_a_number, 1),
    "no_speech": (lambda path: _tone(path, 3.0, 0.3), 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("reason", BAD)
def test_bad_recordings(repository: Path, tmp_path: Path, reason: str) -> None:
    make, code = BAD[reason]
    make(tmp_path / "bad.wav")
    (tmp_path / "bad.txt").write_text("Some words that nobody says.")
    done = _run(repository, tmp_path, "--audio", "bad.wav", "--voice", "bad")
    _refused(done, reason, code, tmp_path)


def test_too_short(repository: Path, tmp_path: Path) -> None:
    _tone(tmp_path / "bad.wav", 0.2, 0.3)
    (tmp_path / "bad.txt").write_text("Some words.")
    _refused(_run(repository, tmp_path, "--audio", "bad.wav", "--voice", "bad"), "audio_too_small", 1, tmp_path)


def test_truncated_flac(repository: Path, piece: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.flac").write_bytes((piece / "take.flac").read_bytes()[:900_000])
    done = _run(repository, tmp_path, "--audio", "bad.flac", "--script", piece / "take.script", "--voice", "bad")
    _refused(done, "audio_truncated", 1, tmp_path)
    assert "40.3" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        ((), "bad_usage", 1),
        (("--no-such-option",), "bad_usage", 1),
        (("--seed", "many"), "bad_usage", 1),
        (("--audio", "none.flac"), "missing_audio_path:none.flac", 1),
        (("--audio", "take.flac"), "missing_transcript", 2),
        (("--audio", "take.flac", "--script", "none.txt"), "missing_transcript", 2),
        (("--audio", "take.flac", "--script", "empty.txt"), "missing_transcript", 2),
        (("--audio", "take.flac", "--script", "wrong.txt"), "script_mismatch", 2),
        (("--audio", "take.flac", "--script", "wrong.txt", "--voice", "../up"), "invalid_voice_profile_id", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--lexicon", "none.dict"), "lexicon_missing:none.dict", 2),
        (("--audio", "take.flac", "--script", "wrong.txt", "--start", "1:60"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--start", "9", "--end", "5"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--start", "1:00:00"), "audio_too_small", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--limit", "min_snr=3"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--preset", "none"), "unknown_preset:none", 2),
        (("--audio", "take.flac", "--script", "wrong.txt", "--tier", "words"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--track", "0"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--track", "two"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--track", "2"), "audio_track_missing", 1),
        (("--audio", "take.flac", "--script", "wrong.txt", "--channel", "middle"), "bad_usage", 1),
        (("--audio", "take.flac", "--script", "bad.srt"), "captions_invalid:bad.srt:1", 2),
        (("--dataset", "none.jsonl"), "dataset_manifest_missing:none.jsonl", 2),
        (("--dataset", "bad.jsonl"), "dataset_manifest_invalid:bad.jsonl:2", 2),
        (("--dataset", "bad.jsonl", "--audio", "take.flac"), "bad_usage", 1),
    ],
)
def test_bad_input(
    repository: Path, piece: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str, code: int
) -> None:
    shutil.copyfile(piece / "take.flac", tmp_path / "take.flac")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "wrong.txt").write_text("Nobody read this line aloud.\nNor was that one ever recorded by anybody.\n")
    (tmp_path / "bad.srt").write_text("This is no caption.\n")
    (tmp_path / "bad.jsonl").write_text('{"audio_filepath": "take.flac", "text": "Fine."}\n{"text": "No path."}\n')
    _refused(_run(repository, tmp_path, *arguments), reason, code, tmp_path)


def test_a_work_directory_that_is_a_file(repository: Path, piece: Path, tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    done = _run(
        repository, tmp_path, "--audio", piece / "take.flac", "--script", piece / "take.script", "--voice", "ann"
    )
    assert done.returncode == 2, done.stderr
    assert "[voice-prep][error] not_writable:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "stage", "signum"),
    [
        ("voice-prep", "segmentation", signal.SIGTERM),
        ("voice-prep", "segmentation", signal.SIGINT),
        ("voice-prep", "alignment", signal.SIGTERM),
        ("voice-train-prod", "segmentation", signal.SIGTERM),
    ],
)
def test_a_signal_to_the_whole_group_while_all_are_busy(
    repository: Path, tmp_path: Path, demo_audio: Path, demo_script: Path, app: str, stage: str, signum: signal.Signals
) -> None:
    argv = [sys.executable, str(repository / "apps" / app / f"{app}.py"), "--audio", str(demo_audio)]
    told = tmp_path / "stderr"
    with (
        told.open("wb") as stderr,
        subprocess.Popen(
            [*argv, "--script", str(demo_script), "--voice", "ann"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=_environment(tmp_path),
            cwd=tmp_path,
            start_new_session=True,
        ) as process,
    ):
        while f"{stage} …" not in told.read_text("utf-8"):
            assert process.poll() is None, told.read_text("utf-8")
            time.sleep(0.02)
        before, busy = _ticks(process.pid), set[int]()
        while len(busy) < min(2, len(os.sched_getaffinity(0))):
            assert process.poll() is None, told.read_text("utf-8")
            time.sleep(0.02)
            busy |= {pid for pid, ticks in _ticks(process.pid).items() if ticks > before.get(pid, 0) + 20}
        os.killpg(process.pid, signum)
        try:
            process.wait(timeout=60)  # only stops a hanging test
        finally:
            process.kill()
    errors = told.read_text("utf-8")
    assert process.returncode == 128 + signum, errors
    program = "tts-prod" if app == "voice-train-prod" else app
    assert f"[{program}][error] interrupted:{signum.name.lower()}" in errors.splitlines()
    assert "Traceback" not in errors
    assert not [pid for pid in busy if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "work/datasets/ann").exists()
    if app == "voice-train-prod":
        status = json.loads((tmp_path / "work/artifacts/train_status.tts_prod_train.json").read_text("utf-8"))
        assert (status["status"], status["reason"]) == ("error", f"interrupted:{signum.name.lower()}")


def _ticks(parent: int) -> dict[int, int]:
    """Processor time of the child processes, in clock ticks (proc(5), stat: 4 parent, 14 user, 15 system)."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found[int(path.parent.name)] = int(fields[11]) + int(fields[12])
    return found


def _refused(done: subprocess.CompletedProcess[str], reason: str, code: int, folder: Path) -> None:
    assert done.returncode == code, done.stderr
    assert f"[voice-prep][error] {reason}" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert all(line.startswith("PROGRESS ") for line in done.stdout.splitlines())
    assert not [path for path in (folder / "work").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_prepare_is_the_name_of_the_call_without_a_name(repository: Path, piece: Path, tmp_path: Path) -> None:
    arguments = ("--voice", "ann", "--audio", piece / "take.flac", "--script", piece / "take.script")
    named = _run(repository, tmp_path, "prepare", *arguments)
    assert named.returncode == 0, named.stderr
    bare = _run(repository, tmp_path, *arguments)
    assert bare.returncode == 0, bare.stderr
    stats = json.loads(bare.stdout.splitlines()[2].removeprefix("STATS "))
    assert stats["cache_hit"] is True


def test_a_command_that_there_is_not(repository: Path, tmp_path: Path) -> None:
    done = _run(repository, tmp_path, "no-such-command")
    _refused(done, "bad_usage", 1, tmp_path)
    assert "no-such-command" in done.stderr
