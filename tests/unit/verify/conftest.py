"""A promoted bundle with real (tiny) model archives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus, write_training_status
from voicemill.weights.allowlist import SHIPPED


@dataclass
class Voice:
    """A voice that can be bundled again after a change of its status or files."""

    root: Path
    status: TrainingStatus
    shipped: Path = REPOSITORY / SHIPPED

    def publish(self, **changes: object) -> Path:
        """Build and promote; returns the promoted folder."""
        self.status = self.status.model_copy(update=changes)
        write_training_status(self.root / "status.json", self.status)
        built = build_bundle(
            self.root / "status.json",
            self.root / "eval.json",
            self.root / "built",
            allowlist=self.shipped,
            base=self.root,
        )
        return promote(
            built.manifest_path,
            self.root / "bundles",
            "anna",
            "Anna",
            allowlist=self.shipped,
            base=self.root,
            created_at=datetime(2026, 2, 24, tzinfo=UTC),
        ).root


@pytest.fixture
def voice(tmp_path: Path, model: bytes) -> Voice:
    for name in ("fastpitch.nemo", "hifigan.nemo"):
        (tmp_path / name).write_bytes(model)
    (tmp_path / "sample.wav").write_bytes(b"RIFF....WAVE")
    (tmp_path / "eval.json").write_text(json.dumps({"status": "ok"}))
    return Voice(
        tmp_path,
        TrainingStatus(
            objective_status="ready_for_bundle",
            status="ok",
            selected_weights_id="voicemill/from-scratch",
            vocoder_weights_id="voicemill/base-en-small-hifigan",
            config_sha256="a" * 64,
            dataset_sha256="b" * 64,
            commit="c" * 40,
            artifacts=("fastpitch.nemo", "hifigan.nemo", "sample.wav"),
        ),
    )
