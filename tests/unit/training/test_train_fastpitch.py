"""Acoustic training for real: a tiny FastPitch on tones."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from voicemill.errors import DatasetError, TrainingError
from voicemill.training.batches import BatchPlan
from voicemill.training.checkpoint import StepReport, TrainingResult
from voicemill.training.config import OptimiserConfig
from voicemill.training.data import read_dataset
from voicemill.training.hooks import Hooks
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import tiny_config

pytestmark = pytest.mark.slow  # trains small models, with NeMo


@pytest.fixture(scope="module")
def trained(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, list[StepReport]]:
    steps: list[StepReport] = []
    result = train_acoustic(
        tiny_config(), tone_dataset, tmp_path_factory.mktemp("run"), hooks=Hooks(on_step=steps.append)
    )
    return result, steps


def test_trains_saves_and_reports(trained: tuple[TrainingResult, list[StepReport]]) -> None:
    result, steps = trained
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert result.steps == 6
    assert not result.interrupted
    assert result.nemo_path is not None
    assert result.nemo_path.is_file()
    assert [point[1] for point in result.loss_curve] == [step.loss for step in steps]
    assert result.final_loss == steps[-1].loss
    assert result.seconds_to_first_step is not None
    assert 0 < result.seconds_to_first_step < result.seconds
    assert result.peak_memory_bytes > 50e6
    assert not list(result.nemo_path.parent.glob(".*")), "no temporary file is left"


def test_the_loss_falls(tone_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config(max_steps=40, optimiser={"learning_rate": 5e-3, "warmup_steps": 2})
    result = train_acoustic(config, tone_dataset, tmp_path)
    assert result.average_loss is not None
    assert result.average_loss < 0.8 * result.loss_curve[0][1]


def test_output_bias_starts_at_the_mean_log_mel(tone_dataset: Path, tmp_path: Path) -> None:
    first = [
        train_acoustic(tiny_config(max_steps=1, bias_from_data=bias), tone_dataset, tmp_path / str(bias)).loss_curve[0][
            2
        ]
        for bias in (True, False)
    ]
    assert first[0] < 0.3 * first[1]


def test_same_seed_same_weights(
    trained: tuple[TrainingResult, list[StepReport]], tone_dataset: Path, tmp_path: Path
) -> None:
    again = train_acoustic(tiny_config(), tone_dataset, tmp_path / "again")
    other = train_acoustic(tiny_config().model_copy(update={"seed": 4}), tone_dataset, tmp_path / "other")
    assert again.weights_sha256 == trained[0].weights_sha256
    assert again.loss_curve == trained[0].loss_curve
    assert other.weights_sha256 != again.weights_sha256


@pytest.mark.parametrize("settings", [{}, {"average_decay": 0.9}, {"adversarial": True}])
def test_an_interrupted_run_resumes_as_if_nothing_had_happened(
    tone_dataset: Path, tmp_path: Path, settings: dict[str, float]
) -> None:
    config = tiny_config(**settings)
    whole = train_acoustic(config, tone_dataset, tmp_path / "whole")
    seen: list[int] = []
    stopped = train_acoustic(
        config,
        tone_dataset,
        tmp_path / "cut",
        hooks=Hooks(on_step=lambda step: seen.append(step.step), should_stop=lambda: seen[-1] == 3),
    )
    assert stopped.interrupted
    assert stopped.nemo_path is None
    assert stopped.steps == 3
    resumed = train_acoustic(config, tone_dataset, tmp_path / "cut", resume=True)
    assert resumed.loss_curve == whole.loss_curve
    assert resumed.weights_sha256 == whole.weights_sha256
    finished = train_acoustic(config, tone_dataset, tmp_path / "cut", resume=True)
    assert finished.weights_sha256 == whole.weights_sha256
    assert finished.seconds_to_first_step is None


def test_our_sigterm_handler_stays(tone_dataset: Path, tmp_path: Path) -> None:
    """Lightning would end the run on SIGTERM with neither checkpoint nor error."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    try:
        result = train_acoustic(
            tiny_config(),
            tone_dataset,
            tmp_path,
            hooks=Hooks(
                on_step=lambda step: os.kill(os.getpid(), signal.SIGTERM) if step.step == 2 else None,
                should_stop=lambda: bool(received),
            ),
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
    assert result.interrupted
    assert result.steps == 2
    assert result.checkpoint_path is not None
    assert result.checkpoint_path.is_file()


def test_nothing_to_resume(tone_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train_acoustic(tiny_config(), tone_dataset, tmp_path, resume=True)
    assert caught.value.reason == "no_checkpoint"


def test_a_checkpoint_of_other_settings_or_a_broken_one_is_refused(
    trained: tuple[TrainingResult, list[StepReport]], tone_dataset: Path, tmp_path: Path
) -> None:
    checkpoint = trained[0].checkpoint_path
    if checkpoint is None:
        pytest.fail("a run that took steps has a checkpoint")
    for name in (checkpoint.name, f"{checkpoint.name}.json"):
        shutil.copy(checkpoint.with_name(name), tmp_path)
    with pytest.raises(TrainingError) as caught:
        train_acoustic(tiny_config(batch_size=3), tone_dataset, tmp_path, resume=True)
    assert caught.value.reason == "checkpoint_mismatch"
    (tmp_path / checkpoint.name).write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(TrainingError) as caught:
        train_acoustic(tiny_config(), tone_dataset, tmp_path, resume=True)
    assert caught.value.code == "checkpoint_unreadable"


def test_alignment_that_does_not_fit_is_found_before_training(tone_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    lines = [json.loads(line) for line in (root / "train.jsonl").read_text().splitlines()]
    lines[3]["alignment"].pop()
    (root / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DatasetError) as caught:
        train_acoustic(tiny_config(), root, tmp_path / "out")
    assert caught.value.reason == "alignment_mismatch:c3"


@pytest.mark.parametrize("mode", ["forced_prior", "beta_binomial"])
def test_nemo_s_aligner_trains_too(tone_dataset: Path, tmp_path: Path, mode: str) -> None:
    result = train_acoustic(tiny_config(alignment=mode, max_steps=2), tone_dataset, tmp_path)
    assert result.final_loss is not None
    assert np.isfinite(result.final_loss)


def test_stdout_belongs_to_the_protocol(tone_dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train_acoustic(tiny_config(max_steps=1), tone_dataset, tmp_path)
    assert capfd.readouterr().out == ""


def test_learning_rates() -> None:
    from voicemill.training.fastpitch_module import learning_rate

    base = OptimiserConfig(learning_rate=1e-3, warmup_steps=10, final_ratio=0.1)
    rates = [learning_rate(base, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)
    assert learning_rate(base.model_copy(update={"schedule": "constant"}), 99, 100) == 1e-3
    assert learning_rate(base.model_copy(update={"schedule": "linear"}), 99, 100) == pytest.approx(1e-4)
    noam = base.model_copy(update={"schedule": "noam", "warmup_steps": 1000})
    assert max(learning_rate(noam, step, 10_000) for step in range(5000)) == pytest.approx(3.16e-5, rel=0.01)


def test_results_are_frozen(trained: tuple[TrainingResult, list[StepReport]]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        trained[0].steps = 1  # type: ignore[misc]


def poisoned(tone_dataset: Path, target: Path, clips: list[str]) -> Path:
    """The dataset with an infinite pitch in some of its clips."""
    root = shutil.copytree(tone_dataset, target)
    for clip in clips:
        path = root / "supplementary" / f"{clip}.npz"
        np.savez(path, pitch=np.full(len(np.load(path)["pitch"]), np.inf, dtype=np.float32))
    return root


@pytest.mark.parametrize("adversarial", [False, True])
def test_a_non_finite_batch_is_skipped_and_halves_the_rate(
    tone_dataset: Path, tmp_path: Path, adversarial: bool
) -> None:
    root = poisoned(tone_dataset, tmp_path / "d", ["c1"])
    optimiser = {"schedule": "constant", "warmup_steps": 0, "learning_rate": 1e-3}
    config = tiny_config(max_steps=5, optimiser=optimiser, adversarial=adversarial)
    plan = BatchPlan([clip.seconds for clip in read_dataset(root).train], 2, config.seed, bucket=True)
    bad = [step + 1 for step in range(5) if 1 in plan.batch(step)]
    assert bad
    assert 5 not in bad
    steps: list[StepReport] = []
    notes: list[str] = []
    whole = train_acoustic(config, root, tmp_path / "whole", hooks=Hooks(on_step=steps.append, note=notes.append))
    assert [step.step for step in steps] == [step for step in range(1, 6) if step not in bad]
    assert [step for step, _, _ in whole.loss_curve] == [step.step for step in steps]
    for step in steps:
        assert step.learning_rate == 1e-3 * 0.5 ** sum(each < step.step for each in bad)
    assert [note.split()[2] for note in notes] == [str(step) for step in bad]
    assert whole.final_loss is not None
    assert np.isfinite(whole.final_loss)
    cut = Hooks(should_stop=lambda: (tmp_path / "cut").exists())
    train_acoustic(config, root, tmp_path / "cut", hooks=cut)
    rest = train_acoustic(config, root, tmp_path / "cut", resume=True)
    assert rest.loss_curve == whole.loss_curve
    assert rest.weights_sha256 == whole.weights_sha256


def test_weights_never_change_in_a_non_finite_step(tone_dataset: Path, tmp_path: Path) -> None:
    root = poisoned(tone_dataset, tmp_path / "d", [f"c{number}" for number in range(5)])
    config = tiny_config().model_copy(update={"checkpoint_interval": 1})
    with pytest.raises(TrainingError) as caught:
        train_acoustic(config, root, tmp_path / "out")
    assert (caught.value.reason, caught.value.exit_code) == ("non_finite_loss:step=5", 2)
    assert not (tmp_path / "out/fastpitch.nemo").exists()
    first, last = (
        torch.load(path, weights_only=True)["model"] for path in sorted((tmp_path / "out").glob("*.checkpoint"))
    )
    assert all(torch.equal(first[name], last[name]) and last[name].isfinite().all() for name in last)


def test_a_run_whose_last_step_is_not_finite_is_never_completed(tone_dataset: Path, tmp_path: Path) -> None:
    root = poisoned(tone_dataset, tmp_path / "d", [f"c{number}" for number in range(5)])
    with pytest.raises(TrainingError) as caught:
        train_acoustic(tiny_config(max_steps=1), root, tmp_path / "out")
    assert caught.value.reason == "non_finite_loss:step=1"


def test_a_rate_that_overflows_ends_the_run(tone_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config(max_steps=20, optimiser={"learning_rate": 1e30, "warmup_steps": 0})
    with pytest.raises(TrainingError) as caught:
        train_acoustic(config, tone_dataset, tmp_path)
    assert caught.value.code == "non_finite_loss"
    assert not (tmp_path / "fastpitch.nemo").exists()


def test_a_signal_before_the_first_step_stops_at_once(tone_dataset: Path, tmp_path: Path) -> None:
    """Steps are what a signal waits for, and the examples come before them."""
    entered: list[str] = []

    @contextlib.contextmanager
    def taking_steps() -> Iterator[None]:
        entered.append("steps")
        yield
        entered.append("done")

    steps = Hooks(taking_steps=taking_steps, on_step=lambda step: entered.append("step"))
    train_acoustic(tiny_config(max_steps=1), tone_dataset, tmp_path, hooks=steps)
    assert entered == ["steps", "step", "done"]
