"""Models of the lane's files, for their JSON Schemas (`scripts/voice/generate_schemas.py`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from voicemill_musicgen.dataset import VoiceDataset
from voicemill_musicgen.status import VoiceTrainStatus

FOLDER = Path("configs/voice/schemas")
MODELS: dict[Path, type[BaseModel] | type[VoiceTrainStatus]] = {
    FOLDER / "tts-voice-train-status.schema.json": VoiceTrainStatus,
    FOLDER / "voice-dataset-manifest.schema.json": VoiceDataset,
}
"""Path below the repository -> the model of that file."""
