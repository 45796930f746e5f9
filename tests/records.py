"""What a training leaves on the disk, as small as tests can have it."""

from __future__ import annotations

from voicemill.evaluation.model import Evaluation, Figure, SpeakerResult, dry_run_evaluation
from voicemill.training_status import TrainingStatus


def finished(**changes: object) -> TrainingStatus:
    """The status of a training from scratch that ended well."""
    values: dict[str, object] = {
        "objective_status": "ready_for_bundle",
        "status": "ok",
        "selected_weights_id": "voicemill/from-scratch",
        "config_sha256": "a" * 64,
        "dataset_sha256": "b" * 64,
        "commit": "c" * 40,
    }
    return TrainingStatus.model_validate(values | changes)


def measured(
    *,
    cer: float = 0.12,
    cer_real: float = 0.11,
    own: float = 0.1,
    likeness: float | None = 0.97,
    pitch_shift: float = 40.0,
) -> Evaluation:
    """An evaluation whose figures the test gives: character error rates, distance and likeness to the own speaker."""

    def rate(value: float) -> Figure:
        return Figure(value=value, unit="ratio", method="of a test", library="none", version="1", samples=1)

    missing = rate(0.0).model_copy(update={"value": None, "not_measured": "There is no judge."})
    return dry_run_evaluation(source_status="ok", final_loss=0.5).model_copy(
        update={
            "dry_run": False,
            "figures": {
                "cer": rate(cer),
                "cer_real": rate(cer_real),
                "cer_ratio": rate(cer / cer_real),
                "mcd": rate(2.5),
                "median_f0_shift": rate(pitch_shift),
                "speaker_confusion": rate(0.0),
                "speaker_similarity_ratio": rate(likeness) if likeness is not None else missing,
            },
            "speakers": [
                SpeakerResult(name="own", own=True, distance=own),
                SpeakerResult(name="other", own=False, distance=1.0),
            ],
        }
    )
