"""`voice-synth teach` as a whole: an engine reads, judges accept, and a preparation makes the dataset."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voicemill.audio import decode
from voicemill.dataset import teacher
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.presets import SHIPPED, load_preset
from voicemill.dataset.request import ClipFolderSource, PreparationRequest
from voicemill.dataset.rights import Rights
from voicemill.dataset.stage_clock import ProgressLines
from voicemill.dataset.stages import STAGES
from voicemill.dataset.teacher import SyntheticSpeech
from voicemill.errors import UsageError
from voicemill.progress import Observer
from voicemill.protocol import Protocol, Scalar
from voicemill.text import transcripts
from voicemill.text.language import require_english
from voicemill.text.lexicon import default_lexicon
from voicemill.voices import registry
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.engines.engine import SpeechEngine
from voicemill_cloning.generation import Generation
from voicemill_cloning.judging import ReferenceVoice
from voicemill_cloning.opening import EngineOptions, open_engine
from voicemill_cloning.speaking import SpeakOptions
from voicemill_cloning.teaching import Lesson, ReadingJudges, TeachingLimits, teach

RECORD = teacher.NAME
LANGUAGE = "English"
"""Of trained voices; a voice whose reference is in another language reads English, too."""


@dataclass(frozen=True)
class LessonPlan:
    """What is going to be taught.

    Attributes:
        name: of the dataset and the trained voice.
        reference: recording that the voice was cloned from.
        rights: consent of the speaker, and a licence that was stated.
    """

    choice: VoiceChoice
    name: str
    lesson: Lesson
    reference: Path | None
    rights: Rights | None


@dataclass(frozen=True)
class TaughtVoice:
    """The dataset and the record of its takes."""

    prepared: PreparedDataset
    record: SyntheticSpeech
    folder: Path

    def rows(self) -> list[tuple[str, str]]:
        """For people."""
        stats, clips = self.prepared.stats, self.record.clips
        rejected = ", ".join(f"{name} {count}" for name, count in self.record.rejected.items())
        errors = sum(clip.word_errors for clip in clips) / len(clips)
        return [
            ("folder", str(self.prepared.root)),
            ("takes", f"{len(clips)}, {sum(clip.seconds for clip in clips) / 60:.1f} min"),
            ("rejected readings", rejected or "none"),
            ("word errors", f"{errors:.3f} on average"),
            ("clips", f"{stats.train_clips} to train on, {stats.validation_clips} to validate"),
            ("next", f"voice-train-prod --voice {self.prepared.root.name}"),
        ]

    def stats(self) -> dict[str, Scalar]:
        """For programs."""
        return {
            "dataset_sha256": self.prepared.sha256,
            "engine": self.record.engine,
            "rejected_readings": sum(self.record.rejected.values()),
            "seconds": round(sum(clip.seconds for clip in self.record.clips), 1),
            "takes": len(self.record.clips),
            "train": self.prepared.stats.train_clips,
            "validation": self.prepared.stats.validation_clips,
        }


def plan(
    context: AppContext,
    choice: VoiceChoice,
    generation: Generation,
    *,
    name: str,
    minutes: float,
    seed: int,
    limits: TeachingLimits,
    stated: Rights | None,
) -> LessonPlan:
    """Check what can be checked before an engine is opened.

    Raises:
        UsageError: the minutes; `dataset_not_taught:<name>`, the dataset of that name is another one.
    """
    file = choice.known.file if choice.known else None
    reference = choice.known.folder / file.ref.wav if choice.known and file and file.ref else None
    _require_own(context, name)
    options = SpeakOptions(
        language=LANGUAGE,
        seed=seed,
        sampling=generation.sampling,
        token_factor=generation.token_factor,
        instruct=choice.instruction.text or "",
    )
    sha256 = file.ref.hash if file and file.ref else None
    return LessonPlan(choice, name, Lesson(minutes, options, limits, sha256), reference, _rights(stated, choice.rights))


def own_sentences(path: Path) -> list[str]:
    """The sentences of a file.

    Raises:
        UsageError, DatasetError: it cannot be read; `text_not_english`, trained voices speak English.
    """
    found = transcripts.read_script(path)
    require_english(found, default_lexicon())
    return found


def give(
    plan: LessonPlan,
    context: AppContext,
    sentences: Iterable[str],
    options: EngineOptions,
    observer: Observer,
    protocol: Protocol,
    *,
    workers: int | None = None,
    force: bool = False,
) -> TaughtVoice:
    """Let the voice read, and prepare the dataset.

    Args:
        plan: what is taught.
        context: of the app.
        sentences: in the order of their use.
        options: of the engine.
        observer: the person's display.
        protocol: for PROGRESS lines.
        workers: processes of the preparation.
        force: read every sentence again.

    Raises:
        VoicemillError: what the engine, the judges, `teach` and `prepare` refuse.
    """
    folder = context.workspace.work / "teaching" / plan.name
    if force and folder.is_dir():
        shutil.rmtree(folder)
    lines = ProgressLines(observer, protocol, len(STAGES) + 1)
    judges = context.judges(lines)
    recogniser, encoder = judges.recogniser(LANGUAGE), judges.speaker()
    voice = ReferenceVoice(encoder)
    if plan.reference is not None and plan.reference.is_file():
        voice = ReferenceVoice.of(encoder, *decode.read_mono(plan.reference))
        if plan.rights is None or plan.rights.consent is None:
            lines.note("WARNING: no consent of the person whose voice was cloned is stated; --consent records one")
    engine = open_engine(plan.choice, options)
    try:
        record = teach(
            engine, sentences, plan.lesson, ReadingJudges(recogniser, voice, plan.lesson.limits), folder, lines
        )
        rights = _of_teacher(engine, plan.rights)
    finally:
        engine.close()
    chosen = load_preset(context.settings.repository / SHIPPED, "standard", {})
    request = PreparationRequest(
        voice=plan.name,
        source=ClipFolderSource(folder),
        segmentation=chosen.segmentation,
        quality=chosen.quality,
        separate="never",
        rights=rights,
        allowlist=context.settings.weights.allowlist,
        workers=workers,
    )
    prepared = prepare(request, context.workspace, lines)
    registry.register(prepared.root, context.workspace)
    lines.finish()
    return TaughtVoice(prepared, record, folder)


def _require_own(context: AppContext, name: str) -> None:
    """Refuse to replace a dataset of recordings."""
    from voicemill.dataset import description

    before = description.read(context.workspace.dataset(name))
    if before is not None and teacher.sentence(before.tools) is None:
        raise UsageError(
            f"There is a dataset {name} of recordings, which is not replaced by synthetic speech.",
            reason=f"dataset_not_taught:{name}",
            hint="Give another name with --voice-name.",
        )


def _rights(stated: Rights | None, held: Rights | None) -> Rights | None:
    """The statement of the command line, completed by the one of the voice."""
    if stated is None or held is None:
        return stated or held
    changes = {key: value for key, value in stated.model_dump(exclude={"recordings"}).items() if value is not None}
    return held.model_copy(update=changes)


def _of_teacher(engine: SpeechEngine, held: Rights | None) -> Rights | None:
    """The rights with the licence of the engine's voice, unless another one is stated."""
    from voicemill.weights import licence as spdx

    licence = spdx.expression(engine.description.licence) if engine.description.licence != "NOASSERTION" else None
    base = held or Rights()
    return base if base.licence or licence is None else base.model_copy(update={"licence": licence})
