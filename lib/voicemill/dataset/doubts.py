"""`doubts.jsonl`: clips that were kept although a word of their text may be wrong, one a line, for the review."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.align.text_check import WrongWords
from voicemill.errors import DatasetError

NAME = "doubts.jsonl"
_MAX_BYTES = 256 * 1024 * 1024


class Doubt(BaseModel):
    """Words `first` to `last` (exclusive) of a clip's spoken form that may not be what is spoken.

    Attributes:
        first: index of a word of the manifest's `alignment`.
        last: equal to `first` where words may be missing before it.
        recognised: what was recognised instead; empty where nothing else fits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: int = Field(ge=0)
    last: int = Field(ge=0)
    recognised: str = ""


class DoubtfulClip(BaseModel):
    """A line of the file: the clip's id, and its doubtful words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    words: tuple[Doubt, ...] = Field(min_length=1)


def doubtful(clip_id: str, found: Iterable[WrongWords]) -> DoubtfulClip:
    """The line of a clip."""
    words = (Doubt(first=one.first, last=one.last, recognised=" ".join(one.recognised)) for one in found)
    return DoubtfulClip(id=clip_id, words=tuple(words))


def sentence(words: list[str], first: int, last: int, recognised: str) -> str:
    """A doubt in words, for people."""
    written, place = " ".join(words[first:last]), f"word {first + 1}"
    if not written:
        return f"“{recognised}” seems to be spoken before {place}, and is not in the text"
    if not recognised:
        return f"“{written}” ({place}) may not be spoken"
    return f"“{recognised}” seems to be spoken instead of “{written}” ({place})"


def write(root: Path, clips: Iterable[DoubtfulClip]) -> None:
    """Write the file, or none where there are no such clips."""
    text = "".join(clip.model_dump_json() + "\n" for clip in clips)
    if text:
        files.write_text(root / NAME, text)


def read(root: Path) -> dict[str, tuple[Doubt, ...]]:
    """The doubtful words of a dataset by the id of the clip.

    Raises:
        DatasetError: `doubts_invalid:<line>`.
    """
    path = root / NAME
    if not path.is_file():
        return {}
    found = {}
    for number, line in enumerate(files.read_whole(path, _MAX_BYTES).splitlines(), start=1):
        try:
            clip = DoubtfulClip.model_validate_json(line)
        except ValidationError as error:
            raise DatasetError(
                f"{path}:{number}: this line is not valid.",
                reason=f"doubts_invalid:{number}",
                hint="Prepare the dataset again with --force.",
            ) from error
        found[clip.id] = clip.words
    return found
