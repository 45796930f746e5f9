"""Recording sessions on the disk: sentences, takes with their verdicts, and the recorded statement of consent.

    <folder>/<session>/session.json     voice, speaker and sentences; never changed
    <folder>/<session>/choices.json     sentences that are skipped, and takes that the speaker kept by hand
    <folder>/<session>/takes/0007-02.wav, 0007-02.json    second take of sentence 7, and its verdict
    <folder>/<session>/takes/consent-01.wav, consent-01.json

A take counts once its verdict is written, so a killed server leaves no half of one.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import StorageError, UsageError
from voicemill.locks import folder_lock
from voicemill.text import normalise
from voicemill.workspace import profile_id
from voicemill_studio.file_names import new_id
from voicemill_studio.record_folders import RecordFolders, StudioRecord
from voicemill_studio.take_verdict import TakeVerdict

CONSENT = "consent"
"""Stands for the statement of consent where a sentence has its number."""
CONSENT_TEXT = (
    "I am the speaker of these recordings, and I agree that a synthetic voice is made from them "
    "which can say anything in my voice."
)
MOST_SENTENCES = 500
MOST_TAKES = 99
"""Of one sentence."""
MOST_SPEAKER = 120
LONGEST_SENTENCE = 300
"""Characters, which is some 20 seconds."""
_TAKE = re.compile(r"(consent|\d{4})-(\d{2})\.json")


class SessionRecord(StudioRecord):
    """What a session was begun with.

    Attributes:
        voice: profile id of the voice.
        speaker: name of the person, as in the statement of consent.
        seed: of the choice of sentences.
        sentences: in the order in which they are recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: str
    speaker: str = Field(min_length=1, max_length=MOST_SPEAKER)
    seed: int
    sentences: tuple[str, ...] = Field(min_length=1, max_length=MOST_SENTENCES)


class TakeRecord(BaseModel):
    """A take.

    Attributes:
        sha256: of the WAV.
        good: the verdict.
        verdict: `TakeVerdict.fields`.
        recorded: seconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    good: bool
    verdict: dict[str, object]
    recorded: float


class Choices(BaseModel):
    """Decisions of the speaker.

    Attributes:
        skipped: numbers of sentences that are left out.
        kept: take of a sentence that is used in place of the last good one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    skipped: tuple[int, ...] = ()
    kept: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class Take:
    """A take of a sentence, or of the statement of consent."""

    number: int
    path: Path
    record: TakeRecord


@dataclass(frozen=True)
class SentenceState:
    """A sentence of a session.

    Attributes:
        number: from 1; 0 is the statement of consent.
        takes: in the order of recording.
        used: the take that goes into the dataset; None where there is none.
        skipped: the speaker left it out.
    """

    number: int
    text: str
    takes: tuple[Take, ...]
    used: Take | None
    skipped: bool = False


class SessionStore:
    """The sessions of a work folder. Its methods may be called from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._records = RecordFolders(
            folder, "session.json", SessionRecord, "recording session", reason="session_unknown"
        )

    def create(self, voice: str, speaker: str, sentences: Sequence[str], seed: int) -> RecordingSession:
        """A new session.

        Raises:
            UsageError: `invalid_voice_profile_id`, `speaker_missing`.
            StorageError: it cannot be written.
        """
        speaker = " ".join(speaker.split())
        if not speaker or not speaker.isprintable() or len(speaker) > MOST_SPEAKER:
            raise UsageError("Give the speaker's name, 1 to 120 printable characters.", reason="speaker_missing")
        record = SessionRecord(
            id=new_id(),
            voice=profile_id(voice),
            speaker=speaker,
            seed=seed,
            sentences=tuple(sentences),
            created=time.time(),
        )
        return RecordingSession(self._records.add(record), record)

    def get(self, session_id: str) -> RecordingSession:
        """A session by its id.

        Raises:
            UsageError: `session_unknown`.
        """
        return RecordingSession(*self._records.read(session_id))

    def remove(self, session_id: str) -> None:
        """Remove a session with all its takes.

        Raises:
            UsageError: `session_unknown`.
            StorageError: it cannot be removed.
        """
        self._records.remove(session_id)

    def with_consent(self, voice: str) -> RecordingSession | None:
        """The newest session of a voice whose statement of consent is recorded."""
        return next((one for one in self.all() if one.record.voice == voice and one.states()[0].used), None)

    def all(self) -> list[RecordingSession]:
        """All sessions, newest first."""
        return [RecordingSession(folder, record) for folder, record in self._records.all()]


class RecordingSession:
    """One session."""

    def __init__(self, folder: Path, record: SessionRecord) -> None:
        self.folder, self.record = folder, record

    @property
    def consent_text(self) -> str:
        """The statement that the speaker reads aloud."""
        return CONSENT_TEXT

    def text(self, number: int) -> str:
        """The text of a sentence; of 0 the statement of consent.

        Raises:
            UsageError: `sentence_unknown`.
        """
        if number == 0:
            return self.consent_text
        if not 1 <= number <= len(self.record.sentences):
            raise UsageError("There is no such sentence.", reason="sentence_unknown")
        return self.record.sentences[number - 1]

    def add_take(self, number: int, wav: bytes, verdict: TakeVerdict) -> Take:
        """Keep a take of a sentence; of 0 of the statement of consent.

        Raises:
            UsageError: `sentence_unknown`, `takes_too_many`.
            StorageError: it cannot be written.
        """
        self.text(number)
        takes = self.folder / "takes"
        with self._locked():
            known = [int(found[2]) for found in self._names() if found[1] == _key(number)]
            take = max(known, default=0) + 1
            if take > MOST_TAKES:
                raise UsageError("A sentence takes 99 takes at most.", reason="takes_too_many")
            path = takes / f"{_key(number)}-{take:02d}.wav"
            files.write_bytes(path, wav)
            record = TakeRecord(
                sha256=files.sha256_bytes(wav),
                good=verdict.good,
                verdict=_json(verdict.fields()),
                recorded=time.time(),
            )
            files.write_json(path.with_suffix(".json"), record.model_dump(mode="json"))
            self._forget(number)
        return Take(take, path, record)

    def choose(self, number: int, *, skip: bool | None = None, keep: int | None = None) -> None:
        """Leave a sentence out or take it back; use a certain take of it.

        Raises:
            UsageError: `sentence_unknown`, `take_unknown`.
            StorageError: it cannot be written.
        """
        self.text(number)
        with self._locked():
            choices = self.choices()
            skipped, kept = set(choices.skipped), dict(choices.kept)
            if skip is not None:
                skipped = skipped | {number} if skip else skipped - {number}
            if keep is not None:
                if not (self.folder / "takes" / f"{_key(number)}-{keep:02d}.json").is_file():
                    raise UsageError("There is no such take.", reason="take_unknown")
                kept[str(number)] = keep
                skipped -= {number}
            self._write(Choices(skipped=tuple(sorted(skipped)), kept=kept))

    def choices(self) -> Choices:
        """The speaker's decisions."""
        try:
            return Choices.model_validate(files.read_json(self.folder / "choices.json"))
        except (OSError, files.InvalidJsonError, ValidationError):
            return Choices()

    def states(self) -> list[SentenceState]:
        """The statement of consent, then every sentence."""
        takes: dict[str, list[Take]] = {}
        for found in sorted(self._names(), key=lambda match: match[0]):
            path = self.folder / "takes" / found[0]
            with contextlib.suppress(OSError, files.InvalidJsonError, ValidationError):
                record = TakeRecord.model_validate(files.read_json(path))
                takes.setdefault(found[1], []).append(Take(int(found[2]), path.with_suffix(".wav"), record))
        choices = self.choices()
        return [self._state(number, takes, choices) for number in range(len(self.record.sentences) + 1)]

    def take(self, number: int, take: int) -> Take:
        """A take by the numbers of its sentence and of the take.

        Raises:
            UsageError: `sentence_unknown`, `take_unknown`.
        """
        self.text(number)
        state = self.states()[number]
        found = next((one for one in state.takes if one.number == take), None)
        if found is None:
            raise UsageError("There is no such take.", reason="take_unknown")
        return found

    def _state(self, number: int, takes: dict[str, list[Take]], choices: Choices) -> SentenceState:
        own = tuple(takes.get(_key(number), ()))
        used = next((take for take in own if take.number == choices.kept.get(str(number))), None)
        used = used or next((take for take in reversed(own) if take.record.good), None)
        skipped = number in choices.skipped
        return SentenceState(number, self.text(number), own, None if skipped else used, skipped)

    def _names(self) -> list[re.Match[str]]:
        try:
            names = os.listdir(self.folder / "takes")
        except FileNotFoundError:
            return []
        return [found for name in names if (found := _TAKE.fullmatch(name))]

    def _forget(self, number: int) -> None:
        """A new take replaces a decision about earlier ones."""
        choices = self.choices()
        kept = {name: take for name, take in choices.kept.items() if name != str(number)}
        skipped = tuple(one for one in choices.skipped if one != number)
        if (kept, skipped) != (choices.kept, choices.skipped):
            self._write(Choices(skipped=skipped, kept=kept))

    def _write(self, choices: Choices) -> None:
        files.write_json(self.folder / "choices.json", choices.model_dump(mode="json"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            (self.folder / "takes").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError.from_os_error(error, self.folder) from error
        with folder_lock(self.folder / "takes"):
            yield


def sentences_of(text: str) -> list[str]:
    """A person's own sentences, one a line, without empty lines and repetitions.

    Raises:
        UsageError: `sentences_invalid`, a line cannot be recorded, or there are too many.
        DatasetError: `text_not_english`.
    """
    lines = list(dict.fromkeys(line for line in (" ".join(row.split()) for row in text.splitlines()) if line))
    for line in lines:
        if len(line) > LONGEST_SENTENCE:
            raise UsageError(
                f"The sentence “{line[:60]}…” has more than {LONGEST_SENTENCE} characters.",
                reason="sentences_invalid",
                hint="Divide it into sentences, one a line.",
            )
        if not normalise.words(normalise.normalise(line)):
            raise UsageError(f"The line “{line[:60]}” has no word.", reason="sentences_invalid")
    if len(lines) > MOST_SENTENCES:
        raise UsageError(
            f"There are {len(lines)} sentences; a session has {MOST_SENTENCES} at most.",
            reason="sentences_invalid",
            hint="Begin a second session with the others.",
        )
    return lines


def _key(number: int) -> str:
    return CONSENT if number == 0 else f"{number:04d}"


def _json(fields: dict[str, object]) -> dict[str, object]:
    """The fields as JSON would return them, so that a record read again is equal."""
    import json

    found: dict[str, object] = json.loads(json.dumps(fields))
    return found
