"""The figures of a voice's stability: stability.json beside its bundle, and as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.bundle.contents import STABILITY
from voicemill.errors import NotAcceptableError

Failure = Literal["recogniser", "length", "silence", "clipping", "repeat"]


class FailedSentence(BaseModel):
    """A sentence that came out wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    failures: tuple[Failure, ...]
    recognised: str
    word_error_rate: float


class StabilityV1(BaseModel):
    """Version 1 of stability.json, which older commits wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stability_version: Literal["voice_stability/1"] = "voice_stability/1"
    bundle_manifest_sha256: str
    recogniser: str
    seed: int
    count: int = Field(ge=1)
    failed: int = Field(ge=0)
    failures: dict[Failure, int]
    word_error_rate: float
    seconds_of_speech: float
    sentences: tuple[FailedSentence, ...]


class Stability(BaseModel):
    """stability.json: the figures of one bundle.

    Attributes:
        second_recogniser: decided about the sentences that `recogniser` got wrong; empty where none did.
        doubted: the number of those sentences.
        word_error_rate: of `recogniser` over all sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stability_version: Literal["voice_stability/2"] = "voice_stability/2"
    bundle_manifest_sha256: str
    recogniser: str
    second_recogniser: str = ""
    doubted: int = Field(ge=0)
    seed: int
    count: int = Field(ge=1)
    failed: int = Field(ge=0)
    failures: dict[Failure, int]
    word_error_rate: float
    seconds_of_speech: float
    sentences: tuple[FailedSentence, ...]

    @classmethod
    def of(cls, document: object) -> Stability:
        """The figures in a document of any version.

        Raises:
            ValidationError: it is none.
        """
        try:
            older = StabilityV1.model_validate(document)
        except ValidationError:
            return cls.model_validate(document)
        figures = older.model_dump(exclude={"stability_version"})
        return cls(**figures, doubted=older.failures.get("recogniser", 0))


def stability_path(root: Path) -> Path:
    """Path of the figures of the bundle folder `root`."""
    return root.resolve().parent / STABILITY


def read_stability(root: Path, manifest_sha256: str | None) -> Stability | None:
    """The figures beside a bundle, if they are of this bundle."""
    path = stability_path(root)
    if manifest_sha256 is None or not path.is_file():
        return None
    try:
        found = Stability.of(files.read_json(path))
    except (files.InvalidJsonError, ValidationError, OSError):
        return None
    return found if found.bundle_manifest_sha256 == manifest_sha256 else None


def lines(found: Stability) -> Iterator[str]:
    """The figures for people."""
    yield f"stability: {found.failed} of {found.count} sentences failed"
    yield f"word_error_rate: {found.word_error_rate:.4f} ({found.recogniser})"
    if found.doubted:
        decided = found.second_recogniser or "nothing else: Whisper base is not in the cache"
        yield f"wrong_by_{found.recogniser}: {found.doubted}, decided by {decided}"
    yield f"seconds_of_speech: {found.seconds_of_speech:.1f}"
    for failure, count in found.failures.items():
        yield f"{failure}: {count}"
    for each in found.sentences:
        yield f"{','.join(each.failures)}: {each.text!r} recognised as {each.recognised!r}"


def require_stable(found: Stability, most: int) -> None:
    """Refuse a voice with more failures than allowed.

    Raises:
        NotAcceptableError: `voice_unstable:<failed>`.
    """
    if found.failed > most:
        raise NotAcceptableError(
            f"{found.failed} of {found.count} sentences failed.",
            reason=f"voice_unstable:{found.failed}",
            hint="Listen to them with voice-train-prod say; train the voice longer, or give --allow.",
        )
