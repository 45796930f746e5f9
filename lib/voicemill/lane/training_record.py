"""What a finished training run left, kept beside its model, so that the same run is not trained twice."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.training.checkpoint import TrainingResult


class TrainingRecord(BaseModel):
    """One finished training run.

    Attributes:
        key: content key of settings, data and base: a run with the same key would give the same model.
        nemo_sha256: of the archive; a changed file is no cache hit.
        loss_curve: (step, loss, mel loss) of every step.
        learning_rate: the highest rate, where it was searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    nemo: str
    nemo_sha256: str
    steps: int
    final_loss: float | None
    average_loss: float | None
    loss_curve: tuple[tuple[int, float, float], ...]
    seconds: float
    seconds_to_first_step: float | None
    peak_memory_bytes: int
    weights_sha256: str
    learning_rate: float | None = None

    @classmethod
    def of(cls, key: str, nemo: Path, result: TrainingResult) -> TrainingRecord:
        """The record of a run that saved its model at `nemo`."""
        return cls(
            key=key,
            nemo=nemo.name,
            nemo_sha256=files.sha256_file(nemo),
            steps=result.steps,
            final_loss=result.final_loss,
            average_loss=result.average_loss,
            loss_curve=result.loss_curve,
            seconds=round(result.seconds, 3),
            seconds_to_first_step=result.seconds_to_first_step,
            peak_memory_bytes=result.peak_memory_bytes,
            weights_sha256=result.weights_sha256,
            learning_rate=result.learning_rate,
        )

    def save(self, path: Path) -> None:
        """Write the record atomically."""
        files.write_json(path, self.model_dump(mode="json"))

    @classmethod
    def find(cls, path: Path, key: str) -> TrainingRecord | None:
        """The record at `path` if it has this key and its model is there unchanged."""
        try:
            record = cls.model_validate(files.read_json(path))
        except (OSError, files.InvalidJsonError, ValidationError):
            return None  # no record, or one of another version: the run is done again
        nemo = path.parent / record.nemo
        if record.key != key or not nemo.is_file() or files.sha256_file(nemo) != record.nemo_sha256:
            return None
        return record
