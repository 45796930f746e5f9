"""Two processes on this machine that train together, started by torchrun as a studio's are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from voicemill.errors import TrainingError
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.launch import train
from voicemill.training.train_fastpitch import train_acoustic
from voicemill.training.train_hifigan import VocoderInputs, train_vocoder
from voicemill.training.worker import TrainingJob

from .conftest import tiny_config, write_dataset
from .test_train_hifigan import config as vocoder_config

STEPS = 6


def config(devices: int, batch_size: int, **acoustic: object) -> TrainingConfig:
    """Without dropout: what is random differs from rank to rank."""
    plain = {"dropout": 0, "attention_dropout": 0}
    stack = {"layers": 1, "heads": 1, "head_width": 8, "inner_width": 16} | plain
    predictor = {"width": 8, "dropout": 0}
    small = {"encoder": stack, "decoder": stack, "duration_predictor": predictor, "pitch_predictor": predictor}
    settings = tiny_config(**({"max_steps": STEPS, "batch_size": batch_size} | small | acoustic))
    return settings.model_copy(update={"devices": devices, "checkpoint_interval": 2})


@pytest.fixture(scope="module")
def equal_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of one text and one length, that differ in pitch and sound."""
    import soundfile

    root = write_dataset(tmp_path_factory.mktemp("equal") / "dataset")
    line = json.loads((root / "train.jsonl").read_text().splitlines()[0])
    samples, rate = soundfile.read(root / "clips/c0.wav")
    pitch = np.load(root / "supplementary/c0.npz")["pitch"]
    lines = []
    for number in range(4):
        name = f"e{number}"
        noise = 0.02 * (number + 1) * np.random.default_rng(number).normal(size=len(samples))
        soundfile.write(root / f"clips/{name}.wav", samples + noise, rate, subtype="PCM_16")
        np.savez(root / f"supplementary/{name}.npz", pitch=pitch * (1 + 0.05 * number))
        lines.append(line | {"id": name, "audio_filepath": f"clips/{name}.wav"})
    (root / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    return root


@pytest.fixture(scope="module")
def together(
    equal_clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, list[StepReport], Path]:
    out, steps = tmp_path_factory.mktemp("two"), []
    work = TrainingJob(model="acoustic", config=config(2, 2), dataset=equal_clips, out=out)
    return train(work, Hooks(on_step=steps.append)), steps, out


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(
    together: tuple[TrainingResult, list[StepReport], Path], equal_clips: Path, tmp_path: Path
) -> None:
    alone = train_acoustic(config(1, 4), equal_clips, tmp_path)
    losses = [loss for _, loss, _ in together[0].loss_curve]
    assert losses == pytest.approx([loss for _, loss, _ in alone.loss_curve], rel=1e-4)
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_only_the_first_rank_reports_and_writes(together: tuple[TrainingResult, list[StepReport], Path]) -> None:
    result, steps, out = together
    assert [report.step for report in steps] == list(range(1, STEPS + 1))
    assert result.nemo_path == out / "fastpitch.nemo"
    assert len(list(out.glob("*.nemo"))) == 1
    assert len(list(out.glob("*.checkpoint"))) == 2


@pytest.mark.exhaustive
def test_a_stop_reaches_both_and_both_go_on_as_if_nothing_had_happened(equal_clips: Path, tmp_path: Path) -> None:
    enough = threading.Event()
    settings = config(2, 2, max_steps=60)
    (tmp_path / "whole").mkdir()
    whole = train(TrainingJob(model="acoustic", config=settings, dataset=equal_clips, out=tmp_path / "whole"), Hooks())
    work = TrainingJob(model="acoustic", config=settings, dataset=equal_clips, out=tmp_path)
    stopped = train(work, Hooks(on_step=lambda report: enough.set(), should_stop=enough.is_set))
    assert stopped.interrupted
    assert stopped.nemo_path is None
    assert 0 < stopped.steps < 60
    resumed = train(work.model_copy(update={"resume": True}), Hooks())
    assert resumed.loss_curve == whole.loss_curve
    assert resumed.weights_sha256 == whole.weights_sha256


@pytest.mark.exhaustive
def test_a_loss_that_is_not_finite_on_one_rank_is_skipped_by_both(equal_clips: Path, tmp_path: Path) -> None:
    root = shutil.copytree(equal_clips, tmp_path / "d")
    pitch = np.load(root / "supplementary/e3.npz")["pitch"].copy()
    pitch[pitch > 0] = np.float32(3e38)
    np.savez(root / "supplementary/e3.npz", pitch=pitch)
    notes: list[str] = []
    work = TrainingJob(model="acoustic", config=config(2, 1, max_steps=40), dataset=root, out=tmp_path / "out")
    with pytest.raises(TrainingError) as caught:
        train(work, Hooks(note=notes.append))
    assert caught.value.reason.startswith("non_finite_loss:step=")
    assert 1 <= sum("is skipped" in note for note in notes) <= 4
    assert not list((tmp_path / "out").glob("*.nemo"))


@pytest.mark.exhaustive
def test_a_plateau_measured_by_the_first_rank_ends_both(equal_clips: Path, tmp_path: Path) -> None:
    validation = {"interval": 1, "sentences": 1, "patience": 1, "least_gain": 0.99}
    work = TrainingJob(
        model="acoustic", config=config(2, 2, max_steps=50, validation=validation), dataset=equal_clips, out=tmp_path
    )
    notes: list[str] = []
    result = train(work, Hooks(note=notes.append))
    assert result.steps < 50
    assert result.nemo_path is not None
    assert sum("training ends here" in note for note in notes) == 1


@pytest.mark.exhaustive
def test_two_processes_train_a_vocoder_as_one_with_twice_the_batch(equal_clips: Path, tmp_path: Path) -> None:
    curves = []
    for devices, batch in ((2, 1), (1, 2)):
        settings = vocoder_config(batch_size=batch).model_copy(update={"devices": devices})
        out = tmp_path / str(devices)
        out.mkdir()
        if devices == 2:
            result = train(TrainingJob(model="vocoder", config=settings, dataset=equal_clips, out=out), Hooks())
            assert result.nemo_path == out / "hifigan.nemo"
        else:
            result = train_vocoder(settings, equal_clips, out, VocoderInputs())
        curves.append([loss for _, loss, _ in result.loss_curve])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_others(equal_clips: Path, tmp_path: Path) -> None:
    def kill_one(report: StepReport) -> None:
        if report.step == 2:
            for process in Path("/proc").iterdir():
                if not process.name.isdigit():
                    continue
                try:
                    command_line = (process / "cmdline").read_bytes()
                    rank = (process / "environ").read_bytes()
                except OSError:
                    continue
                if str(tmp_path).encode() in command_line and b"\0RANK=1\0" in b"\0" + rank:
                    os.kill(int(process.name), signal.SIGKILL)

    work = TrainingJob(model="acoustic", config=config(2, 2, max_steps=5000), dataset=equal_clips, out=tmp_path)
    with pytest.raises(TrainingError) as caught:
        train(work, Hooks(on_step=kill_one))
    assert caught.value.reason in ("rank_lost", "rank_died:exit_code=1")
    assert not list(tmp_path.glob("*.nemo"))
