from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.evaluation.model import Figure, SpeakerResult, dry_run_evaluation, write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus, write_training_status
from voicemill.weights.allowlist import SHIPPED


def _rate(value: float) -> Figure:
    return Figure(value=value, unit="ratio", method="of a test", library="none", version="1", samples=1)


@pytest.fixture
def certifiable(tmp_path: Path, model: bytes) -> Callable[..., Path]:
    """Promote a small voice whose evaluation says what the test says; returns the promoted folder."""

    def publish(profile: str, *, cer: float = 0.12, cer_real: float = 0.11, own: float = 0.1) -> Path:
        base = tmp_path / f"make-{profile}"
        base.mkdir()
        (base / "fastpitch.nemo").write_bytes(model)
        (base / "sample.wav").write_bytes(b"RIFF....WAVE")
        evaluation = dry_run_evaluation(source_status="ok", final_loss=0.5).model_copy(
            update={
                "dry_run": False,
                "figures": {
                    "cer": _rate(cer),
                    "cer_real": _rate(cer_real),
                    "cer_ratio": _rate(cer / cer_real),
                    "mcd": _rate(2.5),
                },
                "speakers": [
                    SpeakerResult(name="own", own=True, distance=own),
                    SpeakerResult(name="other", own=False, distance=1.0),
                ],
            }
        )
        write_evaluation(base / "eval.json", evaluation)
        write_training_status(
            base / "status.json",
            TrainingStatus(
                objective_status="ready_for_bundle",
                status="ok",
                selected_weights_id="voicemill/from-scratch",
                vocoder="griffin-lim",
                config_sha256="a" * 64,
                dataset_sha256="b" * 64,
                commit="c" * 40,
                artifacts=("fastpitch.nemo", "sample.wav"),
            ),
        )
        allowlist = REPOSITORY / SHIPPED
        built = build_bundle(base / "status.json", base / "eval.json", base / "built", allowlist=allowlist, base=base)
        return promote(
            built.manifest_path, tmp_path / "bundles", profile, profile.title(), allowlist=allowlist, base=base
        ).root

    return publish
