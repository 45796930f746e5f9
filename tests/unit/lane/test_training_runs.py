"""How a lane runs and reuses its trainings, with a stand-in for what takes the steps and real files for the rest."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from voicemill import files
from voicemill.boundary import Interrupts
from voicemill.dataset.prepared import PreparedDataset
from voicemill.lane import gates, runner, training
from voicemill.lane.reporter import LaneReporter
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.lane.run import TrainingContext
from voicemill.lane.trained_voice import TrainingRecord
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks

from .conftest import training_result


class Screen(SilentObserver):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def context(tmp_path: Path, repository: Path, screen: Screen) -> TrainingContext:
    """Of a request with the preset `smoke` that passed the gates."""
    environ = {"WORK_DIR": str(tmp_path / "work"), "CACHE_DIR": str(tmp_path / "cache")}
    settings = Settings.from_environment(environ, repository=repository)
    request = LaneRequest.from_options(settings, LaneOptions(preset="smoke", dry_run=True))
    reporter = LaneReporter(Protocol(io.StringIO()), None, screen)
    run = runner._lane_run(settings, reporter, Interrupts(), "tts_prod_train", request)
    folder = tmp_path / "voice"
    folder.mkdir()
    return TrainingContext(request=request, cleared=gates.clear(request, settings), run=run, folder=folder)


def configured(context: TrainingContext, **parts: dict[str, object]) -> TrainingContext:
    """The context with other values in parts of its configuration."""
    document = context.cleared.config.model_dump()
    for name, values in parts.items():
        document[name] = document[name] | values if isinstance(document[name], dict) else values
    cleared = dataclasses.replace(context.cleared, config=TrainingConfig.model_validate(document))
    return dataclasses.replace(context, cleared=cleared)


def requested(context: TrainingContext, *, force: bool = False, resume: bool = False) -> TrainingContext:
    preparation = dataclasses.replace(context.request.preparation, force=force)
    return dataclasses.replace(
        context, request=dataclasses.replace(context.request, preparation=preparation, resume=resume)
    )


def result(folder: Path, **changes: object) -> TrainingResult:
    model = folder / "fastpitch.nemo"
    model.write_bytes(b"weights")
    return training_result(model, **changes)


def test_the_stages_are_the_trainings_that_take_place(context: TrainingContext) -> None:
    def stages(**parts: dict[str, object]) -> tuple[str, ...]:
        return training.stages(configured(context, **parts).cleared.config)

    assert stages() == ("FastPitch", "HiFi-GAN", "vocoder tuning")
    assert stages(vocoder={"max_steps": 0}) == ("FastPitch", "vocoder tuning")
    assert stages(runtime_vocoder={"max_steps": 0}) == ("FastPitch", "HiFi-GAN")
    assert stages(runtime_vocoder={"base_weights": None}, vocoder={"max_steps": 0}) == ("FastPitch",)


def test_a_run_is_recorded_and_found_again(context: TrainingContext, screen: Screen) -> None:
    started: list[tuple[Path, bool]] = []

    def train(folder: Path, resume: bool, hooks: Hooks) -> TrainingResult:
        started.append((folder, resume))
        assert folder.is_dir()
        assert not hooks.should_stop()
        hooks.note("a note")
        hooks.on_step(StepReport(1, 9, 3.0, 2.0, 0.5, 0.5, 1e-3, 0.1, 100))
        return result(folder)

    def run(context: TrainingContext, key: str = "key") -> TrainingRecord:
        return training._run(context, "acoustic", "FastPitch", key, 9, train)

    record = run(context)
    folder = context.folder / "acoustic"
    assert started == [(folder, False)]
    assert "a note" in screen.notes
    assert record == TrainingRecord(
        key="key",
        nemo="fastpitch.nemo",
        nemo_sha256=files.sha256_bytes(b"weights"),
        steps=3,
        final_loss=1.5,
        average_loss=2.0,
        loss_curve=((1, 3.0, 2.0), (2, 2.0, 1.5), (3, 1.5, 1.0)),
        seconds=0.123,
        seconds_to_first_step=0.1,
        peak_memory_bytes=7,
        weights_sha256="0" * 64,
        learning_rate=1e-3,
    )
    assert TrainingRecord.read(folder / "record.json") == record
    assert list((folder / "tensorboard").glob("events.*")) or not (folder / "tensorboard").exists()

    assert run(requested(context, resume=True)) == record
    assert len(started) == 1
    assert screen.notes[-1].startswith("FastPitch is trained already")
    run(context, "another key")
    run(requested(context, force=True), "another key")
    assert started[1:] == [(folder, False)] * 2
    assert [stage.name for stage in context.run.clock.times] == ["FastPitch"] * 4


def test_a_run_is_continued_if_there_is_a_checkpoint(context: TrainingContext) -> None:
    resumed: list[bool] = []

    def train(folder: Path, resume: bool, hooks: Hooks) -> TrainingResult:
        resumed.append(resume)
        return result(folder)

    folder = context.folder / "acoustic"
    for each in (context, requested(context, resume=True)):
        training._run(each, "acoustic", "FastPitch", f"key {len(resumed)}", 9, train)
    (folder / "fastpitch-0001.checkpoint").write_bytes(b"x")
    training._run(requested(context, resume=True), "acoustic", "FastPitch", "key 2", 9, train)
    (folder / "fastpitch-0001.checkpoint.json").write_text("{}")
    training._run(context, "acoustic", "FastPitch", "key 3", 9, train)
    training._run(requested(context, resume=True), "acoustic", "FastPitch", "key 4", 9, train)
    assert resumed == [False, False, False, False, True]


def test_the_vocoder_gets_the_name_under_which_it_is_bundled(tmp_path: Path) -> None:
    trained = tmp_path / "vocoder/hifigan.nemo"
    trained.parent.mkdir()
    trained.write_bytes(b"vocoder")
    placed = tmp_path / "hifigan.nemo"
    assert training._place_vocoder(tmp_path, trained) == placed
    assert placed.read_bytes() == b"vocoder"
    assert training._place_vocoder(tmp_path, placed) == placed, "it is there already"
    assert placed.read_bytes() == b"vocoder"
    trained.unlink()
    trained.symlink_to(placed)
    assert training._place_vocoder(tmp_path, trained) == placed
    assert placed.read_bytes() == b"vocoder"
    assert training._place_vocoder(tmp_path, None) is None
    assert not placed.exists()
    assert training._place_vocoder(tmp_path, None) is None


def with_base(context: TrainingContext, base: Path | None) -> TrainingContext:
    return dataclasses.replace(context, cleared=dataclasses.replace(context.cleared, runtime_vocoder_base=base))


def test_a_runtime_vocoder_that_is_not_tuned_is_copied(
    context: TrainingContext, prepared: PreparedDataset, tmp_path: Path
) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(b"base")
    untuned = with_base(configured(context, runtime_vocoder={"max_steps": 0}), base)
    placed = context.folder / "istft.safetensors"
    assert training._runtime_vocoder(untuned, prepared, tmp_path / "fastpitch.nemo", "key") == placed
    assert placed.read_bytes() == b"base"
    assert training._runtime_vocoder(context, prepared, tmp_path / "fastpitch.nemo", "key") is None
    assert not placed.exists(), "the graph of a voice without one must not have that of an earlier training"


def test_a_tuned_vocoder_is_found_again_by_its_key(
    context: TrainingContext, prepared: PreparedDataset, screen: Screen, tmp_path: Path
) -> None:
    base = tmp_path / "base.safetensors"
    base.write_bytes(b"base")
    tuned = with_base(context, base)
    settings = context.cleared.config.runtime_vocoder.model_dump()
    key = files.content_key("runtime vocoder", "acoustic key", settings, files.sha256_bytes(b"base"))
    placed = context.folder / "istft.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, placed, metadata={"key": key})
    assert training._runtime_vocoder(tuned, prepared, tmp_path / "fastpitch.nemo", "acoustic key") == placed
    assert screen.notes[-1].startswith("The vocoder is tuned already")


def test_several_processes_are_another_run(context: TrainingContext) -> None:
    counts = {(1, 1): [], (2, 1): [2], (1, 2): [2], (2, 3): [6]}
    for (devices, nodes), count in counts.items():
        changed = configured(context, devices=devices, nodes=nodes)
        assert training._process_count(changed.cleared.config) == count
        assert training._in_processes(changed) == bool(count)
    preparation = dataclasses.replace(context.request.preparation, ray="ray://head:10001")
    request = dataclasses.replace(context.request, preparation=preparation)
    assert training._in_processes(dataclasses.replace(context, request=request))


def test_a_missing_base_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"base")
    assert training._digest(tmp_path / "base") == files.sha256_bytes(b"base")
    assert training._digest(None) is None
