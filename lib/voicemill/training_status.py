"""The training status `artifacts/prod_tts_train_status.json` (formats contract, section 2).

The training writes it, the evaluation completes it, and the bundle step reads it. Statuses of other producers are
accepted: unknown fields are ignored, and a digest that is absent or not a string is `missing`, which cannot be bundled.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from voicemill import files
from voicemill.errors import BundleError

LANE = "prod_tts_nemo"
MISSING = "missing"
"""The value of a digest that could not be computed."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(value: str) -> bool:
    """True for a sha256 as 64 lower-case hex digits."""
    return _DIGEST.fullmatch(value) is not None


def _digest_or_missing(value: object) -> object:
    return value if isinstance(value, str) and value else MISSING


DigestOrMissing = Annotated[str, BeforeValidator(_digest_or_missing)]


class RecordedWeights(BaseModel):
    """An allowlist entry as the run recorded it; further fields of the entry are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
    id: str = ""
    weights_license: str | None = None
    code_license: str | None = None
    license_url: str | None = None
    attribution: str | None = None


class Ancestor(BaseModel):
    """The earlier voice that a training started from.

    Attributes:
        voice: its profile id.
        file: name of its acoustic model in its bundle, with the digest in `sha256`.
        notice: its `ATTRIBUTION.txt`, which is inherited.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    voice: str
    file: str
    sha256: str
    notice: str = ""


class TrainingMetrics(BaseModel):
    """Measured figures of the training; `None` if not measured. Further figures may be added by name."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    final_loss: float | None = None
    avg_loss: float | None = None
    steps: int | None = None


class SkippedExample(BaseModel):
    """A manifest entry that was not used, with the reason."""

    model_config = ConfigDict(frozen=True)
    entry: str
    reason: str


class DatasetStats(BaseModel):
    """Counts of the dataset's entries, and the skipped ones with their reasons."""

    model_config = ConfigDict(frozen=True, extra="allow")
    entry_count: int = 0
    used_examples: int = 0
    skipped: tuple[SkippedExample, ...] = ()


class TrainingStatus(BaseModel):
    """The training status.

    Attributes:
        artifacts: files for the bundle (models, sample), relative to the work directory.
        weights_used: ids of further allowlist entries that the run loaded (voice activity, aligner, lexicon); the
            bundle includes their attribution.
        vocoder: `hifigan`, or `griffin-lim` if the voice ships without a neural vocoder.
        allowlist_path: the allowlist of this run, with its digest in `allowlist_sha256`.
        demo_recording: the voice was trained on the demo recording; the bundle includes its notice.
        init_from: the earlier voice that the training started from; `selected_weights` are the weights of that voice.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
    lane: str = LANE
    objective_status: Literal["ready_for_bundle", "blocked"]
    status: Literal["ok", "blocked"]
    root_cause: str = "none"
    dry_run: bool = False
    gpu_available: bool = False
    status_json: str = ""
    selected_weights_id: str = ""
    selected_weights: RecordedWeights | None = None
    vocoder_weights_id: str | None = None
    vocoder_weights: RecordedWeights | None = None
    weights_used: tuple[str, ...] = ()
    vocoder: Literal["hifigan", "griffin-lim"] = "hifigan"
    allowlist_path: str = ""
    allowlist_sha256: DigestOrMissing = MISSING
    config_path: str = ""
    config_sha256: DigestOrMissing = MISSING
    dataset_manifest: str = ""
    dataset_sha256: DigestOrMissing = MISSING
    metrics: TrainingMetrics = TrainingMetrics()
    dataset_stats: DatasetStats = DatasetStats()
    artifacts: tuple[str, ...] = ()
    train_note: str = ""
    commit: str = "unknown"
    seed: int | None = None
    started_at: str | None = None
    ended_at: str | None = None
    versions: dict[str, str | None] = Field(default_factory=dict)
    device: str = ""
    peak_memory_bytes: int | None = None
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    demo_recording: bool = False
    init_from: Ancestor | None = None

    @property
    def bundleable(self) -> bool:
        """The training ended well and every digest is known."""
        return (
            self.objective_status == "ready_for_bundle"
            and self.status == "ok"
            and is_digest(self.config_sha256)
            and is_digest(self.dataset_sha256)
        )


def write_training_status(path: Path, status: TrainingStatus) -> None:
    """Write `status` atomically in the contract's JSON form."""
    files.write_json(path, status.model_dump(mode="json"))


def read_training_status(path: Path) -> TrainingStatus:
    """Read a training status strictly.

    Raises:
        BundleError: reason `missing_train_status`, or `train_status_invalid:<why>`.
    """
    hint = "Run the training step first; it always writes this file."
    if not path.is_file():
        raise BundleError(f"There is no training status at {path}.", reason="missing_train_status", hint=hint)
    try:
        return TrainingStatus.model_validate(files.read_json(path))
    except files.InvalidJsonError as error:
        raise BundleError(
            f"The training status {path} is not acceptable JSON: {error}.",
            reason="train_status_invalid:json",
            hint=hint,
        ) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "top level"
        raise BundleError(
            f"The training status {path} is wrong at {where}: {error.errors()[0]['msg']}.",
            reason=f"train_status_invalid:{where}",
            hint=hint,
        ) from error
