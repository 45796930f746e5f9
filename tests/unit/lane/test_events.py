from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.lane.events import FOLDER, event_log
from voicemill.training.checkpoint import StepReport


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    with event_log(tmp_path) as log:
        for step in (1, 2):
            log(StepReport(step, 2, 3.0 / step, 2.5, 0.25, 0.125, 1e-3, float(step), 100))
    (path,) = (tmp_path / FOLDER).iterdir()
    events = [event for event in EventFileLoader(str(path)).Load() if event.step]
    assert [event.step for event in events] == [1, 2]
    logged = {value.tag: value.tensor.float_val[0] for value in events[1].summary.value}
    assert logged == pytest.approx(
        {
            "loss/total": 1.5,
            "loss/mel": 2.5,
            "loss/duration": 0.25,
            "loss/pitch": 0.125,
            "learning_rate": 1e-3,
        }
    )
