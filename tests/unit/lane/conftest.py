from __future__ import annotations

import dataclasses
from pathlib import Path

from voicemill.training.checkpoint import TrainingResult


def training_result(nemo_path: Path | None, **changes: object) -> TrainingResult:
    """Of a training of three steps."""
    made = TrainingResult(
        nemo_path=nemo_path,
        checkpoint_path=None,
        steps=3,
        final_loss=1.5,
        average_loss=2.0,
        loss_curve=((1, 3.0, 2.0), (2, 2.0, 1.5), (3, 1.5, 1.0)),
        seconds=0.12345,
        seconds_to_first_step=0.1,
        peak_memory_bytes=7,
        peak_gpu_memory_bytes=None,
        weights_sha256="0" * 64,
        learning_rate=1e-3,
        interrupted=False,
    )
    return dataclasses.replace(made, **changes)
