"""`/api/train/*` against a server in a process of its own; scripts that print given lines stand for the real ones."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.serve.conftest import Server, Start

from voicemill_serve import supervisor
from voicemill_serve.job_store import FINAL, ScriptJob
from voicemill_serve.jobs import MAX_LOG_LINES, MAX_READ, JobRunner, take_line

pytestmark = pytest.mark.slow

Jobs = Callable[..., Server]


@pytest.fixture
def jobs(start: Start, tmp_path: Path) -> Jobs:
    """Starts a server whose jobs run a Python script of the test in place of their own."""
    interpreter = tmp_path / "interpreter"
    interpreter.write_text(f"#!{sys.executable}\nimport os, sys\nexec(open({str(tmp_path / 'script.py')!r}).read())\n")
    interpreter.chmod(0o755)
    (tmp_path / "none").mkdir()

    def run(script: str, *options: str, **environment: str) -> Server:
        (tmp_path / "script.py").write_text(script)
        status = {"TRAIN_STATUS_PATH": str(tmp_path / "status.json")} | environment
        return start(tmp_path / "none", *options, TRAIN_PYTHON=str(interpreter), **status)

    return run


def wait_for(server: Server, job: str, *states: str) -> dict[str, Any]:
    for _ in range(400):
        found: dict[str, Any] = server.get(f"/api/train/job/{job}").json()
        if found["state"] in states:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def submit(server: Server, path: str = "start", **body: object) -> str:
    answer = server.post(f"/api/train/{path}", body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["ok"], answer.json()["started"]) == (True, True)
    return str(answer.json()["jobId"])


LINES = """
print('PROGRESS 5 100', flush=True)
print('STATS {"dataset_items":1,"bundle_valid":true}')
print('ARTIFACT artifacts/status.json')
print('STATS {"step":3,"loss":0.25}')
print('STATS not json')
print('ARTIFACT artifacts/status.json')
print('a warning', file=sys.stderr)
print(sys.argv[1], os.environ['TRAIN_JOB_TYPE'], os.environ['TRAIN_STATUS_PATH'], os.environ['KNOWLEDGE_AUDIO_DIR'])
"""


@pytest.mark.parametrize(
    ("asked", "kind", "script"),
    [
        ({"jobType": "tts_prod_train"}, "tts_prod_train", "scripts/voice/train_production_tts.py"),
        ({"jobType": "tts_prod_train_nemo"}, "tts_prod_train_nemo", "scripts/voice/train_production_nemo.py"),
        ({"jobType": "tts_voice_train"}, "tts_voice_train", "external/audiocraft/scripts/train_spectral_adapter.py"),
        ({}, "train", "external/audiocraft/scripts/train_spectral_adapter.py"),
        ({"jobType": "; rm -rf /"}, "train", "external/audiocraft/scripts/train_spectral_adapter.py"),
        ({"jobType": ["x"]}, "train", "external/audiocraft/scripts/train_spectral_adapter.py"),
    ],
)
def test_a_job_of_each_type(jobs: Jobs, tmp_path: Path, asked: dict[str, object], kind: str, script: str) -> None:
    server = jobs(LINES)
    job = wait_for(server, submit(server, **asked), "done")
    assert (job["type"], job["message"]) == (kind, "Training complete")
    assert job["progress"] == {"current": 5, "total": 100}
    assert job["metadata"] == {"dataset_items": 1, "bundle_valid": True, "step": 3, "loss": 0.25}
    assert job["artifactRefs"] == ["artifacts/status.json"] * 2
    assert job["startedAt"] <= job["endedAt"] <= time.time() * 1000
    assert "[ERR] a warning\n" in job["logs"]
    printed = [line for line in job["logs"] if script in line]
    assert printed == [
        f"{Path.cwd() / script} {kind} {tmp_path / 'status.json'} external/audiocraft/data/knowledge_audio\n"
    ]


def test_a_dataset_job(jobs: Jobs) -> None:
    server = jobs(
        "print('PROGRESS 1 2')\n"
        'print(\'STATS {"mode":"voice_dataset","manifestPath":"/tmp/m.json","loss":1}\')\n'
        "print(sys.argv[1], os.environ['KNOWLEDGE_SOURCE_DIR'], os.environ['DATASET_PREP_MODE'])\n"
    )
    job = wait_for(server, submit(server, "dataset", mode="voice_dataset"), "done")
    assert (job["type"], job["message"]) == ("dataset", "Dataset build complete")
    assert job["metadata"] == {"datasetMode": "voice_dataset", "mode": "voice_dataset", "manifestPath": "/tmp/m.json"}
    assert job["datasetStats"]["mode"] == "voice_dataset"
    assert job["progress"] == {"current": 1, "total": 2}
    assert job["logs"][-1].endswith("prepare_knowledge_audio.py data/knowledge_audio_source voice_dataset\n")
    assert server.post("/api/train/dataset", {"mode": "a\x00b"}).status_code == 400
    second = wait_for(server, submit(server, "dataset"), "done")
    assert second["metadata"]["datasetMode"] == "knowledge_audio"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise SystemExit(2)", "Training failed (exit 2)"),
        ("os.kill(os.getpid(), 9)", "Training failed (exit null)"),
    ],
)
def test_a_job_that_fails(jobs: Jobs, script: str, message: str) -> None:
    server = jobs(f'print(\'STATS {{"status":"blocked","reason":"r"}}\', flush=True)\n{script}')
    job = wait_for(server, submit(server), "error")
    assert job["message"] == message
    assert job["metadata"]["reason"] == "r"


def test_a_python_that_does_not_exist_fails_the_job_and_not_the_server(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path, TRAIN_PYTHON="/nowhere/python")
    job = wait_for(server, submit(server), "error")
    assert job["message"] == "Training could not start: No such file or directory: /nowhere/python"
    assert server.get("/api/train/job/none").json() == {"error": "job_not_found"}


def test_the_status_file(jobs: Jobs, tmp_path: Path) -> None:
    server, status = jobs(""), tmp_path / "status.json"
    assert server.get("/api/train/status").json() == {"error": "status_not_found"}
    assert server.get("/api/train/status").status_code == 404
    status.write_text('{"epoch": 2, "loss": 0.5, "status": "running"}')
    assert server.get("/api/train/status").json() == {"epoch": 2, "loss": 0.5, "status": "running"}
    status.write_text("{")
    answer = server.get("/api/train/status")
    assert (answer.status_code, answer.json()["error"]) == (500, "status_read_failed")
    for _ in range(2):
        assert server.post("/api/train/status/reset").json() == {"ok": True}
    assert not status.exists()
    status.mkdir()
    assert server.post("/api/train/status/reset").json()["error"] == "reset_failed"


WAITS = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: (print('STATS {"stopped":true}', flush=True), sys.exit(143)))
print('PROGRESS 1 2', flush=True)
while not os.path.exists(os.environ['GO']):
    time.sleep(0.05)
print('PROGRESS 2 2', flush=True)
"""


def test_one_job_at_a_time_and_the_next_is_pending(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs(WAITS, GO=str(tmp_path / "go"))
    first, second, third = (submit(server) for _ in range(3))
    wait_for(server, first, "running")
    assert wait_for(server, second, "pending")["state"] == "pending"
    stopped = server.post(f"/api/train/job/{third}/cancel").json()
    assert (stopped["state"], stopped["message"], stopped["cancelled"]) == (
        "error",
        "Cancelled before it started",
        True,
    )
    assert [job["id"] for job in server.get("/api/train/jobs").json()["jobs"]] == [third, second, first]
    (tmp_path / "go").touch()
    one, two = wait_for(server, first, "done"), wait_for(server, second, "done")
    assert one["endedAt"] <= two["startedAt"] + 1
    assert wait_for(server, third, "error")["message"] == "Cancelled before it started"


def test_a_running_job_is_cancelled_and_may_write_its_checkpoint(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs(WAITS, GO=str(tmp_path / "go"))
    job = submit(server)
    while "progress" not in wait_for(server, job, "running"):
        time.sleep(0.05)
    assert server.post(f"/api/train/job/{job}/cancel").json()["cancelled"] is True
    ended = wait_for(server, job, "error")
    assert (ended["message"], ended["metadata"]) == ("Training cancelled", {"stopped": True})
    assert server.post("/api/train/job/none/cancel").status_code == 404


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_jobs_outlive_the_server(jobs: Jobs, tmp_path: Path, number: int) -> None:
    go = tmp_path / "go"
    server = jobs("print('done at once')")
    finished = submit(server)
    assert wait_for(server, finished, "done")
    server.stop(number)
    server = jobs(WAITS, GO=str(go))
    running, pending = submit(server), submit(server)
    while "progress" not in wait_for(server, running, "running"):
        time.sleep(0.05)
    server.stop(number)
    go.touch()  # the first job ends while there is no server
    end = tmp_path / "work/jobs" / running / "exit.json"
    for _ in range(200):
        if end.exists():
            break
        time.sleep(0.05)
    server = jobs(WAITS, GO=str(go))
    assert wait_for(server, finished, "done")["logs"] == ["done at once\n"]
    assert wait_for(server, running, "done")["progress"] == {"current": 2, "total": 2}
    assert wait_for(server, pending, "done")["message"] == "Training complete"


def test_a_job_whose_processes_were_killed_with_the_server(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs(WAITS, GO=str(tmp_path / "go"))
    job = submit(server)
    while "progress" not in wait_for(server, job, "running"):
        time.sleep(0.05)
    supervisor = int((tmp_path / "work/jobs" / job / "supervisor.pid").read_text())
    script = int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])
    server.stop(signal.SIGKILL)
    for pid in (supervisor, script):
        os.kill(pid, signal.SIGKILL)
    server = jobs("")
    assert wait_for(server, job, "error")["message"] == "Training failed (its process was killed)"


def test_server_sent_events(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs(WAITS, GO=str(tmp_path / "go"))
    job = submit(server)
    found: list[dict[str, Any]] = []
    with httpx.stream("GET", f"{server.url}/api/train/job/{job}/events", timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if found[-1].get("progress") == {"current": 1, "total": 2}:
                    (tmp_path / "go").touch()
    assert found[-1]["state"] == "done"
    assert {"current": 1, "total": 2} in [event.get("progress") for event in found]
    assert "logs" not in found[0]
    assert server.get("/api/train/job/none/events").status_code == 404


def test_a_stop_does_not_wait_for_those_who_watch(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs(WAITS, GO=str(tmp_path / "go"))
    job = submit(server)
    with httpx.stream("GET", f"{server.url}/api/train/job/{job}/events", timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 60  # without the stop, the stream ends with the limit of a request, 120 s
    (tmp_path / "go").touch()


def test_two_servers_on_one_folder(jobs: Jobs) -> None:
    first, second = jobs(""), jobs("")
    assert submit(first)
    for path in ("jobs", "status"):
        answer = second.get(f"/api/train/{path}")
        assert (answer.status_code, answer.json()["error"]) == (503, "jobs_busy")
    assert second.get("/health").status_code == 200


def test_a_server_that_cannot_train(jobs: Jobs) -> None:
    server = jobs("", "--no-training")
    for answer in (server.get("/api/train/status"), server.post("/api/train/start", {})):
        assert (answer.status_code, answer.json()["error"]) == (503, "training_unavailable")


def test_a_page_of_another_origin_starts_nothing(jobs: Jobs) -> None:
    server = jobs("")
    answer = server.post("/api/train/start", {}, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
    assert server.post("/api/train/start", "text").status_code == 200
    assert httpx.post(f"{server.url}/api/train/start", content=b"{").status_code == 400


def test_a_disk_without_room(jobs: Jobs, tmp_path: Path) -> None:
    server = jobs("")
    folder = tmp_path / "work/jobs"
    database = folder / "jobs.sqlite3"
    kept = database.read_bytes()
    database.write_bytes(b"x" * 8192)  # sqlite refuses it, as it refuses a disk that is full
    answer = server.post("/api/train/start", {"jobType": "train"})
    assert (answer.status_code, answer.json()["error"]) == (500, "train_start_failed")
    assert not [path for path in folder.iterdir() if path.is_dir()]
    database.write_bytes(kept)
    assert wait_for(server, submit(server), "done")


@pytest.mark.slow
def test_a_dry_run_of_the_main_lane(start: Start, tmp_path: Path) -> None:
    server = start(tmp_path, PROD_TTS_DRY_RUN="1", TRAIN_STATUS_PATH=str(tmp_path / "status.json"))
    job = wait_for(server, submit(server, jobType="tts_prod_train"), "done", "error")
    assert job["state"] == "done", job["logs"]
    assert job["progress"]["current"] == job["progress"]["total"]
    assert [path for path in job["artifactRefs"] if path.endswith("status.json")]
    status = server.get("/api/train/status").json()
    assert status["job_type"] == "tts_prod_train"
    assert "timestamp" in status


def test_lines_are_bounded_and_odd_ones_are_harmless() -> None:
    job = ScriptJob("i", "train", "running", "m", 0)
    for line in (
        "PROGRESS",
        "PROGRESS a b",
        "PROGRESS nan 1",
        "STATS [1]",
        "STATS {",
        "ARTIFACT  ",
        "STATS " + "[" * 9999,
    ):
        take_line(job, "out", line)
    assert (job.progress, job.metadata, job.artifactRefs) == (None, None, None)
    take_line(job, "err", "PROGRESS 1 2")
    take_line(job, "out", "Loss is 3")
    assert (job.progress, job.message) == (None, "Loss is 3")
    for number in range(2 * MAX_LOG_LINES):
        take_line(job, "out", f"line {number}")
    assert len(job.logs) == MAX_LOG_LINES
    assert job.logs[-1] == f"line {2 * MAX_LOG_LINES - 1}\n"


def test_a_line_longer_than_one_read_hides_no_later_line(tmp_path: Path) -> None:
    runner = JobRunner(tmp_path)
    runner.store.add(ScriptJob("i", "train", "running", "m", 0))
    folder = tmp_path / "i"
    folder.mkdir()
    rows = [["out", f"STATS {json.dumps({'note': MAX_READ * 'x'})}"], ["out", "ARTIFACT a"]]
    (folder / supervisor.LOG).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / supervisor.EXIT).write_text('{"code": 0}')
    asyncio.run(runner.step())
    runner.close()
    found = runner.store.get("i")
    assert found is not None
    assert (found.state, found.artifactRefs) == ("done", ["a"])


def test_a_preparation_does_not_wait_for_a_training(tmp_path: Path) -> None:
    runner = JobRunner(tmp_path)

    async def both() -> list[str]:
        jobs = [
            await runner.submit(kind, "", ["sleep", "60"], {}) for kind in ("voice_train", "voice_train", "voice-prep")
        ]
        found = [runner.store.get(job.id) for job in jobs]
        for job in jobs:
            await runner.cancel(job.id)
        async with asyncio.timeout(60):
            while runner.store.open():
                await runner.step()
        return [job.state for job in found if job is not None]

    assert asyncio.run(both()) == ["running", "pending", "running"]
    runner.close()


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_cancelled_job_that_does_not_stop_is_killed_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicemill_serve.jobs.KILL_SECONDS", 0.3)

    async def until(runner: JobRunner, job_id: str, reached: Callable[[ScriptJob], bool]) -> ScriptJob:
        async with asyncio.timeout(60):
            while True:
                await runner.step()
                job = runner.store.get(job_id)
                assert job is not None
                if reached(job):
                    return job
                await asyncio.sleep(0.05)

    async def run() -> ScriptJob:
        first = JobRunner(tmp_path / "jobs")
        job = await first.submit("tts_train", "Queued", [sys.executable, "-c", STUBBORN], {})
        await until(first, job.id, lambda found: any("ready" in line for line in found.logs))
        await first.cancel(job.id)
        first.close()
        second = JobRunner(tmp_path / "jobs")
        ended = await until(second, job.id, lambda found: found.state in FINAL)
        second.close()
        first._children[job.id].wait(10)
        return ended

    ended = asyncio.run(run())
    assert ended.state == "error"
    assert "cancelled" in ended.message
