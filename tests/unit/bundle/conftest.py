"""A finished training on disk, small enough to bundle in milliseconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.records import finished

from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus, write_training_status
from voicemill.weights.allowlist import SHIPPED


@dataclass
class Training:
    """Paths of a training's results; `build` bundles them."""

    root: Path
    status: TrainingStatus
    allowlist: Path = REPOSITORY / SHIPPED

    @property
    def status_path(self) -> Path:
        return self.root / "artifacts/prod_tts_train_status.json"

    @property
    def eval_path(self) -> Path:
        return self.root / "artifacts/prod_tts_eval.json"

    @property
    def out(self) -> Path:
        return self.root / "checkpoints/prod_tts_voice_bundle"

    def change(self, **changes: object) -> None:
        self.status = self.status.model_copy(update=changes)
        write_training_status(self.status_path, self.status)

    def build(self, **options: object):
        from voicemill.bundle.build import build_bundle

        return build_bundle(
            self.status_path, self.eval_path, self.out, allowlist=self.allowlist, base=self.root, **options
        )

    def promote(self, **options: object):
        from datetime import UTC, datetime

        from voicemill.bundle.promote import promote

        given = {
            "allowlist": self.allowlist,
            "base": self.root,
            "created_at": datetime(2026, 2, 24, tzinfo=UTC),
        } | options
        profile, name = given.pop("profile", "anna"), given.pop("display_name", "Anna")
        return promote(self.out / "manifest.json", self.root / "bundles", profile, name, **given)


@pytest.fixture
def training(tmp_path: Path) -> Training:
    models = tmp_path / "checkpoints/prod_tts"
    models.mkdir(parents=True)
    (models / "fastpitch.nemo").write_bytes(b"fastpitch" * 1000)
    (models / "hifigan.nemo").write_bytes(b"hifigan" * 500)
    (models / "sample.wav").write_bytes(b"RIFF....WAVE")
    status = finished(
        vocoder_weights_id="voicemill/base-en-small-hifigan",
        weights_used=("cmusphinx/pocketsphinx-en-us",),
        artifacts=tuple(f"checkpoints/prod_tts/{name}" for name in ("fastpitch.nemo", "hifigan.nemo", "sample.wav")),
    )
    result = Training(tmp_path, status)
    result.change()
    result.eval_path.write_text(json.dumps({"status": "ok"}))
    return result
