"""Consent as a recording: the speaker reads a sentence, which is recognised and compared with the speaker's clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import NotAcceptableError

NAME = "consent.json"
"""Beside the manifest of the dataset."""
_SHA256 = r"^[0-9a-f]{64}$"
LEAST_WORDS = 8
"""Of a sentence: a shorter one does not identify what was agreed to."""
MOST_WORD_ERRORS = 0.35
"""Share of the sentence's words. A recogniser often misses names; of another text it misses most words."""
LEAST_SIMILARITY = 0.80
"""Cosine of the recording's embedding to the speaker's. Measured on three people: own clips 0.86 and more, others'
0.72 and less (docs/marking.md)."""


class RecordedConsent(BaseModel):
    """consent.json: a recorded statement that was accepted, for one dataset.

    Attributes:
        dataset_sha256: of the dataset whose clips the voice was compared with.
        statement: that the speaker was to read.
        statement_sha256: of its UTF-8 bytes.
        recording_sha256: of the recording's file.
        seconds: of the recording.
        recognised: the words of the recording.
        recogniser: id of the model that recognised them.
        word_errors: over the number of words of the statement.
        speaker_model: id of the speaker encoder.
        speaker_similarity: cosine of the recording's embedding to the speaker's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    consent_version: Literal["voice_consent/1"] = "voice_consent/1"
    dataset_sha256: str = Field(pattern=_SHA256)
    statement: str = Field(max_length=4096)
    statement_sha256: str = Field(pattern=_SHA256)
    recording_sha256: str = Field(pattern=_SHA256)
    seconds: float
    recognised: str
    recogniser: str
    word_errors: float = Field(ge=0)
    speaker_model: str
    speaker_similarity: float = Field(ge=-1, le=1)
    recorded_at: str

    def require(self) -> None:
        """Refuse a recording of other words, or of another person.

        Raises:
            NotAcceptableError: `consent_words_differ`, `consent_other_speaker`.
        """
        if self.word_errors > MOST_WORD_ERRORS:
            raise NotAcceptableError(
                f"The recording does not contain the statement: {100 * self.word_errors:.0f} % of its words differ. "
                f"Recognised: {self.recognised[:200]!r}.",
                reason="consent_words_differ",
                hint="Record the statement again, word for word, in a quiet room.",
            )
        if self.speaker_similarity < LEAST_SIMILARITY:
            raise NotAcceptableError(
                f"The statement was not read by the speaker of the clips: the similarity is "
                f"{self.speaker_similarity:.2f}, and {LEAST_SIMILARITY:.2f} is needed.",
                reason="consent_other_speaker",
                hint="The person whose voice it is must read the statement, with the microphone of the recordings.",
            )

    def entry(self) -> dict[str, Any]:
        """The field `consent` of a bundle's manifest: digests, and figures as whole numbers."""
        return {
            "statement_sha256": self.statement_sha256,
            "recording_sha256": self.recording_sha256,
            "word_errors_permille": round(1000 * self.word_errors),
            "speaker_similarity_permille": round(1000 * self.speaker_similarity),
            "recogniser": self.recogniser,
            "speaker_model": self.speaker_model,
        }


def of_manifest(manifest: Path, sha256: str) -> RecordedConsent | None:
    """The accepted recording for the dataset of a manifest; None where there is none, or it is for another dataset.

    Args:
        manifest: `manifest.jsonl` of the dataset.
        sha256: of the dataset, as a training recorded it.
    """
    try:
        found = RecordedConsent.model_validate(files.read_json(manifest.parent / NAME))
        found.require()
    except (OSError, files.InvalidJsonError, ValidationError, NotAcceptableError):
        return None
    return found if found.dataset_sha256 == sha256 else None
