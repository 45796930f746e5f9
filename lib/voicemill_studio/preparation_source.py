"""From uploaded files or recorded takes to a source folder and the command line of voice-prep."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voicemill import files
from voicemill.audio.probing import SOURCE_SUFFIXES
from voicemill.errors import UsageError
from voicemill_studio.file_names import safe_name
from voicemill_studio.session_store import RecordingSession
from voicemill_studio.upload_store import Upload, UploadStore

Layout = Literal["script", "beside", "metadata"]

CONSENT_FILE = "consent.txt"
CONSENT_RECORDING = "consent.wav"
FEWEST_TAKES = 2


@dataclass(frozen=True)
class SourceFolder:
    """Files on the disk that voice-prep can prepare.

    Attributes:
        options: of voice-prep, without the voice.
    """

    folder: Path
    options: tuple[str, ...]


def layout_of(uploads: Iterable[Upload], *, recognise: bool = False) -> Layout:
    """How the texts belong to the recordings.

    Args:
        uploads: the files.
        recognise: recordings may lack their text.

    Returns:
        `metadata` for a file `metadata.csv`; `beside` where every recording has a text of its name; otherwise `script`,
        one text that the recordings read in the order of their names.

    Raises:
        UsageError: `no_recordings`, `no_text`, `texts_unclear`, `upload_incomplete`, with what to do.
    """
    known = list(uploads)
    missing = [one.record.name for one in known if not one.complete and one.record.refused is None]
    if missing:
        raise UsageError(f"{missing[0]} has not arrived completely.", reason="upload_incomplete")
    kept = [one for one in known if one.record.refused is None]
    recordings = {Path(one.record.name).stem for one in kept if one.record.check.kind == "recording"}
    texts = {Path(one.record.name).stem for one in kept if one.record.check.kind == "text"}
    names = [one.record.name.lower() for one in kept if one.record.check.kind == "text"]
    if not recordings:
        raise UsageError("There is no recording yet.", reason="no_recordings", hint="Add one.")
    if not names and recognise:
        return "beside"
    if not names:
        raise UsageError(
            "There is no text yet.",
            reason="no_text",
            hint="Add the words that are spoken, or choose below that they are recognised.",
        )
    if "metadata.csv" in names:
        return "metadata"
    of_some = len(recordings) > 1 and texts <= recordings
    if len(names) == 1 and not of_some:
        return "script"
    if recordings <= texts or (recognise and of_some):
        return "beside"
    first = sorted(recordings - texts)[0]
    there = "only that of another recording is" if len(names) == 1 else f"{len(names)} other texts are"
    raise UsageError(
        f"{first} has no text: {there} there.",
        reason="texts_unclear",
        hint="Give one text for all recordings, or a text with the name of each recording.",
    )


def from_uploads(store: UploadStore, target: Path, *, recogniser: str = "") -> SourceFolder:
    """Link the files of a draft into a source folder, replacing an earlier one.

    Args:
        store: the files.
        target: the source folder.
        recogniser: `--recognise` of voice-prep, for recordings without text; empty if each has one.

    Raises:
        UsageError: see `layout_of`.
        StorageError: it cannot be written.
    """
    uploads = [one for one in store.all() if one.record.refused is None]
    layout = layout_of(uploads, recognise=bool(recogniser))
    audio, text = target / "recordings", target / "text"
    with files.atomic_directory(target) as staging:
        names: dict[str, str] = {}
        for upload in sorted(uploads, key=lambda one: one.record.name):
            is_text = upload.record.check.kind == "text"
            folder = staging / ("text" if is_text and layout != "beside" else "recordings")
            folder.mkdir(exist_ok=True)
            name = _name(upload, names, beside=layout == "beside")
            _link(store.data(upload.record.id), folder / name)
    if layout == "metadata":
        named = next(path for path in text.iterdir() if path.name.lower() == "metadata.csv")
        return SourceFolder(target, ("--metadata", str(named), "--audio", str(audio)))
    options = ["--audio", str(audio)]
    if layout == "script":
        options += ["--script", str(next(text.iterdir()))]
    elif recogniser:
        options += ["--recognise", recogniser]
    return SourceFolder(target, tuple(options))


def _name(upload: Upload, names: dict[str, str], *, beside: bool) -> str:
    """A safe name with a suffix that voice-prep knows; where a text lies beside its recording, both have one stem."""
    given = Path(upload.record.name)
    kind = upload.record.check.kind
    suffix = given.suffix.lower()
    if kind == "recording" and suffix not in SOURCE_SUFFIXES:
        suffix = ".wav"
    elif kind == "text" and (not suffix or suffix in SOURCE_SUFFIXES):
        suffix = ".txt"
    if not beside:
        name = safe_name(f"{given.stem}{suffix}", names)
        names[name] = upload.record.name
        return name
    stem = names.get(given.stem)
    if stem is None:
        stem = safe_name(given.stem.replace(".", "_"), names.values())
        names[given.stem] = stem
    return f"{stem}{suffix}"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def from_session(session: RecordingSession, target: Path) -> SourceFolder:
    """Write the used takes of a session with their texts, and the statement of consent, into a source folder.

    Raises:
        UsageError: `consent_not_recorded`, `takes_too_few`.
        StorageError: it cannot be written.
    """
    consent, *sentences = session.states()
    if consent.used is None:
        raise UsageError(
            "The statement of consent is not recorded yet.",
            reason="consent_not_recorded",
            hint="Record it: a voice may be made only with the consent of its speaker.",
        )
    used = [state for state in sentences if state.used is not None]
    if len(used) < FEWEST_TAKES:
        raise UsageError(
            f"{len(used)} of the sentences are recorded; at least {FEWEST_TAKES} are needed.", reason="takes_too_few"
        )
    with files.atomic_directory(target) as staging:
        clips = staging / "recordings"
        clips.mkdir()
        for state in used:
            if state.used is not None:
                _link(state.used.path, clips / f"sentence {state.number:04d}.wav")
                files.write_text(clips / f"sentence {state.number:04d}.txt", state.text + "\n")
        _link(consent.used.path, staging / CONSENT_RECORDING)
        files.write_text(staging / CONSENT_FILE, consent_statement(session))
    options = ("--audio", str(target / "recordings"), "--consent", str(target / CONSENT_FILE))
    return SourceFolder(target, options)


def consent_statement(session: RecordingSession) -> str:
    """The statement of consent as voice-prep keeps it: who, when, the words, and the digest of the recording.

    Raises:
        UsageError: `consent_not_recorded`.
    """
    used = session.states()[0].used
    if used is None:
        raise UsageError("The statement of consent is not recorded yet.", reason="consent_not_recorded")
    day = time.strftime("%Y-%m-%d", time.gmtime(used.record.recorded))
    return (
        f"{session.record.speaker}, on {day}: “{session.consent_text}”\n"
        f"Spoken by the speaker; recording {CONSENT_RECORDING}, sha256 {used.record.sha256}.\n"
    )


def arguments(voice: str, source: SourceFolder, more: Sequence[str] = ()) -> list[str]:
    """The command line of voice-prep."""
    return ["--voice", voice, *source.options, *more]
