"""A trained voice on disk: the models that the training status names, and the records of their training runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.dataset.prepared import PreparedDataset, load
from voicemill.errors import BlockedError, DatasetError
from voicemill.lane import notation
from voicemill.settings import Settings
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training_status import TrainingStatus, read_training_status

ACOUSTIC = "fastpitch.nemo"
VOCODER = "hifigan.nemo"
RUNTIME_VOCODER = "istft.safetensors"
CONFIG = "config.json"
RECORD = "record.json"
_AGAIN = "Run the training step again."


class TrainingRecord(BaseModel):
    """One finished training run, kept beside its model so that the same run is not repeated.

    Attributes:
        key: content key of settings, data and base: a run with the same key would give the same model.
        nemo_sha256: of the archive; a changed file is no cache hit.
        loss_curve: (step, loss, mel loss) of every step.
        learning_rate: the highest rate, if it was searched.
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
    def read(cls, path: Path) -> TrainingRecord | None:
        """The record at `path`; None if there is none, or it is damaged or of another version."""
        try:
            return cls.model_validate(files.read_json(path))
        except (OSError, files.InvalidJsonError, ValidationError):
            return None

    @classmethod
    def find(cls, path: Path, key: str) -> TrainingRecord | None:
        """The record at `path` if it has this key and its model is unchanged; otherwise the run is repeated."""
        record = cls.read(path)
        if record is None or record.key != key:
            return None
        nemo = path.parent / record.nemo
        return record if nemo.is_file() and files.sha256_file(nemo) == record.nemo_sha256 else None


@dataclass(frozen=True)
class Models:
    """The models of a voice.

    Attributes:
        vocoder: HiFi-GAN; None if there is none.
        vocoder_record: None if the base vocoder was not trained.
        runtime_vocoder: the iSTFT vocoder of the graph; None if the configuration has none.
    """

    acoustic: Path
    acoustic_record: TrainingRecord
    vocoder: Path | None
    vocoder_record: TrainingRecord | None
    runtime_vocoder: Path | None = None


def run_summary(record: TrainingRecord | None) -> str:
    """A training run in a few words."""
    if record is None:
        return "base vocoder as it is"
    loss = "no loss" if record.final_loss is None else f"loss {record.final_loss:.3f}"
    return f"{record.steps} steps in {record.seconds:.0f} s, {loss}"


@dataclass(frozen=True)
class TrainedVoice:
    """What a finished training left.

    Attributes:
        folder: checkpoints of the voice.
        config: as it was used, with the step budgets for the voice's audio.
        dataset: the prepared dataset that the voice was trained on.
        vocoder: HiFi-GAN archive; None if Griffin-Lim is the only vocoder.
        vocoder_record: None if the base vocoder was not trained.
        runtime_vocoder: iSTFT vocoder of the graph; None if there is none.
    """

    status: TrainingStatus
    folder: Path
    config: TrainingConfig
    dataset: PreparedDataset
    acoustic: Path
    acoustic_record: TrainingRecord | None
    vocoder: Path | None
    vocoder_record: TrainingRecord | None
    runtime_vocoder: Path | None = None

    @classmethod
    def read(cls, settings: Settings) -> TrainedVoice:
        """The voice of the training status, with its dataset checked against its digest.

        Raises:
            BlockedError: `bundle_artifact_missing:<path>`, `config_invalid:<name>`.
            DatasetError: `dataset_invalid`.
        """
        status = read_training_status(settings.paths.training_status)
        work = settings.workspace.work
        config_path = work / status.config_path
        acoustic = next((work / path for path in status.artifacts if Path(path).name == ACOUSTIC), None)
        if acoustic is None or not acoustic.is_file() or not config_path.is_file():
            missing = acoustic if acoustic is not None and not acoustic.is_file() else Path(status.config_path)
            raise BlockedError(
                "A file named in the training status is missing.",
                reason=f"bundle_artifact_missing:{notation.shown(missing, settings)}",
                hint=_AGAIN,
            )
        try:
            config = TrainingConfig.model_validate(files.read_json(config_path))
        except (files.InvalidJsonError, ValidationError) as error:
            raise BlockedError(
                f"{config_path} is not a training configuration.",
                reason=f"config_invalid:{config_path.name}",
                hint=_AGAIN,
            ) from error
        folder = config_path.parent
        tuned = bool(status.metrics.model_dump().get("vocoder_steps"))
        vocoder, runtime_vocoder = folder / VOCODER, folder / RUNTIME_VOCODER
        return cls(
            status=status,
            folder=folder,
            config=config,
            dataset=_dataset(work / status.dataset_manifest, status),
            acoustic=acoustic,
            acoustic_record=TrainingRecord.read(acoustic.parent / RECORD),
            vocoder=vocoder if vocoder.is_file() else None,
            vocoder_record=TrainingRecord.read(folder / "vocoder" / RECORD) if tuned else None,
            runtime_vocoder=runtime_vocoder if runtime_vocoder.is_file() else None,
        )


def _dataset(manifest: Path, status: TrainingStatus) -> PreparedDataset:
    dataset = load(manifest.parent)
    if dataset is None or dataset.sha256 != status.dataset_sha256:
        raise DatasetError(
            f"The voice was not trained on the dataset that is now at {status.dataset_manifest}.",
            reason="dataset_invalid",
            hint=_AGAIN,
        )
    return dataset
