"""From an engine to a dataset: it reads sentences, judges accept readings, and a preparation makes a dataset of them.

Takes lie in `work/teaching/<voice>/` with `synthetic_speech.json`. A run that was stopped goes on: a sentence whose
take is there is not read again, as long as the engine, its version and the limits are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import files
from voicemill.dataset import teacher
from voicemill.dataset.teacher import SyntheticSpeech, TaughtClip
from voicemill.errors import DatasetError, NotMeasurableError, UsageError
from voicemill.progress import Observer
from voicemill_cloning import judging
from voicemill_cloning.durations import expected_seconds
from voicemill_cloning.engines.engine import EngineDescription, SpeechEngine
from voicemill_cloning.judging import ReferenceVoice, TakeRecogniser
from voicemill_cloning.speaking import SpeakOptions, SynthesisedTake, speak

JOURNAL = "teaching.jsonl"
MIN_MINUTES, MAX_MINUTES = 0.2, 120.0
_LEVEL_SILENT = 1e-3
"""Peak below which a take counts as silent."""


@dataclass(frozen=True)
class TeachingLimits:
    """When a reading is accepted.

    Attributes:
        max_word_errors: words that the recogniser understands differently, over the words of the text.
        min_similarity: cosine to the reference's speaker embedding, or to the mean of the accepted takes.
        shortest: length of the take over the expected one, at least; `longest` at most.
        attempts: readings of a sentence by an engine that varies.
    """

    max_word_errors: float = 0.2
    min_similarity: float = 0.75
    shortest: float = 0.5
    longest: float = 2.0
    attempts: int = 3


@dataclass(frozen=True)
class Judgement:
    """What was found in one reading.

    Attributes:
        fault: `silent`, `incomplete`, `too_short`, `too_long`, `wrong_words`, `other_voice`, or None.
    """

    fault: str | None
    word_errors: float = 0.0
    similarity: float | None = None


class _JournalLine(BaseModel):
    """An accepted take, or a sentence that no reading of was good."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    text: str
    clip: TaughtClip | None
    rejected: dict[str, int]


@dataclass(frozen=True)
class Lesson:
    """What is taught.

    Attributes:
        minutes: of accepted speech.
        options: of the generation; each reading has a seed of its own.
        limits: of a reading.
        reference_sha256: of the recording that the voice was cloned from.
    """

    minutes: float
    options: SpeakOptions
    limits: TeachingLimits
    reference_sha256: str | None = None

    def __post_init__(self) -> None:
        if not MIN_MINUTES <= self.minutes <= MAX_MINUTES:
            raise UsageError(
                f"The minutes of speech must lie between {MIN_MINUTES:g} and {MAX_MINUTES:g}.",
                hint="A voice needs about six minutes.",
            )


class ReadingJudges:
    """The judges of readings."""

    def __init__(self, recogniser: TakeRecogniser | None, voice: ReferenceVoice | None, limits: TeachingLimits) -> None:
        """
        Args:
            recogniser: judges the words; None accepts any.
            voice: judges the speaker; None accepts any.
            limits: of a reading.
        """
        self.recogniser, self.voice, self.limits = recogniser, voice, limits

    def judge(self, take: SynthesisedTake, text: str, language: str) -> Judgement:
        """Judge one reading; an accepted one counts in for the speaker."""
        if float(np.abs(take.samples).max(initial=0.0)) < _LEVEL_SILENT:
            return Judgement("silent")
        if not take.complete:
            return Judgement("incomplete")
        ratio = take.seconds / expected_seconds(text, language)
        if ratio < self.limits.shortest:
            return Judgement("too_short")
        if ratio > self.limits.longest:
            return Judgement("too_long")
        errors = 0.0
        if self.recogniser is not None:
            errors = judging.recognise(self.recogniser, take.samples, take.sample_rate, text).word_errors
            if errors > self.limits.max_word_errors:
                return Judgement("wrong_words", errors)
        if self.voice is None:
            return Judgement(None, errors)
        try:
            vector = self.voice.embed(take.samples, take.sample_rate)
        except NotMeasurableError:
            return Judgement("silent", errors)
        similarity = self.voice.similarity(vector)
        if similarity is not None and similarity < self.limits.min_similarity:
            return Judgement("other_voice", errors, similarity)
        self.voice.add(vector)
        return Judgement(None, errors, similarity)


def teach(
    engine: SpeechEngine,
    sentences: Iterable[str],
    lesson: Lesson,
    judges: ReadingJudges,
    folder: Path,
    observer: Observer,
) -> SyntheticSpeech:
    """Let an engine read sentences until there is enough accepted speech.

    Args:
        engine: the voice.
        sentences: in the order of their use.
        lesson: how much, and how it is judged.
        judges: of the readings.
        folder: of the takes; created, or continued.
        observer: the person's display.

    Returns:
        The record, which is also written into the folder.

    Raises:
        DatasetError: `teacher_unusable`, no reading is good; `sentences_used_up:<minutes>`.
        StorageError: a file cannot be written.
        UsageError, BlockedError: what the engine refuses or fails with.
    """
    wanted = lesson.minutes * 60.0
    journal = _Journal(folder, _lesson_key(engine.description, lesson))
    seconds = journal.seconds
    observer.stage("reading", round(wanted))
    observer.advance(min(round(seconds), round(wanted)), f"{journal.accepted} takes")
    for text in _new(sentences, journal):
        if seconds >= wanted:
            break
        line, take = _read(engine, text, lesson, judges, journal.next_name)
        journal.add(line, take)
        if line.clip is not None:
            seconds += line.clip.seconds
        _require_usable(journal)
        observer.advance(min(round(seconds), round(wanted)), f"{journal.accepted} takes")
    if seconds < wanted:
        raise DatasetError(
            f"All sentences are read, and there are {seconds / 60:.1f} of {lesson.minutes:g} minutes of speech.",
            reason=f"sentences_used_up:{seconds / 60:.1f}",
            hint="Give more sentences with --text-file, or ask for fewer minutes.",
        )
    record = journal.record(engine.description, lesson, judges)
    files.write_text(folder / teacher.NAME, files.dump_json(record.model_dump(mode="json")))
    return record


def _read(
    engine: SpeechEngine, text: str, lesson: Lesson, judges: ReadingJudges, name: str
) -> tuple[_JournalLine, SynthesisedTake | None]:
    """Read one sentence until a reading is good; the line of the journal, and the take."""
    attempts = lesson.limits.attempts if engine.description.varies else 1
    rejected: Counter[str] = Counter()
    first = lesson.options.seed or 0
    for attempt in range(attempts):
        seed = first + int(files.sha256_bytes(text.encode("utf-8"))[:6], 16) + attempt
        (take,) = speak(engine, text, replace(lesson.options, seed=seed, variants=1))
        found = judges.judge(take, text, lesson.options.language)
        if found.fault is None:
            clip = TaughtClip(
                file=f"{name}.wav",
                sha256="0" * 64,
                text=text,
                seed=seed,
                seconds=round(take.seconds, 3),
                word_errors=round(found.word_errors, 4),
                similarity=None if found.similarity is None else round(found.similarity, 4),
                attempts=attempt + 1,
            )
            return _JournalLine(key="", text=text, clip=clip, rejected=dict(rejected)), take
        rejected[found.fault] += 1
    return _JournalLine(key="", text=text, clip=None, rejected=dict(rejected)), None


def _new(sentences: Iterable[str], journal: _Journal) -> Iterator[str]:
    """The sentences that were not read, each once."""
    done = set(journal.texts)
    for text in sentences:
        clean = " ".join(text.split())
        if clean and clean not in done:
            done.add(clean)
            yield clean


def _require_usable(journal: _Journal) -> None:
    """Stop early where an engine's readings are hopeless."""
    if journal.read >= 12 and journal.accepted < journal.read // 6:
        reasons = ", ".join(f"{name} {count}" for name, count in journal.rejected.most_common(3))
        raise DatasetError(
            f"Of {journal.read} sentences only {journal.accepted} were read acceptably ({reasons}).",
            reason="teacher_unusable",
            hint="Listen to a few takes with voice-synth speak --qa, and choose another voice, reference or profile.",
        )


def _lesson_key(description: EngineDescription, lesson: Lesson) -> str:
    """What accepted takes depend on: engine, options and limits, but not the number of minutes."""
    return files.content_key(
        asdict(description), asdict(lesson.options), asdict(lesson.limits), lesson.reference_sha256
    )


class _Journal:
    """The takes of a folder, with one line a sentence that was read; lines of other lessons are dropped."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = [line for line in self._stored() if line.key == key and self._whole(line)]
        kept = {line.clip.file for line in self._lines if line.clip}
        for path in folder.glob("[0-9]*.wav"):
            if path.name not in kept:
                path.unlink()
                path.with_suffix(".txt").unlink(missing_ok=True)
        (folder / teacher.NAME).unlink(missing_ok=True)  # it lists every take, so it is written last
        self._save()

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self._lines]

    @property
    def clips(self) -> list[TaughtClip]:
        return [line.clip for line in self._lines if line.clip is not None]

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)

    @property
    def read(self) -> int:
        return len(self._lines)

    @property
    def accepted(self) -> int:
        return len(self.clips)

    @property
    def rejected(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for line in self._lines:
            found.update(line.rejected)
        return found

    @property
    def next_name(self) -> str:
        """Stem of the next take."""
        numbers = [int(Path(clip.file).stem) for clip in self.clips]
        return f"{max(numbers, default=0) + 1:05d}"

    def add(self, line: _JournalLine, take: SynthesisedTake | None) -> None:
        """Write a take and its text, then its line."""
        if line.clip is not None and take is not None:
            path = self._folder / line.clip.file
            with files.atomic_path(path, suffix=".wav") as temporary:
                soundfile.write(temporary, np.clip(take.samples, -1.0, 1.0), take.sample_rate, subtype="PCM_16")
            files.write_text(path.with_suffix(".txt"), line.text + "\n")
            clip = line.clip.model_copy(update={"sha256": files.sha256_file(path)})
            line = line.model_copy(update={"clip": clip})
        self._lines.append(line.model_copy(update={"key": self._key}))
        self._save()

    def record(self, description: EngineDescription, lesson: Lesson, judges: ReadingJudges) -> SyntheticSpeech:
        """The record of the folder."""
        return SyntheticSpeech(
            engine=description.engine,
            voice=description.voice,
            engine_version=description.version,
            model=description.model,
            licence=description.licence,
            attribution=description.attribution,
            reference_sha256=lesson.reference_sha256,
            recogniser=judges.recogniser.weights_id if judges.recogniser else None,
            speaker_model=judges.voice.model_name if judges.voice else None,
            rejected=dict(sorted(self.rejected.items())),
            clips=tuple(self.clips),
        )

    def _stored(self) -> list[_JournalLine]:
        try:
            data = files.read_whole(self._folder / JOURNAL)
        except OSError:
            return []
        found = []
        for line in data.splitlines():
            try:
                found.append(_JournalLine.model_validate(files.parse_json(line)))
            except (files.InvalidJsonError, ValidationError):
                break
        return found

    def _whole(self, line: _JournalLine) -> bool:
        if line.clip is None:
            return True
        path = self._folder / line.clip.file
        return path.is_file() and path.parent == self._folder and files.sha256_file(path) == line.clip.sha256

    def _save(self) -> None:
        text = "".join(_dumped(line.model_dump(mode="json")) for line in self._lines)
        files.write_text(self._folder / JOURNAL, text)


def _dumped(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, ensure_ascii=False) + "\n"
