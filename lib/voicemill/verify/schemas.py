"""JSON Schemas (draft 2020-12) of the formats, generated from the same models that read and write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from voicemill import files
from voicemill.bundle.manifest import ProductionManifest, PromotedManifest
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.lanefile import LaneDataset
from voicemill.dataset.manifest import ManifestEntry
from voicemill.evaluation.model import Evaluation
from voicemill.protocol import LaneStatus
from voicemill.training_status import TrainingStatus
from voicemill.verify.certificate import VoiceCertificate
from voicemill.voices.record import VoiceRecord
from voicemill.weights.allowlist import Allowlist
from voicemill.weights.manifest import WeightsManifest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path("configs/voice/schemas")
Models = Mapping[Path, type[BaseModel] | type[LaneStatus]]
MODELS: Models = {
    Path("configs/voice/weights-manifest.schema.json"): WeightsManifest,
    FOLDER / "train-status.schema.json": LaneStatus,
    FOLDER / "prod-tts-train-status.schema.json": TrainingStatus,
    FOLDER / "dataset-manifest-line.schema.json": ManifestEntry,
    FOLDER / "dataset-manifest.schema.json": LaneDataset,
    FOLDER / "voice.schema.json": VoiceRecord,
    FOLDER / "dataset-edits-line.schema.json": ClipEdit,
    FOLDER / "weights-allowlist.schema.json": Allowlist,
    FOLDER / "prod-tts-eval.schema.json": Evaluation,
    FOLDER / "prod-tts-voice-bundle.schema.json": ProductionManifest,
    FOLDER / "voice-bundle.schema.json": PromotedManifest,
    FOLDER / "voice-certificate.schema.json": VoiceCertificate,
}
"""Path below the repository -> the model of that file."""


def schema(model: type[BaseModel] | type[LaneStatus]) -> dict[str, Any]:
    """The schema of one model, as its files are read."""
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode="validation")}


def texts(models: Models = MODELS) -> dict[Path, str]:
    """Every schema file's content by its path below the repository."""
    return {path: files.dump_json(schema(model)) for path, model in models.items()}


def write(repository: Path, models: Models = MODELS) -> list[Path]:
    """Write the schemas that are not up to date; returns their paths below the repository."""
    stale = outdated(repository, models)
    for path in stale:
        files.write_text(repository / path, texts(models)[path])
    return stale


def outdated(repository: Path, models: Models = MODELS) -> list[Path]:
    """Schemas that are missing or differ from their models."""
    return [
        path
        for path, text in texts(models).items()
        if not (repository / path).is_file() or (repository / path).read_text(encoding="utf-8") != text
    ]
