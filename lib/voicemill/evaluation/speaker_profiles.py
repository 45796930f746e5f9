"""Other speakers to compare a voice with, shipped as profiles, not as recordings (`data/base/speakers.json`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.errors import ConfigError
from voicemill.metrics.speaker import SpeakerProfile, StoredProfile

SHIPPED = Path("data/base/speakers.json")


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
    path = repository / SHIPPED
    try:
        found = SpeakerFile.model_validate(files.read_json(path))
    except (OSError, files.InvalidJsonError, ValidationError) as error:
        raise ConfigError(
            f"The speaker profiles {SHIPPED} cannot be read: {str(error).splitlines()[0]}.",
            reason="speakers_invalid",
            hint="Restore the file from the repository, or create it again with scripts/speaker_profiles.py.",
        ) from error
    return {speaker.name: speaker.profile() for speaker in found.speakers}
