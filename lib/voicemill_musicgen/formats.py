"""The models of the lane's file formats, for their JSON Schemas (`scripts/voice/generate_schemas.py`)."""

from __future__ import annotations

from voicemill_musicgen.dataset import VoiceDataset
from voicemill_musicgen.status import VoiceTrainStatus, VoiceTrainStatusV1

MODELS = {
    "tts-voice-train-status": (VoiceTrainStatusV1, VoiceTrainStatus),
    "voice-dataset-manifest": (VoiceDataset,),
}
"""Name of the schema -> the models of that file, from version 1. This package must not import `voicemill.verify`."""
