"""Recordings that are synthetic speech on purpose: which engine spoke them, under which licence, judged by what.

The record lies beside the recordings as `synthetic_speech.json`. A preparation of that folder, under any name,
writes the record's statements to `tools` of dataset.json; a bundle that is trained from the dataset states them in its
manifest, its attribution and its checklist.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.dataset import rights
from voicemill.dataset.request import ClipFolderSource, RecordingSource, Source
from voicemill.errors import DatasetError

NAME = "synthetic_speech.json"
_PREFIX = "synthetic_speech."


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaughtClip(_Part):
    """A recording of the folder.

    Attributes:
        file: its name.
        seed: of the generation.
        seconds: its length.
        word_errors: words that the recogniser understood differently, over the words of the text.
        similarity: cosine of its speaker embedding and the reference's; None where it was not measured.
        attempts: readings of the sentence until one was good.
    """

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    text: str
    seed: int
    seconds: float
    word_errors: float
    similarity: float | None = None
    attempts: int = 1


class SyntheticSpeech(_Part):
    """The file.

    Attributes:
        engine: program or model family that spoke.
        voice: name of the voice in the engine.
        engine_version: of the program or package.
        model: id of the weights, or digest of a bundle's manifest.
        licence: SPDX expression of the licence of the engine's voice.
        attribution: text that has to accompany speech of the voice.
        reference_sha256: of the reference recording that a voice was cloned from.
        recogniser: id of the model that judged the words; `speaker_model` of the one that judged the similarity.
        rejected: readings that were not used, by reason.
        clips: every recording of the folder.
    """

    version: Literal["voicemill_synthetic_speech/1"] = "voicemill_synthetic_speech/1"
    engine: str = Field(min_length=1, max_length=100)
    voice: str = Field(max_length=200)
    engine_version: str = Field(max_length=200)
    model: str = Field(max_length=400)
    licence: str = Field(max_length=500)
    attribution: str = Field(default="", max_length=4000)
    reference_sha256: str | None = None
    recogniser: str | None = None
    speaker_model: str | None = None
    rejected: dict[str, int] = {}
    clips: tuple[TaughtClip, ...] = ()

    def tools(self, sha256: str) -> dict[str, str]:
        """The statements for `tools` of dataset.json; `sha256` is that of this file."""
        values = {
            "engine": self.engine,
            "voice": self.voice,
            "engine_version": self.engine_version,
            "model": self.model,
            "licence": self.licence,
            "attribution": self.attribution,
            "reference_sha256": self.reference_sha256,
            "record_sha256": sha256,
        }
        return {_PREFIX + name: value for name, value in values.items() if value}


def of_source(source: Source) -> dict[str, str]:
    """What spoke the recordings, where they are synthetic speech and say so.

    Raises:
        DatasetError: `synthetic_speech_invalid`.
    """
    if isinstance(source, ClipFolderSource):
        return of_folder(source.folder)
    if isinstance(source, RecordingSource):
        return of_folder(source.audio if source.audio.is_dir() else source.audio.parent)
    return {}


def of_folder(folder: Path) -> dict[str, str]:
    """The statements of the record in a folder of recordings; none where there is no record.

    Raises:
        DatasetError: `synthetic_speech_invalid`.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        record = SyntheticSpeech.model_validate(files.read_json(path))
    except (OSError, files.InvalidJsonError, ValidationError) as error:
        raise DatasetError(
            f"{path} is not a valid record of synthetic speech.",
            reason="synthetic_speech_invalid",
            hint="Make the takes again: voice-synth teach --force",
        ) from error
    return record.tools(files.sha256_file(path))


def of_manifest(manifest: Path, sha256: str) -> dict[str, str]:
    """The statements of the finished dataset that a manifest belongs to; none where it is another one by now.

    Args:
        manifest: `manifest.jsonl` of the dataset.
        sha256: of the dataset, as a training recorded it.
    """
    try:
        described = files.read_json(manifest.parent / rights.DATASET)
        if not isinstance(described, dict) or described.get("dataset_sha256") != sha256:
            return {}
        tools = described.get("tools")
    except (OSError, files.InvalidJsonError):
        return {}
    return {name: str(value) for name, value in (tools or {}).items() if name.startswith(_PREFIX)}


def sentence(tools: Mapping[str, str]) -> str | None:
    """What a voice was trained on, from `tools` of its dataset; None for recordings of people."""
    if not (engine := tools.get(f"{_PREFIX}engine")):
        return None
    voice, version, licence, model = (
        tools.get(_PREFIX + name, "") for name in ("voice", "engine_version", "licence", "model")
    )
    what = f"{engine} {version}".strip() + (f", voice {voice}" if voice else "")
    parts = (f"{name} {value}" for name, value in (("model", model), ("licence", licence)) if value)
    details = "; ".join(parts)
    return f"trained on synthetic speech of {what}" + (f" ({details})" if details else "")


def notice(tools: Mapping[str, str]) -> str:
    """Text about the recordings for a bundle's attribution; empty for recordings of people."""
    stated = sentence(tools)
    attribution = tools.get(f"{_PREFIX}attribution", "")
    return "" if stated is None else f"This voice was {stated}.\n\n{attribution}".strip()
