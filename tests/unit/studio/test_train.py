"""Trainings: what a form may ask for, what it will take, how they are followed, stopped and resumed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.unit.serve.conftest import Server, end, start_server

from voicemill.errors import UsageError
from voicemill_serve.job_store import JobStore, ScriptJob
from voicemill_serve.jobs import JobRunner
from voicemill_serve.refusals import RequestRefusedError
from voicemill_studio import overview
from voicemill_studio.estimates import PRESETS, length, presets_for
from voicemill_studio.overview import TRAINING
from voicemill_studio.train import Following, TrainingRequest, curves_of, lines_for_people, why_of

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset

HOSTILE = "</pre><script>alert(1)</script>"
ASKED = TrainingRequest("demo", "<i>Demo</i>", "smoke", max_steps=3)


def ended(number: int, seconds: float, preset: str = "cpu", **request: object) -> ScriptJob:
    asked = {**asdict(TrainingRequest("demo", "", preset)), **request}
    return ScriptJob(str(number), TRAINING, "done", "", 0, round(seconds * 1000), metadata={"request": asked})


class TestRequests:
    def test_a_form_becomes_the_options_of_the_app(self) -> None:
        fields = {"voice": "anna", "display_name": "Anna B.", "preset": "cpu", "max_steps": "50"}
        found = TrainingRequest.of(fields).arguments
        assert found == ["--voice", "anna", "--preset", "cpu", "--display-name", "Anna B.", "--max-steps", "50"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"voice": "../anna"},
            {"voice": ""},
            {"voice": "--force"},
            {"preset": "best"},
            {"max_steps": "0"},
            {"max_steps": "-5"},
            {"max_steps": "1e9"},
            {"max_steps": "9" * 40},
            {"display_name": "a" * 201},
            {"display_name": "a\x00b"},
        ],
    )
    def test_bad_fields_are_refused(self, wrong: dict[str, str]) -> None:
        with pytest.raises((UsageError, RequestRefusedError)):
            TrainingRequest.of({"voice": "anna", "preset": "cpu", **wrong})


class TestEstimates:
    def test_every_preset_has_words_and_a_time_or_steps(self) -> None:
        found = presets_for(10.0, [])
        assert [preset.name for preset in found] == list(PRESETS)
        assert all(preset.estimate.steps[0] > 0 for preset in found)
        assert next(one for one in found if one.name == "cpu").estimate.text == "about 3 minutes"
        assert next(one for one in found if one.name == "gpu").estimate.text == "not known yet"

    def test_trainings_on_this_machine_decide(self) -> None:
        jobs = [ended(1, 700), ended(2, 900), ended(3, 800), ended(4, 5, max_steps=1), ended(5, 7, resume=True)]
        (cpu,) = (one for one in presets_for(10.0, jobs) if one.name == "cpu")
        assert cpu.estimate.seconds == 800
        assert "the last 3 trainings" in cpu.estimate.basis

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.2, "a second"), (42, "42 seconds"), (300, "5 minutes"), (9000, "2.5 hours")]
    )
    def test_lengths(self, seconds: float, text: str) -> None:
        assert length(seconds) == text


class TestFollowing:
    def test_curves_of_what_was_printed(self) -> None:
        rows = [{"model": "FastPitch", "step": step, "loss": 9.0 / step} for step in range(1, 6)]
        (chart,) = curves_of([*rows, {"model": "HiFi-GAN", "step": 1, "loss": 1.0}, {"model": "x", "loss": None}])
        assert chart.title == "FastPitch"
        assert "polyline" in chart.svg

    def test_the_reason_of_a_failure_is_its_last_lines(self) -> None:
        job = ScriptJob("1", TRAINING, "error", "", 0, logs=["PROGRESS 1 2\n", "[ERR] One.\n", "[ERR] Two.\n"])
        assert why_of(job) == "One. Two."
        job.cancelled = True
        assert why_of(job) == ""

    def test_a_job_that_is_being_stopped_says_so(self) -> None:
        progress = {"current": 89.0, "total": 100.0}
        job = ScriptJob("1", TRAINING, "running", "Step 89/100", 0, progress=progress)
        shown = Following(job, None, "", "", [], [], "")
        assert (shown.state, shown.headline) == ("running", "89 %")
        job.cancelled = True
        assert (shown.state, shown.headline) == ("stopping", "Stopping")

    def test_a_job_that_waits_is_in_the_queue(self) -> None:
        job = ScriptJob("1", TRAINING, "pending", "In the queue", 0)
        assert Following(job, None, "", "", [], [], "").state == "in the queue"
        assert overview.VoiceOverview("anna", "Anna", jobs=(job,)).states[0] == ("in the queue", "now")

    def test_lines_for_programs_are_left_out_of_the_log(self) -> None:
        logs = ["PROGRESS 1 2\n", "STATS {}\n", "[ERR] FastPitch 1/2\n", "ARTIFACT a\n", "ready\n"]
        assert lines_for_people(logs) == ["FastPitch 1/2", "ready"]

    def test_all_statistics_of_a_job(self, tmp_path: Path) -> None:
        runner = JobRunner(tmp_path)
        (tmp_path / "one").mkdir()
        rows = [
            ["out", 'STATS {"step": 1}'],
            ["err", 'STATS {"step": 2}'],
            ["out", "STATS no"],
            ["out", "PROGRESS 1 2"],
        ]
        (tmp_path / "one/log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '["out", "STATS {')
        assert runner.stats("one") == [{"step": 1}]
        assert runner.stats("two") == []
        runner.close()


@pytest.fixture(scope="module")
def shop(prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server with the prepared voice demo, a training that failed and one that is stopped; and its work folder."""
    base = tmp_path_factory.mktemp("training")
    shutil.copytree(prepared.root, base / "work/datasets/demo")
    (base / "work/bundles").mkdir()
    store = JobStore(base / "work/jobs")
    facts = {"voice": "demo", "request": asdict(ASKED)}
    logs = [f"[ERR] {HOSTILE}\n"]
    store.add(ScriptJob("failed", TRAINING, "error", "Training failed (exit 2)", 1000, 9000, metadata=facts, logs=logs))
    stopped = ScriptJob("stopped", TRAINING, "error", "Training cancelled", 1000, 9000, metadata=facts)
    stopped.cancelled = True
    store.add(stopped)
    server = start_server(base / "work/bundles", base / "work", CACHE_DIR=str(base / "cache"))
    yield server, base / "work"
    end(server)


def post(server: Server, path: str, **fields: str) -> httpx.Response:
    return httpx.post(server.url + path, data=fields, headers={"Origin": server.url}, timeout=120)


class TestPages:
    def test_a_failed_training_says_why_and_can_go_on(self, shop: tuple[Server, Path]) -> None:
        page = shop[0].get("/studio/train/failed").text
        assert HOSTILE not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "/studio/train/failed/resume" in page
        assert ">stopped</span>" in shop[0].get("/studio/train/stopped").text
        answer = shop[0].get("/studio/api/train/failed").json()
        assert (answer["over"], answer["state"]) == (True, "failed")

    def test_the_sentences_of_a_training_are_those_of_this_one(self, shop: tuple[Server, Path]) -> None:
        server, work = shop
        report = work / "reports/demo.training.html"
        report.parent.mkdir(exist_ok=True)
        report.write_text("<!doctype html>", "utf-8")
        for seconds, written in ((2.0, 2000), (3.0, 3000), (0.5, 0)):  # the training began after one second
            os.utime(report, (seconds, seconds))
            assert server.get("/studio/api/train/failed").json()["report"] == written
        report.unlink()
        assert server.get("/studio/api/train/failed").json()["report"] == 0

    def test_refusals(self, shop: tuple[Server, Path]) -> None:
        server, _ = shop
        assert post(server, "/studio/train", voice="nobody", preset="smoke").status_code == 404
        assert post(server, "/studio/train", voice="demo", preset="best").status_code == 400
        assert server.get("/studio/train/unknown").status_code == 404
        assert post(server, "/studio/train/unknown/stop").status_code == 404

    def test_start_stop_and_go_on(self, shop: tuple[Server, Path]) -> None:
        server, work = shop
        started = post(server, "/studio/train", voice="demo", preset="smoke", display_name="Demo")
        assert started.status_code == 303
        again = post(server, "/studio/train", voice="demo", preset="smoke")
        assert (again.status_code, again.headers["x-voicemill-reason"]) == (409, "voice_in_training")
        assert "Follow the training" in server.get("/studio/voices/demo").text
        page = started.headers["location"]
        live = server.get(page)  # before the job has printed anything
        assert live.status_code == 200
        assert 'id="progress"' in live.text
        assert post(server, f"{page}/stop").status_code == 303
        api = page.replace("/studio/train/", "/studio/api/train/")
        while not server.get(api).json()["over"]:
            pass  # the process ends at its next look at its signals
        assert server.get(api).json()["state"] == "stopped"
        resumed = post(server, f"{page}/resume")
        assert resumed.status_code == 303
        job = resumed.headers["location"].rpartition("/")[2]
        command = json.loads((work / f"jobs/{job}/job.json").read_text("utf-8"))["argv"]
        assert command[-1] == "--resume"
        assert post(server, f"{resumed.headers['location']}/stop").status_code == 303

    def test_a_server_that_cannot_train_says_so(self, shop: tuple[Server, Path], tmp_path: Path) -> None:
        server = start_server(shop[1] / "bundles", tmp_path / "work", "--no-training")
        answer = server.get("/studio/train")
        end(server)
        assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (503, "training_unavailable")
        assert "This server cannot train" in answer.text


def test_the_database_is_that_of_the_server(shop: tuple[Server, Path]) -> None:
    with sqlite3.connect(shop[1] / "jobs/jobs.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone()[0] >= 2
