"""TRAIN_BACKEND=managed_job with a task file: what SkyPilot is given, and what is made of what it says.

The `sky` here is a stand-in that records how it is called and shows a job's lines as SkyPilot does; its own parser judges the task
file where it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LANE = "train_production_voice.sh"
STATUS = "artifacts/train_status.tts_prod_train.json"
TASK = "artifacts/managed_job.sky.yaml"
SKY = """#!{python}
import json, os, pathlib, signal, sys, time
with (pathlib.Path(__file__).resolve().parent / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["jobs", "cancel"]:
    raise SystemExit(int(os.environ.get("CANCEL_CODE", "0")))
job = lambda line: print("\\x1b[36m(voicemill, pid=77)\\x1b[0m " + line, flush=True)
print("Considered resources (1 node):", flush=True)
job("[tts-prod] head=cafecafe")
job("PROGRESS 0 100")
job("PROGRESS 60 100")
job('STATS {{"loss":0.5}}')
job("STATS not json")
job('STATS {{"loss":NaN}}')
if os.environ.get("WAIT"):
    print("waiting", file=sys.stderr, flush=True)
    time.sleep(60)
job("PROGRESS 40 100")  # on another machine
job("PROGRESS 100 100")
job("ARTIFACT /results/anna/bundles/anna/voice_bundle/manifest.json")
if os.environ.get("FAIL"):
    job("[tts-prod][error] missing_transcript file=take.flac")
raise SystemExit(int(os.environ.get("FAIL", "0")))
"""
GOOD = {
    "resources": {"accelerators": {"A100": 1, "L4": 1}, "use_spot": True, "image_id": "docker:example.org/me/v:cuda"},
    "file_mounts": {"/results": {"name": "my-voices", "store": "s3", "mode": "MOUNT_CACHED"}},
    "envs": {"WORK_DIR": "/results/anna", "MINE": 1},
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sky").write_text(SKY.format(python=sys.executable))
    (folder / "sky").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    file = tmp_path / "sky.yaml"
    file.write_text(yaml.safe_dump(GOOD))
    return file


def calls(tmp_path: Path) -> list[list[str]]:
    return [json.loads(line) for line in (tmp_path / "bin/calls.jsonl").read_text().splitlines()]


def status(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / STATUS).read_text())
    return found


def launch(run, path, sky, **more):
    return run(LANE, PATH=path, TRAIN_BACKEND="managed_job", VOICEMILL_MANAGED=sky, **more)


def test_the_job_is_launched_and_its_lines_are_the_protocols(run, tmp_path, head, path, sky, checkout):
    take = tmp_path / "takes/take one.flac"
    take.parent.mkdir()
    take.write_bytes(b"x" * 200)
    take.with_suffix(".txt").write_text("Hello there.")
    take.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello there.\n")
    (take.parent / "private.flac").write_bytes(b"y" * 200)
    done = launch(
        run, path, sky, AUDIO_PATH="takes/take one.flac", VOICE_PROFILE_ID="Anna_B", PROD_TTS_PRESET="scratch"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"[tts-prod] head={head[:8]}",
        "PROGRESS 0 100",
        "PROGRESS 60 100",
        'STATS {"loss":0.5}',
        "PROGRESS 60 100",
        "PROGRESS 100 100",
        f"ARTIFACT {TASK}",
        'STATS {"reason":null,"status":"completed"}',
        "ARTIFACT artifacts/train_status.tts_prod_train.json",
        "[tts-prod] status=done backend=managed_job",
    ]
    task = yaml.safe_load((tmp_path / TASK).read_text())
    assert calls(tmp_path) == [["jobs", "launch", "--yes", "--name", task["name"], str(tmp_path / TASK)]]
    assert task["name"].startswith(f"voicemill-anna-b-{head[:8]}-")
    assert task["resources"] == GOOD["resources"]
    assert task["workdir"] == str(checkout)
    assert task["file_mounts"] == GOOD["file_mounts"] | {
        "/voicemill-inputs/0/take one.flac": str(take),
        "/voicemill-inputs/0/take one.txt": str(take.with_suffix(".txt")),
        "/voicemill-inputs/0/take one.srt": str(take.with_suffix(".srt")),
    }
    assert task["envs"] == {
        "WORK_DIR": "/results/anna",
        "MINE": "1",
        "VOICE_PROFILE_ID": "Anna_B",
        "PROD_TTS_PRESET": "scratch",
        "AUDIO_PATH": "/voicemill-inputs/0/take one.flac",
        "VOICEMILL_COMMIT": head,
        "PROD_TTS_COMMIT": head,
        "TRAIN_LANE": "tts_prod_train",
    }
    assert f"[managed] leaves this machine, for the job's storage: {take}" in done.stderr
    assert "private.flac" not in done.stderr
    assert "Considered resources" in done.stderr
    assert "ARTIFACT /results/anna" in done.stderr
    found = status(tmp_path)
    assert (found["state"], found["progress"]) == ("completed", {"current": 100, "total": 100})


@pytest.mark.slow
def test_what_the_job_runs_goes_on_after_a_recovery_and_runs_the_lane(run, tmp_path, path, sky, checkout):
    """The job's own command, run here: WORK_DIR stands for what the cloud keeps."""
    assert launch(run, path, sky, PROD_TTS_DRY_RUN=1).returncode == 0
    task = yaml.safe_load((tmp_path / TASK).read_text())
    assert task["envs"]["AUDIO_PATH"] == "data/demo/demo.flac"
    assert task["file_mounts"] == GOOD["file_mounts"]
    (tmp_path / "bin/bash").write_text('#!/bin/sh\necho "resume=${PROD_TTS_RESUME:-0}"\nexec /bin/bash "$@"\n')
    (tmp_path / "bin/bash").chmod(0o755)
    work = tmp_path / "kept"
    environment = {**os.environ, **task["envs"], "WORK_DIR": str(work), "VOICEMILL_PYTHON": sys.executable}
    environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def job() -> str:
        done = subprocess.run(
            ["/bin/bash", "-c", task["run"]],
            cwd=task["workdir"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "resume=0\n" in job()
    (work / "checkpoints/prod_tts/anna/acoustic").mkdir(parents=True)
    (work / "checkpoints/prod_tts/anna/acoustic/fastpitch.checkpoint").touch()
    again = job()
    assert "resume=1\n" in again
    assert "[tts-prod] status=done backend=local\n" in again
    assert json.loads((work / "artifacts/train_status.tts_prod_train.json").read_text())["state"] == "completed"


@pytest.mark.parametrize("given", [{}, {"AUDIO_PATH": "take.flac", "TRAIN_LANE": "tts_prod_train_nemo"}])
def test_skypilots_own_parser_takes_the_manuals_example(run, tmp_path, path, sky, checkout, given):
    command = shutil.which("sky")
    if command is None:
        pytest.skip("SkyPilot is not installed: its command sky is not on PATH (pipx install skypilot)")
    example = (checkout / "docs/managed.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    sky.write_text(example)
    (tmp_path / "take.flac").write_bytes(b"x" * 200)
    assert launch(run, path, sky, **given).returncode == 0
    python = Path(command).read_text().splitlines()[0].removeprefix("#!").strip()
    script = (
        "import json, sys, sky; task = sky.Task.from_yaml(sys.argv[1]);"
        "print(json.dumps([task.name, task.num_nodes, task.envs, task.file_mounts, list(task.storage_mounts),"
        " sorted(next(iter(each.accelerators)) for each in task.resources), task.run]))"
    )
    parsed = subprocess.run(
        [python, "-c", script, str(tmp_path / TASK)], env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert parsed.returncode == 0, parsed.stderr
    name, nodes, envs, mounts, storage, accelerators, script = json.loads(parsed.stdout.splitlines()[-1])
    task = yaml.safe_load((tmp_path / TASK).read_text())
    assert (name, nodes, envs, script) == (task["name"], 1, task["envs"], task["run"])
    assert (storage, accelerators) == (["/results"], ["A100", "L4"])
    expected = {"/voicemill-inputs/0/take.flac": str(tmp_path / "take.flac")} if given else None
    assert (mounts or None) == expected


def test_a_job_that_fails_keeps_the_lanes_reason(run, tmp_path, path, sky):
    done = launch(run, path, sky, FAIL=100)
    assert done.returncode == 1
    name = yaml.safe_load((tmp_path / TASK).read_text())["name"]
    assert f"[tts-prod][error] managed_job_failed exit_code=100 job={name} lane=missing_transcript" in done.stderr
    assert "status=done" not in done.stdout
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("error", "managed_job_failed")


@pytest.mark.parametrize(("signum", "code", "cancel"), [(signal.SIGINT, 130, "0"), (signal.SIGTERM, 143, "1")])
def test_a_signal_cancels_the_job(checkout, tmp_path, path, sky, signum, code, cancel):
    base = {name: value for name, value in os.environ.items() if not name.startswith("TOOLBOX_")}
    environment = {
        **base, "PATH": path, "WAIT": "1", "CANCEL_CODE": cancel, "VOICEMILL_PYTHON": sys.executable,
        "TRAIN_BACKEND": "managed_job", "VOICEMILL_MANAGED": str(sky),
    }  # fmt: skip
    with subprocess.Popen(
        ["bash", str(checkout / "scripts/voice" / LANE)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as child:  # fmt: skip
        for line in child.stdout or ():
            if line.startswith("STATS"):
                child.send_signal(signum)
                break
        _, err = child.communicate(timeout=60)
    assert child.returncode == code, err
    name = yaml.safe_load((tmp_path / TASK).read_text())["name"]
    assert calls(tmp_path)[1:] == [["jobs", "cancel", "--yes", "--name", name]]
    assert ("THE JOB MAY STILL RUN AND COST MONEY" in err) == (cancel != "0")
    assert status(tmp_path)["reason"] == f"interrupted:{signal.Signals(signum).name.lower()}"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (None, "unreadable"),
        ("{broken", "unreadable"),
        ("- a list", "no_mapping"),
        ({"run": "rm -rf /"}, "run"),
        ({"workdir": "."}, "workdir"),
        ({"num_nodes": 4}, "num_nodes"),
        ({"envs": ["WORK_DIR"]}, "envs"),
        ({"envs": {}}, "WORK_DIR"),
        ({"envs": {"WORK_DIR": "/elsewhere"}}, "WORK_DIR"),
        ({"file_mounts": {}}, "WORK_DIR"),
        ({"file_mounts": {"/results": "/here"}}, "WORK_DIR"),
        ({"file_mounts": {"/results": {"source": "s3://mine", "mode": "COPY"}}}, "WORK_DIR"),
        ({"file_mounts": {"/results": {"source": "s3://mine", "mode": "copy"}}}, "WORK_DIR"),
        ({"envs": {"WORK_DIR": None}}, "WORK_DIR"),
    ],
)
def test_a_task_file_that_cannot_be_launched_is_blocked(run, tmp_path, path, sky, change, what):
    if change is None:
        sky.unlink()
    else:
        sky.write_text(change if isinstance(change, str) else yaml.safe_dump(GOOD | change))
    done = launch(run, path, sky)
    assert done.returncode == 2, done.stderr
    assert done.stdout.splitlines()[-1] == f"[tts-prod] status=blocked reason=managed_job_invalid:{what}"
    assert done.stderr.startswith(f"[tts-prod][error] managed_job_invalid:{what}")
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("blocked", f"managed_job_invalid:{what}")
    assert not (tmp_path / "bin/calls.jsonl").exists()
    assert not (tmp_path / TASK).exists()


def test_without_skypilot_it_is_blocked(run, tmp_path, sky):
    bare = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "sky").exists()
    )
    done = launch(run, bare, sky)
    assert done.returncode == 2
    assert "[tts-prod] status=blocked reason=runtime_dependency_missing:skypilot" in done.stdout
    assert status(tmp_path)["reason"] == "runtime_dependency_missing:skypilot"
