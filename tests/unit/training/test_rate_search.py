"""The learning-rate finder: a real range test of a tiny FastPitch, and the run that goes on from it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from voicemill.errors import TrainingError
from voicemill.training import rate_search
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.memory import MemoryEstimate
from voicemill.training.rate_search import BOUNDS, LEAST, MOST, STEPS, RateSearch
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import tiny_config

FIND = {"warmup_steps": 2, "find_learning_rate": True}
NOTHING = MemoryEstimate(weights=0, batch=0, clips=1)
DROPOUT = {"layers": 1, "heads": 1, "head_width": 8, "inner_width": 16, "dropout": 0.2}


def finding(**acoustic: object) -> TrainingConfig:
    return tiny_config(**{"optimiser": FIND, "decoder": DROPOUT} | acoustic)


@pytest.fixture(scope="module")
def searched(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingResult, list[str]]:
    folder, notes = tmp_path_factory.mktemp("searched"), []
    return folder, train_acoustic(finding(), tone_dataset, folder, hooks=Hooks(note=notes.append)), notes


@pytest.mark.slow
def test_it_finds_and_reports_a_rate_and_keeps_its_curve(searched: tuple[Path, TrainingResult, list[str]]) -> None:
    folder, result, notes = searched
    kept = RateSearch.model_validate_json((folder / rate_search.NAME).read_bytes())
    assert kept.learning_rate == result.learning_rate
    assert kept.suggestion is not None
    assert BOUNDS[0] <= kept.learning_rate <= BOUNDS[1]
    rates, losses = zip(*kept.curve, strict=True)
    assert 20 < len(rates) <= STEPS
    assert rates[0] == pytest.approx(LEAST)
    assert list(rates) == sorted(rates)
    assert rates[-1] <= MOST * 1.01
    assert all(math.isfinite(loss) for loss in losses)
    assert min(losses[20:]) < 0.9 * max(losses), "the loss falls in between"
    assert rate_search.read(folder / rate_search.NAME) == kept
    assert notes[0] == "The learning rate is searched with 100 steps before the training."
    assert notes[1] == kept.sentence
    assert not list(folder.glob(".*")), "Lightning's own checkpoint is deleted"


@pytest.mark.slow
def test_the_run_is_that_of_the_same_rate_given(
    searched: tuple[Path, TrainingResult, list[str]], tone_dataset: Path, tmp_path: Path
) -> None:
    """With dropout: neither weights nor random numbers remember the search."""
    _, result, _ = searched
    assert result.learning_rate is not None
    named = finding(optimiser={"warmup_steps": 2, "learning_rate": result.learning_rate})
    given = train_acoustic(named, tone_dataset, tmp_path)
    assert given.learning_rate is None
    assert given.loss_curve == result.loss_curve
    assert given.weights_sha256 == result.weights_sha256


@pytest.mark.slow
def test_a_resumed_run_does_not_search_again(
    searched: tuple[Path, TrainingResult, list[str]], tone_dataset: Path, tmp_path: Path
) -> None:
    _, whole, _ = searched
    stop = Hooks(should_stop=lambda: True)
    train_acoustic(finding(), tone_dataset, tmp_path, hooks=stop)
    path, notes = tmp_path / rate_search.NAME, []
    before = path.stat().st_mtime_ns
    resumed = train_acoustic(finding(), tone_dataset, tmp_path, resume=True, hooks=Hooks(note=notes.append))
    assert path.stat().st_mtime_ns == before
    assert not any("searched" in note for note in notes)
    assert resumed.loss_curve == whole.loss_curve
    assert resumed.weights_sha256 == whole.weights_sha256


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "broken", "of another run"])
def test_a_lost_search_is_repeated(
    searched: tuple[Path, TrainingResult, list[str]], tone_dataset: Path, tmp_path: Path, damage: str
) -> None:
    """The search starts from the run's first weights, not from the checkpoint."""
    _, whole, _ = searched
    train_acoustic(finding(), tone_dataset, tmp_path, hooks=Hooks(should_stop=lambda: True))
    path = tmp_path / rate_search.NAME
    if damage == "missing":
        path.unlink()
    elif damage == "broken":
        path.write_text("{")
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"belongs_to": "other", "learning_rate": 1.0}))
    resumed = train_acoustic(finding(), tone_dataset, tmp_path, resume=True)
    assert resumed.learning_rate == whole.learning_rate
    assert resumed.loss_curve == whole.loss_curve


@pytest.mark.slow
def test_micro_batches_give_the_same_search(tone_dataset: Path, tmp_path: Path) -> None:
    """The gradients of micro-batches add up to the batch's, except for a little padding: the curves agree."""
    from voicemill.training import train_fastpitch
    from voicemill.training.data import read_dataset
    from voicemill.training.examples import ExampleSource
    from voicemill.training.runtime import nemo_runtime, seeded
    from voicemill.training.store import CheckpointStore
    from voicemill.training.train_fastpitch import fingerprint

    config, dataset, curves = tiny_config(optimiser=FIND, bucket=False), read_dataset(tone_dataset), []
    for count in (1, 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        store = CheckpointStore(folder, "fastpitch", fingerprint(config, dataset, None))
        with nemo_runtime(), seeded(1, 1):
            from voicemill.training.fastpitch_module import AcousticModule, StepBatches

            model, _ = train_fastpitch.prepare_model(config, dataset, folder, None)
            source = ExampleSource(model, dataset.train, dataset.pitch_statistics, config.audio, "durations", True)
            module = AcousticModule(model, config.acoustic, seed=1)
            module.micro_batches = count
            before = {name: value.clone() for name, value in model.state_dict().items()}
            torch.manual_seed(9)
            expected = torch.get_rng_state()
            batches = StepBatches(source, train_fastpitch._plan(config, source), range(STEPS))
            curves.append(rate_search.search(config, module, NOTHING, batches, store).curve)
        assert torch.equal(torch.get_rng_state(), expected)
        for name, value in model.state_dict().items():
            assert torch.equal(value, before[name]), name
    for (rate, whole), (same, split) in zip(*(curve[:60] for curve in curves), strict=True):
        assert rate == same
        assert split == pytest.approx(whole, rel=0.02)


@pytest.mark.slow
def test_memory_that_runs_out_is_an_error_and_leaves_no_file(
    tone_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voicemill.training.runtime import nemo_runtime

    with nemo_runtime():
        from voicemill.training.fastpitch_module import AcousticModule

    def losses(*_: object) -> None:
        torch.empty(2**60)

    monkeypatch.setattr(AcousticModule, "losses", losses)
    with pytest.raises(TrainingError) as caught:
        train_acoustic(finding(), tone_dataset, tmp_path)
    assert caught.value.reason == "out_of_memory"
    assert "--find-learning-rate" in caught.value.hint
    assert not list(tmp_path.glob(".*")) + list(tmp_path.glob("*.json"))


def test_where_it_cannot_be_searched() -> None:
    with pytest.raises(ValidationError, match="one process: devices and nodes have to be 1"):
        TrainingConfig.model_validate(finding().model_dump() | {"devices": 2})
    with pytest.raises(ValidationError, match="noam"):
        finding(optimiser=FIND | {"schedule": "noam"})


def test_its_sentence() -> None:
    def sentence(suggestion: float | None, taken: float) -> str:
        curve = ((1e-6, 3.0), (1e-1, 9.0))
        return RateSearch(belongs_to="", suggestion=suggestion, learning_rate=taken, curve=curve).sentence

    assert sentence(2e-4, 2e-4) == (
        "The learning-rate finder suggests 2.00e-04 (2 rates from 1e-06 to 1e-01 tried); the run takes it."
    )
    assert "the run takes 5.00e-03, the nearest of 1e-05 to 5e-03" in sentence(2e-2, 5e-3)
    assert "found no rate; the run keeps 1.00e-03" in sentence(None, 1e-3)
