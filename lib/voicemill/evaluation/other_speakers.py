"""Other speakers to compare a voice with, shipped without recordings.

data/base/people.json     embeddings of people, for the judge
data/base/speakers.json   profiles of speakers
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.audio.embedding import SpeakerModel
from voicemill.errors import ConfigError
from voicemill.metrics.judges import Judges
from voicemill.metrics.speaker import SpeakerProfile, StoredProfile, speaker_distance, speaker_profile

PEOPLE = Path("data/base/people.json")
DIMENSIONS = 256
SCALE = 254.0
"""Of the stored bytes: the encoder's values lie between 0 and 1, hardly ever above a half."""
PROFILES = Path("data/base/speakers.json")
SAME_SPEAKER = 0.2
"""Distance below which two profiles are of one speaker (docs/evaluation.md)."""


class PeopleFile(BaseModel):
    """The file, written by scripts/speaker_encoder/people.py."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal["voicemill_people/1"] = "voicemill_people/1"
    encoder: str
    """sha256 of the encoder's graph; embeddings of another one cannot be compared."""
    source: str
    people: int
    embeddings: str
    """(people, 256) unsigned bytes in base64; a person's embedding is its bytes, scaled to norm 1."""


def pack(vectors: NDArray[np.float64]) -> str:
    """Embeddings (people, 256) as text; a cosine changes by less than 0.001."""
    return base64.b64encode(np.clip(np.round(vectors * SCALE), 0, 255).astype(np.uint8).tobytes()).decode("ascii")


def shipped_people(repository: Path, encoder: str) -> NDArray[np.float64]:
    """Embeddings (people, 256) of norm 1; none where they were made with another encoder.

    Args:
        repository: root of the checkout.
        encoder: sha256 of the encoder's graph.

    Raises:
        ConfigError: the file is missing or invalid (`speakers_invalid`).
    """
    path = repository / PEOPLE
    try:
        found = PeopleFile.model_validate(files.read_json(path))
        data = np.frombuffer(base64.b64decode(found.embeddings, validate=True), dtype=np.uint8)
        vectors = data.reshape(found.people, DIMENSIONS).astype(np.float64)
    except (OSError, files.InvalidJsonError, ValidationError, ValueError) as error:
        raise ConfigError(
            f"The embeddings of other people, {PEOPLE}, cannot be read: {str(error).splitlines()[0]}.",
            reason="speakers_invalid",
            hint="Restore the file from the repository, or create it again with scripts/speaker_encoder/people.py.",
        ) from error
    if found.encoder != encoder:
        return np.empty((0, DIMENSIONS))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class SpeakerFile(BaseModel):
    """The file, written by scripts/speaker_profiles.py: one profile for each speaker."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Literal["voicemill_speakers/1"] = "voicemill_speakers/1"
    speakers: tuple[StoredProfile, ...]


def shipped_profiles(repository: Path) -> dict[str, SpeakerProfile]:
    """Profiles of the shipped speakers by name.

    Raises:
        ConfigError: the file is missing or invalid (`speakers_invalid`).
    """
    path = repository / PROFILES
    try:
        found = SpeakerFile.model_validate(files.read_json(path))
    except (OSError, files.InvalidJsonError, ValidationError) as error:
        raise ConfigError(
            f"The speaker profiles {PROFILES} cannot be read: {str(error).splitlines()[0]}.",
            reason="speakers_invalid",
            hint="Restore the file from the repository, or create it again with scripts/speaker_profiles.py.",
        ) from error
    return {speaker.name: speaker.profile() for speaker in found.speakers}


def other_speakers(own: Sequence[NDArray[np.float32]], sample_rate: int, repository: Path) -> dict[str, SpeakerProfile]:
    """The shipped speaker profiles, without the one of this voice's own speaker."""
    shipped, mine = shipped_profiles(repository), speaker_profile(own, sample_rate)
    return {name: profile for name, profile in shipped.items() if speaker_distance(mine, profile) > SAME_SPEAKER}


def other_people(judges: Judges, repository: Path) -> NDArray[np.float64] | None:
    """The shipped embeddings of people, (people, 256); None without the judge that compares speakers."""
    model = judges.speaker
    return shipped_people(repository, model.sha256) if isinstance(model, SpeakerModel) else None
