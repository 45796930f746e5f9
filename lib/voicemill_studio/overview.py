"""Every voice that there is, with what is known about it: prepared, in training, promoted, certified, signed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from voicemill import files
from voicemill.bundle.build import EVALUATION
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.statements import signature_path
from voicemill.dataset import description
from voicemill.dataset.rights import Rights
from voicemill.errors import VoicemillError
from voicemill.evaluation.model import Evaluation, parse_evaluation
from voicemill.evaluation.wording import value_and_unit
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.metric import Better
from voicemill.voices import record, registry
from voicemill.voices.registry import RegisteredVoice
from voicemill_cloning.registry import KnownVoice, SpeakingVoices
from voicemill_serve.job_store import FINAL, ScriptJob
from voicemill_serve.voice_store import VoiceState
from voicemill_studio import versions
from voicemill_studio.frame import Studio

TRAINING = "voice_train"
"""Type of the jobs that train a voice; their metadata names it."""
FIGURES = (
    ("wer_whisper", "Words wrong"),
    ("speaker_similarity_ratio", "Likeness"),
    ("dnsmos_p808", "Naturalness"),
)
"""Figures of the table, with short names for people."""
FALLBACKS = {"wer_whisper": "wer"}
"""Figures of the recogniser that every installation has."""
ENGINES = {"clone_prompt": "cloned", "custom_voice": "built in", "designed_clone": "designed", "trained": "trained"}
"""Words for how a voice speaks."""
Trend = Literal["better", "worse", "same", ""]
SAME = 0.01
"""Changes of less than this share of the value are no trend."""


@dataclass(frozen=True)
class ShownFigure:
    """A figure of a voice: its text, its value for sorting, and how it changed since the version before."""

    name: str
    label: str
    text: str
    value: float | None
    trend: Trend = ""
    before: str = ""


@dataclass(frozen=True)
class VoiceOverview:
    """One voice.

    Attributes:
        id: profile id.
        display_name: for people; the id where no bundle names one.
        prepared: its dataset; None without one.
        promoted: its bundle; None without one.
        candidate: a trained bundle that is not promoted yet; None without one.
        speaking: how it speaks without training; None for a voice that is trained or only prepared.
        signed: there is a signature beside the bundle.
        jobs: of its training, newest first.
        evaluation: of the bundle.
        versions: that were kept, newest first.
        version: the name that the bundle has as a version; empty where it has none.
        changed: unix seconds of the last promotion or preparation.
    """

    id: str
    display_name: str
    prepared: RegisteredVoice | None = None
    promoted: VoiceState | None = None
    candidate: VoiceState | None = None
    speaking: KnownVoice | None = None
    signed: bool = False
    jobs: tuple[ScriptJob, ...] = ()
    evaluation: Evaluation | None = None
    versions: tuple[versions.Version, ...] = ()
    version: str = ""
    changed: float | None = None

    @property
    def training(self) -> ScriptJob | None:
        """The job that trains it or waits to."""
        return next((job for job in self.jobs if job.state not in FINAL), None)

    @property
    def states(self) -> list[tuple[str, str]]:
        """What it is, the last step first: (words, CSS class)."""
        found = []
        if job := self.training:
            found.append(("training" if job.state == "running" else "in the queue", "now"))
        if self.candidate is not None:
            found.append(("to be promoted", "now"))
        if self.promoted is not None:
            if not self.promoted.verified:
                found.append(("does not verify", "bad"))
            if self.signed:
                found.append(("signed", "good"))
            found.append(("certified", "good") if self.promoted.certified else ("promoted", ""))
        if self.speaking is not None:
            found.append((ENGINES[self.speaking.engine], ""))
            if not self.speaking.ready:
                found.append(("cannot speak yet", "bad"))
        if self.prepared is not None:
            found.append(("prepared", "") if self.prepared.state == "ready" else ("dataset missing", "bad"))
        return found

    @property
    def minutes(self) -> float | None:
        """Of speech in the prepared dataset."""
        return self.prepared.record.clips.seconds / 60 if self.prepared else None

    @property
    def rights(self) -> Rights | None:
        """Of the recordings, as stated."""
        if self.prepared is not None and self.prepared.record.rights is not None:
            return self.prepared.record.rights
        return self.speaking.file.rights if self.speaking and self.speaking.file else None

    @property
    def licence(self) -> str:
        """Of the recordings, as stated; empty where it is not."""
        return (self.rights.licence if self.rights else None) or ""

    @property
    def consent(self) -> str:
        """Of the speaker, as stated; empty where it is not."""
        return (self.rights.consent if self.rights else None) or ""

    @property
    def figures(self) -> list[ShownFigure]:
        """The figures of the table."""
        older = next((one.evaluation for one in self.versions if one.evaluation and one.name != self.version), None)
        return [shown_figure(name, title, self.evaluation, older) for name, title in FIGURES]


def shown_figure(name: str, title: str, now: Evaluation | None, before: Evaluation | None) -> ShownFigure:
    """A figure with its trend; where a judge is missing, the one of `FALLBACKS`."""
    shown = _shown_figure(name, title, now, before)
    if shown.value is None and name in FALLBACKS:
        shown = replace(_shown_figure(FALLBACKS[name], title, now, before), name=name)
    return shown


def _shown_figure(name: str, title: str, now: Evaluation | None, before: Evaluation | None) -> ShownFigure:
    found = now.figures.get(name) if now else None
    if found is None or found.value is None:
        return ShownFigure(name, title, "", None)
    text = " ".join(part for part in value_and_unit(name, found) if part)
    old = before.figures.get(name) if before else None
    if old is None or old.value is None:
        return ShownFigure(name, title, text, found.value)
    change = found.value - old.value
    trend: Trend = "same"
    if abs(change) > SAME * max(abs(old.value), 1e-9):
        better = BY_NAME[name].better if name in BY_NAME else Better.LOWER
        if better is Better.NEAR_ONE:
            change = abs(found.value - 1) - abs(old.value - 1)
        trend = "better" if (change < 0) == (better is not Better.HIGHER) else "worse"
    return ShownFigure(name, title, text, found.value, trend, " ".join(filter(None, value_and_unit(name, old))))


async def every_voice(studio: Studio) -> list[VoiceOverview]:
    """All voices by id: those with a dataset, a bundle or a job."""
    states = {state.voice_id: state for state in await studio.services.voices.states()}
    waiting = {state.voice_id: state for state in await studio.sounds.candidates.states()}
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(None, _gather, studio, states, _jobs(studio), waiting)
    return [replace(voice, candidate=waiting.get(voice.id)) for voice in found]


async def one_voice(studio: Studio, voice: str) -> VoiceOverview | None:
    """One voice; None where there is none of this id."""
    return next((each for each in await every_voice(studio) if each.id == voice), None)


def _jobs(studio: Studio) -> list[ScriptJob]:
    try:
        jobs = studio.jobs.store.recent(500)
    except VoicemillError:
        return []
    return [job for job in jobs if job.type == TRAINING]


def _gather(
    studio: Studio, states: dict[str, VoiceState], jobs: Sequence[ScriptJob], trained: Collection[str]
) -> list[VoiceOverview]:
    prepared, speaking = _prepared(studio), _speaking(studio)
    of_jobs: dict[str, list[ScriptJob]] = {}
    for job in jobs:
        of_jobs.setdefault(str((job.metadata or {}).get("voice", "")), []).append(job)
    waiting = {voice for voice, found in of_jobs.items() if voice and found[0].state not in FINAL}
    return [
        _overview(studio, voice, prepared.get(voice), speaking.get(voice), states.get(voice), of_jobs.get(voice, []))
        for voice in sorted({*prepared, *speaking, *states, *waiting, *trained})
    ]


def _prepared(studio: Studio) -> dict[str, RegisteredVoice]:
    """Voices with a dataset; a record that cannot be read hides no other one."""
    found = {}
    slugs = {path.parent.name for path in (studio.workspace.work / "datasets").glob(f"*/{description.NAME}")}
    for path in studio.workspace.voices.glob(f"*/{record.NAME}"):
        if record.has_record(path):
            slugs.add(path.parent.name)
    for slug in sorted(slug for slug in slugs if not slug.startswith(".")):
        try:
            found[slug] = registry.get(studio.workspace, slug)
        except VoicemillError as error:
            studio.services.log.write("voice_unreadable", voice=slug, reason=error.reason)
    return found


def _speaking(studio: Studio) -> dict[str, KnownVoice]:
    """Voices that speak without training."""
    voices = SpeakingVoices(studio.workspace.cache, studio.workspace.bundles)
    found = {}
    for path in studio.workspace.voices.glob(f"*/{record.NAME}"):
        slug = path.parent.name
        try:
            if not slug.startswith(".") and record.read_speaking(path):
                found[slug] = voices.get(slug)
        except VoicemillError as error:
            studio.services.log.write("voice_unreadable", voice=slug, reason=error.reason)
    return found


def _overview(
    studio: Studio,
    voice: str,
    prepared: RegisteredVoice | None,
    speaking: KnownVoice | None,
    promoted: VoiceState | None,
    jobs: Sequence[ScriptJob],
) -> VoiceOverview:
    root = promoted.root if promoted else None
    moments = [_moment(root / MANIFEST) if root else None]
    if prepared is not None:
        moments.append(_moment(prepared.dataset / description.NAME))
    if speaking is not None:
        moments.append(_moment(speaking.folder / record.NAME))
    named = speaking.file.display_name if speaking and speaking.file else ""
    try:
        older = tuple(versions.kept(studio.workspace, voice))
        version = versions.name_of(root) if root else ""
    except VoicemillError:
        older, version = (), ""
    return VoiceOverview(
        id=voice,
        display_name=promoted.display_name if promoted else named or voice,
        prepared=prepared,
        promoted=promoted,
        speaking=speaking,
        signed=root is not None and signature_path(root).is_file(),
        jobs=tuple(jobs),
        evaluation=read_evaluation(root) if root else None,
        versions=older,
        version=version,
        changed=max((moment for moment in moments if moment is not None), default=None),
    )


def read_evaluation(root: Path) -> Evaluation | None:
    """The evaluation in a bundle; None where it cannot be read."""
    try:
        return parse_evaluation(files.read_json(root / EVALUATION))
    except (OSError, ValueError, ValidationError, VoicemillError):
        return None


def _moment(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def ago(seconds: float | None, now: float | None = None) -> str:
    """A moment in unix seconds as an age: `3 days`, `5 minutes`; empty for None."""
    if seconds is None:
        return ""
    age = max(0.0, (datetime.now(UTC).timestamp() if now is None else now) - seconds)
    for name, size in (("year", 31_557_600.0), ("month", 2_629_800.0), ("day", 86_400.0), ("hour", 3600.0)):
        if age >= size:
            count = int(age // size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    minutes = int(age // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else "just now"


def moment(seconds: float | None) -> str:
    """A moment in unix seconds as RFC 3339; empty for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
