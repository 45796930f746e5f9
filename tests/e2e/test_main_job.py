"""The whole job on a shortened demo recording: real preparation, real NeMo training, a bundle that speaks without
us."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voicemill.dataset import edits
from voicemill.dataset.prepared import load

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]

SPEAK = """
import sys, pathlib
assert not any("voicemill" in name for name in sys.modules)
from nemo.collections.tts.models import FastPitchModel, HifiGanModel
import torch
folder = pathlib.Path(sys.argv[1])
acoustic = FastPitchModel.restore_from(str(folder / "fastpitch.nemo"), map_location="cpu").eval()
with torch.no_grad():
    mel = acoustic.generate_spectrogram(tokens=acoustic.parse("the water is cold."))
    assert mel.shape[1] == 80 and mel.shape[2] > 10 and torch.isfinite(mel).all()
    vocoder = HifiGanModel.restore_from(sys.argv[2], map_location="cpu").eval()
    sound = vocoder.convert_spectrogram_to_audio(spec=mel)
assert torch.isfinite(sound).all() and sound.abs().max() > 1e-4
assert not any("voicemill" in name for name in sys.modules)
print("SPOKE", sound.shape[-1] / mel.shape[-1])
"""


@pytest.fixture(scope="module")
def recording(short_take: tuple[Path, Path]) -> tuple[Path, Path]:
    return short_take


def command(work: Path, audio: Path, script: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    argv = [str(ROOT / "run-direct"), "voice-train-prod", "--preset", "smoke", "--voice", "anna"]
    argv += ["--display-name", "Anna Ωmega", "--audio", str(audio), "--script", str(script), *more]
    ours = ("PROD_TTS_", "VOICE_", "TRAIN_", "MPLCONFIGDIR", "HF_HOME", "TORCH_HOME")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"WORK_DIR": str(work / "work"), "CACHE_DIR": str(work / "cache"), "HOME": str(work / "home")}
    # The Python that runs the tests runs the job: as in an image, nothing is installed.
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return argv, environment | {"VOICEMILL_IN_IMAGE": "1", "PATH": path}


@pytest.fixture(scope="module")
def finished(
    recording: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One whole run, stopped by SIGTERM in the middle of training and gone on with --resume."""
    work = tmp_path_factory.mktemp("job")
    (work / "home").mkdir()
    argv, environment = command(work, *recording)
    with subprocess.Popen(
        argv, env=environment, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        stdout = child.stdout
        if stdout is None:
            pytest.fail("no pipe")
        for line in stdout:
            if '"model":"FastPitch"' in line:
                child.send_signal(signal.SIGTERM)
                break
        rest, err = child.communicate(timeout=300)
    assert child.returncode == 143, err
    assert rest.count('"model":"FastPitch"') <= 20, "half of the forty steps is a wide margin"
    assert "[tts-prod][error] interrupted:sigterm" in err
    assert "Traceback" not in err
    status = json.loads((work / "work/artifacts/train_status.tts_prod_train.json").read_text())
    assert (status["state"], status["reason"]) == ("error", "interrupted:sigterm")
    assert list((work / "work/checkpoints/prod_tts/anna/acoustic").glob("*.checkpoint"))
    argv, environment = command(work, *recording, "--resume")
    return work, subprocess.run(
        argv, env=environment, cwd=work, capture_output=True, text=True, timeout=1200, check=False
    )


def test_the_job_ends_well_and_stdout_is_protocol_only(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    work, done = finished
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("[tts-prod] head=")
    assert lines[-1] == "[tts-prod] status=done backend=local"
    progress = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("PROGRESS")]
    assert progress[0] == (0, 100)
    assert progress[-1] == (100, 100)
    assert progress == sorted(progress)
    assert {(number, 100) for number in range(86, 95)} <= set(progress), "PROGRESS grows with the sentences measured"
    for line in lines[1:-1]:
        kind, _, payload = line.partition(" ")
        assert kind in ("PROGRESS", "STATS", "ARTIFACT"), line
        if kind == "STATS":
            assert json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == payload
        if kind == "ARTIFACT":
            assert (work / payload).is_file()
    assert "gone on" in done.stderr or "loss" in done.stderr


def test_results_are_where_the_readme_says(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    work = finished[0] / "work"
    for name in (
        "artifacts/train_status.tts_prod_train.json",
        "artifacts/prod_tts_train_status.json",
        "artifacts/prod_tts_eval.json",
        "artifacts/dataset_manifest.tts_prod_train.json",
        "datasets/anna/train.jsonl",
        "checkpoints/prod_tts_voice_bundle/manifest.json",
        "bundles/anna/voice_bundle/manifest.json",
        "bundles/anna/voice_bundle/sample.wav",
        "reports/anna.html",
    ):
        assert (work / name).stat().st_size > 0, name
    status = json.loads((work / "artifacts/train_status.tts_prod_train.json").read_text())
    assert (status["state"], status["progress"]) == ("completed", {"current": 100, "total": 100})
    manifest = json.loads((work / "bundles/anna/voice_bundle/manifest.json").read_text())
    assert manifest["display_name"] == "Anna Ωmega"
    evaluation = json.loads((work / "artifacts/prod_tts_eval.json").read_text())
    assert 0 <= evaluation["figures"]["cer_real"]["value"] < 0.4
    assert evaluation["chosen_vocoder"] in ("istft", "hifigan", "griffin-lim")
    assert {row["name"] for row in evaluation["vocoders"]} == {"istft", "hifigan", "griffin-lim"}


def test_no_file_names_this_machine_or_writes_to_home(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    work = finished[0]
    for path in (work / "work/artifacts").glob("*.json"):
        assert str(work) not in path.read_text(encoding="utf-8"), path.name
    assert [path for path in (work / "home").rglob("*") if path.is_file()] == []


def test_the_models_speak_with_stock_nemo_in_a_process_without_our_code(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    work = finished[0] / "work"
    vocoder = next(
        (work / "checkpoints/prod_tts/anna/vocoder").glob("*.nemo"), ROOT / "data/base/base-en-small-hifigan.nemo"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, str(work / "bundles/anna/voice_bundle"), str(vocoder)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=finished[0],
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SPOKE 256" in done.stdout


def test_the_voice_says_a_text(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    import soundfile

    work = finished[0]
    environment = {**os.environ, "WORK_DIR": str(work / "work"), "CACHE_DIR": str(work / "cache")}
    said = {}
    for name, more in {"plain": [], "fast": ["--speed", "1.6"]}.items():
        out = work / f"{name}.wav"
        argv = [
            str(ROOT / "run-direct"),
            "voice-train-prod",
            "say",
            "--voice",
            "anna",
            "--file",
            "-",
            "--out",
            str(out),
        ]
        done = subprocess.run(
            [*argv, *more], env=environment, cwd=work, input="The water is cold.", capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"ARTIFACT {name}.wav"
        stats = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("STATS "))[6:])
        samples, rate = soundfile.read(out)
        assert stats["seconds"] == pytest.approx(len(samples) / rate, abs=1e-3)
        assert stats["x_real_time"] > 0
        assert abs(samples).max() > 0.01
        said[name] = len(samples) / rate
    assert said["fast"] < 0.8 * said["plain"]


def test_the_voice_speaks_the_phones_that_were_aligned(finished: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    from voicemill_runtime.bundle import open_voice

    work = finished[0] / "work"
    voice = open_voice(work / "bundles" / "anna" / "voice_bundle")
    lines = (work / "datasets" / "anna" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    aligned, spoken = [], []
    for entry in map(json.loads, lines):
        aligned.append([(word, [phone for phone, _, _ in phones]) for word, _, _, phones in entry["alignment"]])
        words = [word for sentence in voice.read(entry["text"]) for word in sentence.words]
        spoken.append([(word.text, list(word.phones)) for word in words])
    assert spoken == aligned
    assert ("read", ["R", "IY", "D"]) in [pair for words in aligned for pair in words]  # the dictionary has R EH D


def test_the_bundle_verifies_after_a_move_and_a_flipped_bit_is_named(
    finished: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    source = finished[0] / "work/bundles/anna/voice_bundle"
    moved.mkdir()
    for path in source.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    verify = [sys.executable, str(ROOT / "apps/voice-verify/voice-verify.py"), "bundle", str(moved), "--json"]
    whole = json.loads(subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False).stdout)
    assert whole["differences"] == []
    data = bytearray((moved / "sample.wav").read_bytes())
    data[-1] ^= 1
    (moved / "sample.wav").write_bytes(data)
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert [row["path"] for row in json.loads(done.stdout)["differences"]] == ["sample.wav"]


def voice_prep(work: Path, *arguments: str) -> subprocess.Popen[str]:
    argv, environment = command(work, Path(), Path())
    return subprocess.Popen(
        [argv[0], "voice-prep", *arguments],
        env=environment,
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def race(work: Path, recording: tuple[Path, Path]) -> tuple[subprocess.Popen[str], str]:
    """Two lanes started together: the one that runs, and what the other, which has ended, wrote to stderr."""
    argv, environment = command(work, *recording)
    lanes = [
        subprocess.Popen(
            argv,
            env=environment,
            cwd=work,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in range(2)
    ]
    while all(lane.poll() is None for lane in lanes):
        time.sleep(0.05)
    running, refused = sorted(lanes, key=lambda lane: lane.returncode is not None)
    _, errors = refused.communicate(timeout=60)
    assert refused.returncode == 1, errors
    return running, errors


def drop(review: subprocess.Popen[str], dataset: str, clips: list[str]) -> int:
    """Drop clips on the page of a review; the number of decisions that it has saved."""
    assert review.stdout is not None
    page = urllib.parse.urlsplit(json.loads(review.stdout.readline().removeprefix("STATS "))["url"])
    saved = 0
    for clip in clips:
        server = http.client.HTTPConnection(page.netloc, timeout=60)
        body = json.dumps({"dataset": dataset, "clip": clip, "verdict": "drop"})
        headers = {"Content-Type": "application/json", "Origin": f"http://{page.netloc}"}
        server.request("POST", f"{page.path}edit", body, headers)
        saved += server.getresponse().status == 200
        server.close()
    return saved


def test_two_lanes_two_reviews_and_a_deletion_at_once(
    finished: tuple[Path, subprocess.CompletedProcess[str]], recording: tuple[Path, Path]
) -> None:
    """One lane ends as if it were alone, the other and the deletion are refused at once, and no decision is lost."""
    work = finished[0]
    folder, status = work / "work/datasets/anna", work / "work/artifacts/prod_tts_train_status.json"
    before, dataset = json.loads(status.read_text()), load(folder)
    assert dataset is not None
    lane, refused = race(work, recording)
    assert "[tts-prod][error] lane_busy:work" in refused
    assert lane.stdout is not None
    assert any("ARTIFACT" in line and "dataset_manifest" in line for line in lane.stdout)
    os.killpg(lane.pid, signal.SIGSTOP)  # so that the lane does not end before the other programs have begun
    try:
        deletion = voice_prep(work, "delete", "anna", "--yes")
        _, errors = deletion.communicate(timeout=120)
        assert (deletion.returncode, "[voice-prep][error] lane_busy:anna" in errors) == (1, True), errors
        reviews = [voice_prep(work, "review", "anna", "--workers", "1") for _ in range(2)]
    finally:
        os.killpg(lane.pid, signal.SIGCONT)
    clips = [entry.id for entry in dataset.entries]
    with ThreadPoolExecutor() as threads:
        saved = list(threads.map(drop, reviews, [dataset.sha256] * 2, [clips[::2], clips[1::2]]))
    for review in reviews:
        review.send_signal(signal.SIGINT)
        _, errors = review.communicate(timeout=60)
        assert review.returncode == 0, errors
    _, errors = lane.communicate(timeout=600)
    assert lane.returncode == 0, errors
    assert "unchanged" in errors
    assert "trained already" in errors
    assert json.loads(status.read_text())["metrics"]["weights_sha256"] == before["metrics"]["weights_sha256"]
    assert saved == [len(clips[::2]), len(clips[1::2])]
    assert {(edit.start, edit.verdict) for edit in edits.read(folder)} == {(e.start, "drop") for e in dataset.entries}
    (folder / edits.NAME).unlink()


def test_force_gives_the_same_weights_while_the_dataset_is_deleted(
    finished: tuple[Path, subprocess.CompletedProcess[str]], recording: tuple[Path, Path]
) -> None:
    """A deletion at the same moment comes before the lane has a dataset, or is refused."""
    work = finished[0]
    status = work / "work/artifacts/prod_tts_train_status.json"
    before = json.loads(status.read_text())
    argv, environment = command(work, *recording, "--force")
    deletion = voice_prep(work, "delete", "anna", "--yes")
    forced = subprocess.run(argv, env=environment, cwd=work, capture_output=True, text=True, timeout=1200, check=False)
    _, errors = deletion.communicate(timeout=60)
    assert forced.returncode == 0, forced.stderr
    assert deletion.returncode == 0 or "[voice-prep][error] lane_busy:anna" in errors, errors
    after = json.loads(status.read_text())
    # The first run was interrupted and resumed, this one was not: the weights are the same all the same.
    assert after["metrics"]["weights_sha256"] == before["metrics"]["weights_sha256"]
    assert after["dataset_sha256"] == before["dataset_sha256"]
