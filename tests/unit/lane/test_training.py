from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from voicemill.boundary import Interrupts
from voicemill.dataset.stage_clock import StageClock
from voicemill.errors import TrainingError
from voicemill.lane import training
from voicemill.lane.reporter import LaneReporter
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks

from .conftest import training_result


def test_a_training_that_ends_without_a_model_is_no_success(tmp_path: Path) -> None:
    reporter = LaneReporter(Protocol(io.StringIO()), None, SilentObserver())
    context = SimpleNamespace(
        folder=tmp_path,
        request=SimpleNamespace(preparation=SimpleNamespace(force=False, ray=None), resume=False),
        cleared=SimpleNamespace(config=TrainingConfig(preset="one process")),
        run=SimpleNamespace(reporter=reporter, interrupts=Interrupts(), clock=StageClock(reporter, list)),
    )

    def train(folder: Path, resume: bool, hooks: Hooks) -> TrainingResult:
        return training_result(None, checkpoint_path=folder / "fastpitch-0001.checkpoint", interrupted=True)

    with pytest.raises(TrainingError) as caught:
        training._run(context, "acoustic", "FastPitch", "key", 9, train)  # type: ignore[arg-type]
    assert caught.value.reason == "training_incomplete"
    assert not (tmp_path / "acoustic/record.json").exists()
