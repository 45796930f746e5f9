"""Voices that can speak, by name.

Cloned, built-in and designed voices are in `cache/voices/<slug>/`, trained ones in `work/bundles`.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import ConfigError, DatasetError, StorageError, UsageError
from voicemill.locks import folder_lock
from voicemill.voices import record
from voicemill.voices.record import VoiceRecord
from voicemill.workspace import profile_id
from voicemill_cloning import voice_file
from voicemill_cloning.voice_file import SpeakingVoice, voice_slug

_NEAR = 0.6
"""Likeness of two names (difflib) from which one is offered for the other."""


@dataclass(frozen=True)
class KnownVoice:
    """A voice that was found by its name.

    Attributes:
        slug: its name.
        folder: of its prompts and references.
        file: its `voice.json`; None for a trained voice that has none.
        bundle: folder of its promoted bundle, if there is one.
    """

    slug: str
    folder: Path
    file: SpeakingVoice | None
    bundle: Path | None

    @property
    def engine(self) -> voice_file.VoiceEngine:
        """How it speaks."""
        return "trained" if self.file is None else self.file.engine

    @property
    def ready(self) -> bool:
        """Whether it can speak now: what its engine needs is there."""
        if self.engine == "trained" or self.file is None:
            return self.bundle is not None
        prompt = self.file.chosen()
        if self.engine == "custom_voice":
            return self.file.ready
        return prompt is not None and (self.folder / prompt).is_file()


@dataclass(frozen=True)
class SpeakingVoices:
    """The registry.

    Attributes:
        cache: cache folder; the voices are in `voices/`.
        bundles: folder of promoted bundles.
    """

    cache: Path
    bundles: Path

    @property
    def root(self) -> Path:
        """Folder of the voices."""
        return self.cache / "voices"

    def folder(self, slug: str) -> Path:
        """Folder of a voice."""
        return self.root / profile_id(slug)

    def known(self) -> tuple[list[KnownVoice], list[ConfigError]]:
        """All voices, the newest first, then those without a date by name; and what is wrong with damaged files.

        Raises:
            StorageError: a file cannot be read.
        """
        found, damaged = [], []
        for slug in self._names():
            try:
                found.append(self._read(slug))
            except ConfigError as error:
                damaged.append(error)
        found.sort(key=lambda voice: voice.file.created_at if voice.file else "", reverse=True)
        return found, damaged

    def get(self, name: str) -> KnownVoice:
        """One voice by its full name.

        Raises:
            UsageError: `voice_not_found:<name>`, with names that are near it.
            ConfigError: `voice_invalid:<slug>`.
        """
        found = self._read(name if self.has(name) else voice_slug(name))
        if found.file is None and found.bundle is None:
            raise self._unknown(name)
        return found

    def begins(self, name: str) -> bool:
        """Whether the name of a voice begins so, without regard to case."""
        return any(each.lower().startswith(name.lower()) for each in self._names())

    def find(self, name: str) -> KnownVoice:
        """One voice by its name, or by the beginning of it that no other voice has.

        Raises:
            UsageError: `voice_not_found:<name>`; `voice_ambiguous:<name>`, several begin with it.
            ConfigError: `voice_invalid:<slug>`.
        """
        if self.has(name):
            return self._read(name)
        slug = name.strip().lower()
        if slug and slug != name and self.has(slug):
            return self._read(slug)
        names = self._names()
        begin = [each for each in names if slug and each.lower().startswith(slug)]
        if len(begin) > 1:
            raise UsageError(
                f"{name!r} is the beginning of {len(begin)} voices: {', '.join(begin[:6])}.",
                reason=f"voice_ambiguous:{name[:64]}",
                hint="Give more of the name.",
            )
        if not begin:
            raise self._unknown(name)
        return self._read(begin[0])

    def create(self, voice: SpeakingVoice) -> SpeakingVoice:
        """Register a voice, unless there is one with its name, which is returned as it is.

        Raises:
            StorageError: it cannot be written.
        """
        with folder_lock(self.folder(voice.slug)):
            known = self._read(voice.slug).file
            return known or self._write(voice)

    def change(self, slug: str, edit: Callable[[SpeakingVoice], SpeakingVoice]) -> SpeakingVoice:
        """Change a voice under its lock: `edit` gets the file as it is.

        Raises:
            UsageError: `voice_not_found:<slug>`.
            StorageError: it cannot be written.
        """
        with folder_lock(self.folder(slug)):
            known = self._read(slug).file
            if known is None:
                raise self._unknown(slug)
            return self._write(edit(known).model_copy(update={"updated_at": voice_file.now()}))

    def rename(self, old: str, new: str) -> SpeakingVoice:
        """Give a voice another name; the name for people changes only if it was the old one.

        Raises:
            UsageError: `voice_not_found`, `voice_exists`, `invalid_voice_slug`, `trained_voice_fixed`.
            StorageError: the folder cannot be moved; the voice is unchanged.
        """
        target = voice_slug(new)
        voice = self._own(self.get(old), "renamed")
        with folder_lock(voice.folder):
            self.require_free(target)
            known = self._read(voice.slug).file
            if known is None:
                raise self._unknown(old)
            shown = target if known.display_name == voice.slug else known.display_name
            changes = {"slug": target, "display_name": shown, "updated_at": voice_file.now(), "dataset": None}
            with files.atomic_directory(self.folder(target)) as staging:
                _copy_tree(voice.folder, staging)
                renamed = known.model_copy(update=changes)
                files.write_text(staging / voice_file.NAME, renamed.dump())
            self._remove(voice.slug, known.dataset)
            return renamed

    def delete(self, name: str) -> str:
        """Remove a voice's folder, also where its file is damaged; a dataset and a bundle of the same name stay.

        Raises:
            UsageError: see `deletable`.
            StorageError: it cannot be removed.
        """
        slug = self.deletable(name)
        with folder_lock(self.folder(slug)):
            self._remove(slug, self.dataset_of(slug))
        return slug

    def deletable(self, name: str) -> str:
        """The full name of a voice that can be deleted here.

        Raises:
            UsageError: `voice_not_found`, `trained_voice_fixed`.
        """
        try:
            return self._own(self.get(name), "deleted").slug
        except ConfigError:
            return name if self.has(name) else voice_slug(name)

    def dataset_of(self, slug: str) -> VoiceRecord | None:
        """The record of the dataset that has the name of a voice; None where its file is too damaged to hold one."""
        path = self.folder(slug) / voice_file.NAME
        try:
            return record.read_record(path) if record.has_record(path) else None
        except (DatasetError, OSError):
            return None

    def has(self, slug: str) -> bool:
        """Whether a voice has exactly this name."""
        try:
            profile_id(slug)
        except UsageError:
            return False
        return (
            record.may_speak(self.folder(slug) / voice_file.NAME)
            or (self.bundles / slug / "voice_bundle" / "manifest.json").is_file()
        )

    def require_free(self, slug: str) -> None:
        """Refuse a name that is taken.

        Raises:
            UsageError: `voice_exists:<slug>`.
        """
        if self.has(slug):
            raise UsageError(
                f"There is a voice {slug!r} already.",
                reason=f"voice_exists:{slug}",
                hint="Choose another name, or delete that one first with voice-synth delete-voice.",
            )

    def _remove(self, slug: str, dataset: VoiceRecord | None) -> None:
        """Remove the folder; the record of a dataset of this name stays, as `voicemill.voices` writes it."""
        files.remove_directory(self.folder(slug))
        if dataset is not None:
            files.write_text(self.folder(slug) / record.NAME, dataset.dump())

    def _own(self, voice: KnownVoice, what: str) -> KnownVoice:
        if voice.file is None:
            raise UsageError(
                f"{voice.slug} is a trained voice, whose bundle carries its name; it cannot be {what} here.",
                reason=f"trained_voice_fixed:{voice.slug}",
                hint=f"Its bundle is {voice.bundle}; voice-bundle promote --voice gives it another name.",
            )
        return voice

    def _write(self, voice: SpeakingVoice) -> SpeakingVoice:
        """Write a file; the record of a dataset that is already there becomes a part of it."""
        path = self.folder(voice.slug) / voice_file.NAME
        if voice.dataset is None and path.is_file() and record.has_record(path):
            voice = voice.model_copy(update={"dataset": record.read_record(path)})
        files.write_text(path, voice.dump())
        return voice

    def _read(self, slug: str) -> KnownVoice:
        folder, bundle = self.folder(slug), self.bundles / profile_id(slug) / "voice_bundle"
        path = folder / voice_file.NAME
        known = None
        try:
            if record.may_speak(path):
                known = voice_file.parse_voice(files.read_bounded(path, files.MAX_JSON_BYTES), slug)
        except OSError as error:
            raise StorageError.unreadable(error, path) from error
        if known is not None and known.slug != slug:
            raise ConfigError(
                f"voice.json of {slug} is that of {known.slug[:64]!r}.",
                reason=f"voice_invalid:{slug}",
                hint="Rename the folder to the name in the file.",
            )
        return KnownVoice(slug, folder, known, bundle if (bundle / "manifest.json").is_file() else None)

    def _names(self) -> list[str]:
        named = {path.parent.name for path in self.root.glob(f"*/{voice_file.NAME}") if record.may_speak(path)}
        named |= {path.parent.parent.name for path in self.bundles.glob("*/voice_bundle/manifest.json")}
        return sorted(name for name in named if not name.startswith("."))

    def _unknown(self, name: str) -> UsageError:
        near = difflib.get_close_matches(name.strip().lower(), self._names(), 3, _NEAR)
        hint = f"Names near it: {', '.join(near)}." if near else "voice-synth list-voices shows all voices."
        return UsageError(f"There is no voice {name[:80]!r}.", reason=f"voice_not_found:{name[:64]}", hint=hint)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy the files of a voice: regular files at most one folder deep, as its engine wrote them."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
