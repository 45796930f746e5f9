"""A dry lane in this process: every line, file and row; and its steps one by one."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError, RefusedError, VoicemillError
from voicemill.evaluation.model import read_evaluation
from voicemill.lane import entry, plan, runner
from voicemill.lane.reporter import TableRow
from voicemill.lane.request import LaneOptions
from voicemill.lane_status import read_lane_status
from voicemill.launch.lanes import MAIN, NEMO, Lane
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.training_status import read_training_status, write_training_status

PLACEHOLDER = b"voicemill dry-run placeholder: this is not a model. Nothing was trained.\n"
LINE = b'{"audio_filepath": "dry_run.wav", "duration": 1.0, "text": "This line stands for a dataset in a dry run."}\n'


class Screen(SilentObserver):
    """The person's display."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stage(self, name: str, total: int | None = None) -> None:
        self.stages.append(name)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def environ(root: Path, **more: str) -> dict[str, str]:
    return {
        "WORK_DIR": str(root),
        "CACHE_DIR": str(root / "cache"),
        "VOICE_PROFILE_ID": "zoe",
        "VOICE_DISPLAY_NAME": "Zoe",
        "PROD_TTS_DRY_RUN": "1",
        **more,
    }


def run(
    root: Path, repository: Path, options: LaneOptions | None = None, lane: Lane = MAIN, **more: str
) -> tuple[list[str], list[TableRow], Screen]:
    """The lines, the rows and the display of a dry lane."""
    stream, screen = io.StringIO(), Screen()
    settings = Settings.for_lane(environ(root, **more), repository=repository)
    with Interrupts() as interrupts:
        rows = runner.run_lane(
            options or LaneOptions(), settings, Protocol(stream, base=root), screen, interrupts, lane
        )
    return stream.getvalue().splitlines(), rows, screen


@pytest.mark.parametrize("lane", [MAIN, NEMO])
def test_a_dry_lane_writes_these_lines_and_no_others(tmp_path: Path, repository: Path, lane: Lane) -> None:
    lines, rows, screen = run(tmp_path, repository, lane=lane)
    head = Settings.for_lane({}, repository=repository).head
    built = tmp_path / "checkpoints/prod_tts_voice_bundle/manifest.json"
    promoted = tmp_path / "bundles/zoe/voice_bundle/manifest.json"
    assert lines == [
        f"[tts-prod] head={head if head == 'unknown' else head[:8]}",
        "PROGRESS 0 4",
        "PROGRESS 1 4",
        'STATS {"dry_run":true,"final_loss":0.0,"objective_status":"ready_for_bundle","status":"ok"}',
        "ARTIFACT artifacts/prod_tts_train_status.json",
        "PROGRESS 2 4",
        "ARTIFACT artifacts/prod_tts_eval.json",
        "PROGRESS 3 4",
        'STATS {"bundle_dir":"checkpoints/prod_tts_voice_bundle","files":6,'
        f'"manifest_sha256":"{sha256(built)}","status":"ok"}}',
        "ARTIFACT checkpoints/prod_tts_voice_bundle/manifest.json",
        "PROGRESS 4 4",
        f'STATS {{"files":6,"manifest_sha256":"{sha256(promoted)}","profile":"zoe","status":"ok"}}',
        "ARTIFACT bundles/zoe/voice_bundle/manifest.json",
        'STATS {"reason":null,"status":"completed"}',
        f"ARTIFACT artifacts/train_status.{lane.name}.json",
        "[tts-prod] status=done backend=local",
    ]
    assert rows == [
        ("dry run", "nothing was trained; the bundle holds placeholders and can never be certified"),
        ("bundle", str(tmp_path / "bundles/zoe/voice_bundle")),
    ]
    assert screen.stages == ["bundle", "promotion"]
    assert screen.notes == []


def test_every_file_of_a_dry_lane(tmp_path: Path, repository: Path) -> None:
    run(tmp_path, repository)
    folders = ("checkpoints/prod_tts/dry_run", "checkpoints/prod_tts_voice_bundle", "bundles/zoe/voice_bundle")
    for folder in folders:
        for name in ("fastpitch.nemo", "hifigan.nemo", "voice.onnx", "lexicon.txt"):
            assert (tmp_path / folder / name).read_bytes() == PLACEHOLDER
    dataset = tmp_path / "artifacts/prod_tts_dataset_dry_run.jsonl"
    assert dataset.read_bytes() == LINE
    status = read_training_status(tmp_path / "artifacts/prod_tts_train_status.json")
    config = tmp_path / "artifacts/prod_tts_config.json"
    assert (status.status, status.objective_status, status.root_cause, status.dry_run) == (
        "ok",
        "ready_for_bundle",
        "none",
        True,
    )
    assert status.artifacts == tuple(
        f"checkpoints/prod_tts/dry_run/{name}"
        for name in ("fastpitch.nemo", "hifigan.nemo", "voice.onnx", "lexicon.txt")
    )
    assert (status.config_path, status.config_sha256) == ("artifacts/prod_tts_config.json", sha256(config))
    assert (status.dataset_manifest, status.dataset_sha256) == (
        "artifacts/prod_tts_dataset_dry_run.jsonl",
        sha256(dataset),
    )
    assert (status.train_note, status.metrics.final_loss, status.seed) == ("Dry run: nothing was trained.", 0, 1)
    assert status.status_json == "artifacts/prod_tts_train_status.json"
    assert status.commit == Settings.for_lane({}, repository=repository).commit
    assert json.loads(config.read_text())["preset"] == "cpu"
    evaluation = read_evaluation(tmp_path / "artifacts/prod_tts_eval.json")
    assert (evaluation.dry_run, evaluation.source_status, evaluation.final_loss) == (True, "ok", 0.0)
    state = read_lane_status(tmp_path / "artifacts/train_status.tts_prod_train.json")
    assert (state.state, state.reason, state.job_type) == ("completed", None, "tts_prod_train")
    assert (state.progress.current, state.progress.total) == (4, 4)
    manifest = json.loads((tmp_path / "bundles/zoe/voice_bundle/manifest.json").read_text())
    assert (manifest["voice_profile_id"], manifest["display_name"], manifest["dry_run"]) == ("zoe", "Zoe", True)


def test_the_manifest_of_the_environment_is_the_dataset_of_a_dry_lane(tmp_path: Path, repository: Path) -> None:
    manifest = tmp_path / "given.jsonl"
    manifest.write_bytes(LINE)
    run(tmp_path, repository, PROD_TTS_DATASET_MANIFEST=str(manifest))
    status = read_training_status(tmp_path / "artifacts/prod_tts_train_status.json")
    assert (status.dataset_manifest, status.dataset_sha256) == ("given.jsonl", sha256(manifest))
    assert not (tmp_path / "artifacts/prod_tts_dataset_dry_run.jsonl").exists()


def test_options_decide_the_voice_and_a_dry_run(tmp_path: Path, repository: Path) -> None:
    options = LaneOptions(voice="ben", display_name="Ben", dry_run=True, preset="smoke", seed=7, devices=2, nodes=2)
    lines, rows, screen = run(tmp_path, repository, options, PROD_TTS_DRY_RUN="0")
    assert "ARTIFACT bundles/ben/voice_bundle/manifest.json" in lines
    assert rows[1] == ("bundle", str(tmp_path / "bundles/ben/voice_bundle"))
    assert screen.notes[0].startswith("No dataset is prepared under the name ben")
    assert screen.notes[1].startswith("It would train with: ")
    assert "--nproc-per-node 2 --nnodes 2" in screen.notes[1]
    config = json.loads((tmp_path / "artifacts/prod_tts_config.json").read_text())
    assert (config["preset"], config["seed"], config["devices"], config["nodes"]) == ("smoke", 7, 2, 2)


def test_a_lane_on_a_cluster_names_it(tmp_path: Path, repository: Path) -> None:
    lines, _, screen = run(tmp_path, repository, LaneOptions(ray="ray://head:10001", devices=3))
    assert screen.notes[-1] == "It would train on the Ray cluster at ray://head:10001, in 3 process(es)."
    assert lines[-1] == "[tts-prod] status=done backend=ray"


def test_a_refused_lane_ends_in_every_status_file(tmp_path: Path, repository: Path) -> None:
    stream = io.StringIO()
    settings = Settings.for_lane(environ(tmp_path, PROD_TTS_CONFIG="none.yaml"), repository=repository)
    with Interrupts() as interrupts, pytest.raises(VoicemillError) as caught:
        runner.run_lane(LaneOptions(), settings, Protocol(stream, base=tmp_path), Screen(), interrupts)
    reason = caught.value.reason
    assert reason.startswith("config_missing:")
    assert stream.getvalue().splitlines()[1:] == [
        "PROGRESS 0 4",
        f'STATS {{"reason":"{reason}","status":"blocked"}}',
        "ARTIFACT artifacts/train_status.tts_prod_train.json",
        f"[tts-prod] status=blocked reason={reason}",
    ]
    status = read_training_status(settings.paths.training_status)
    assert (status.status, status.root_cause, status.dry_run, status.status_json) == (
        "blocked",
        reason,
        True,
        "artifacts/prod_tts_train_status.json",
    )
    assert (status.objective_status, status.selected_weights_id, status.commit) == ("blocked", "", settings.commit)
    evaluation = read_evaluation(settings.paths.evaluation)
    assert (evaluation.status, evaluation.root_cause, evaluation.source_status) == ("blocked", reason, "blocked")
    assert evaluation.vocoder_choice == f"The training was blocked: {reason}."
    assert read_lane_status(settings.paths.lane_status("tts_prod_train")).reason == reason


STEPS = {
    plan.TRAIN: [f"PROGRESS {part} 4" for part in range(5)],
    plan.EVALUATE: ["PROGRESS 0 100", "PROGRESS 100 100"],
    plan.BUNDLE: ["PROGRESS 0 1", "PROGRESS 1 1"],
}


def test_the_steps_one_by_one(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    variables = environ(tmp_path)
    del variables["WORK_DIR"]  # the current folder
    for step in STEPS:
        assert entry.run_step(step, variables, repository) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line.startswith("PROGRESS")] == STEPS[step]
    assert entry.promote_step(variables, repository) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["PROGRESS 0 1", "PROGRESS 1 1"]
    assert lines[2].startswith('STATS {"files":6,')
    assert lines[3:] == ["ARTIFACT bundles/zoe/voice_bundle/manifest.json"]
    assert read_training_status(tmp_path / "artifacts/prod_tts_train_status.json").selected_weights_id == (
        NEMO.base_weights
    )


def test_a_lane_from_the_environment_returns_zero(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry.run_lane(MAIN, environ(tmp_path), repository) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "[tts-prod] status=done backend=local"
    assert "nothing was trained" in captured.err


def step(root: Path, repository: Path, which: plan.LaneStep, **more: str) -> tuple[Settings, str]:
    """Run a step that is refused; its reason."""
    settings = Settings.for_lane(environ(root, **more), repository=repository)
    with Interrupts() as interrupts, pytest.raises(VoicemillError) as caught:
        runner.run_step(which, settings, Protocol(io.StringIO(), base=root), Screen(), interrupts)
    return settings, caught.value.reason


def test_a_blocked_training_is_not_evaluated_for_its_own_reason(tmp_path: Path, repository: Path) -> None:
    run(tmp_path, repository)
    path = tmp_path / "artifacts/prod_tts_train_status.json"
    blocked = read_training_status(path).model_copy(
        update={"status": "blocked", "objective_status": "blocked", "root_cause": "disk_full:work"}
    )
    write_training_status(path, blocked)
    settings, reason = step(tmp_path, repository, plan.EVALUATE)
    assert reason == "disk_full:work"
    evaluation = read_evaluation(settings.paths.evaluation)
    assert (evaluation.root_cause, evaluation.vocoder_choice) == (
        "disk_full:work",
        "Nothing could be measured: disk_full:work.",
    )
    assert read_training_status(path) == blocked, "an evaluation that fails leaves the training's status"


def test_a_status_without_a_reason_is_not_ready(tmp_path: Path, repository: Path) -> None:
    run(tmp_path, repository)
    path = tmp_path / "artifacts/prod_tts_train_status.json"
    document = json.loads(path.read_text()) | {"status": "blocked", "objective_status": "blocked"}
    path.write_text(json.dumps(document))
    assert step(tmp_path, repository, plan.EVALUATE)[1] == "status_not_ready"


def test_a_training_step_that_is_refused_writes_its_status(tmp_path: Path, repository: Path) -> None:
    settings, reason = step(tmp_path, repository, plan.TRAIN, PROD_TTS_CONFIG="none.yaml")
    assert read_training_status(settings.paths.training_status).root_cause == reason
    assert reason.startswith("config_missing:")


def test_a_variable_that_makes_no_sense_is_refused_first(tmp_path: Path, repository: Path) -> None:
    for which in STEPS:
        _, reason = step(tmp_path / which.name, repository, which, PROD_TTS_MAX_STEPS="abc")
        assert reason.startswith("bad_usage"), which


def test_an_interrupted_lane_says_so(tmp_path: Path, repository: Path) -> None:
    settings = Settings.for_lane(environ(tmp_path), repository=repository)

    class Stopping(Screen):
        def stage(self, name: str, total: int | None = None) -> None:
            raise InterruptedRunError(15)

    with Interrupts() as interrupts, pytest.raises(InterruptedRunError):
        runner.run_lane(LaneOptions(), settings, Protocol(io.StringIO(), base=tmp_path), Stopping(), interrupts)
    state = read_lane_status(settings.paths.lane_status("tts_prod_train"))
    assert (state.state, state.reason) == ("error", "interrupted:sigterm")
    assert not (tmp_path / "bundles").exists()


def test_another_head_is_refused_before_the_gates(tmp_path: Path, repository: Path) -> None:
    settings = Settings.for_lane(
        environ(tmp_path, EXPECTED_HEAD="0" * 40, PROD_TTS_CONFIG="none.yaml"), repository=repository
    )
    with Interrupts() as interrupts, pytest.raises(RefusedError) as caught:
        runner.run_lane(LaneOptions(), settings, Protocol(io.StringIO(), base=tmp_path), Screen(), interrupts)
    assert caught.value.reason == "deterministic_head_mismatch"
