"""Recordings of a source, with one script for all of them or one text for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from voicemill import files, path_names
from voicemill.audio import probing
from voicemill.dataset.description_parts import SourceFile
from voicemill.dataset.manifest import ManifestLine, read_manifest
from voicemill.dataset.recordings import Recording
from voicemill.dataset.request import ClipFolderSource, LJSpeechSource, ManifestSource, RecordingSource, Source
from voicemill.errors import AudioError, DatasetError, UsageError
from voicemill.protocol import one_line
from voicemill.text import transcripts
from voicemill.text.captions import Caption, is_timed
from voicemill.text.metadata import unlisted

Stamp = tuple[int, int] | None
"""Bytes and nanoseconds of the last change."""


@dataclass(frozen=True)
class ClipText:
    """Text of one clip: as written, as spoken where the source says so, and when, where it is timed; an empty one is
    left to a recogniser.
    """

    text: str
    normalized: str | None = None
    speaker: int | None = None
    captions: tuple[Caption, ...] = ()


@dataclass(frozen=True)
class Sources:
    """Recordings with their text: either a script that all of them together read, or one text for each.

    Attributes:
        recordings: in reading order.
        script: sentences in reading order; empty when `texts` has one text a recording.
        texts: one a recording; empty when there is a script.
        documents: files that the text came from.
        notes: sentences for the user: how the text was read, which recordings it does not list, what was skipped.
    """

    recordings: tuple[Recording, ...]
    script: tuple[str, ...]
    texts: tuple[ClipText, ...]
    documents: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def stamps(self) -> dict[Path, Stamp]:
        """Size and time of every input file; None for one that is not there."""
        return {path: _stamp(path) for path in (*(each.path for each in self.recordings), *self.documents)}

    def digests(self) -> tuple[SourceFile, ...]:
        """Name, size and sha256 of every input file, recordings first."""
        recordings = {recording.path: recording.name for recording in self.recordings}
        return (
            *(_digest(path, name, "recording", required=len(recordings) == 1) for path, name in recordings.items()),
            *(_digest(path, path.name, "text", required=True) for path in self.documents),
        )


def require_unchanged(stamps: Mapping[Path, Stamp]) -> None:
    """Refuse inputs that were written to since they were stamped: what was decoded is not what was hashed.

    Raises:
        DatasetError: `input_changed:<name>`.
    """
    for path, stamp in stamps.items():
        if _stamp(path) != stamp:
            raise DatasetError(
                f"{path} was changed while it was being read.",
                reason=f"input_changed:{path.name}",
                hint="Wait until it is complete, then start again.",
            )


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def gather(source: Source, *, recognise: bool = False) -> Sources:
    """Find recordings and text.

    Args:
        source: a source on this machine: neither a web address nor a prepared voice.
        recognise: recordings may lack their text.

    Raises:
        UsageError: `name_not_utf8`, a recording has such a name; a tier is named and there is no TextGrid, or a timed
            transcript belongs to a folder.
        AudioError: `missing_audio_path`, and every refusal of `audio.probing.locate`.
        DatasetError: `missing_transcript`, or another fault of a text or a manifest.
    """
    match source:
        case ManifestSource(manifest):
            return _from_manifest(manifest)
        case LJSpeechSource(metadata, audio):
            _require_audio(audio)
            return _from_metadata(metadata, audio)
        case ClipFolderSource(folder, tier):
            _require_audio(folder)
            return _noted(_with_tier(_from_sidecars(folder, tier, recognise), tier), folder)
        case RecordingSource(audio, _, tier, start, end):
            _require_audio(audio)
            found = _with_tier(_from_recording(source, recognise), tier)
            if start is not None or end is not None:
                found = replace(found, recordings=tuple(replace(one, start=start, end=end) for one in found.recordings))
            return _noted(found, audio)
    raise ValueError(f"not a source on this machine: {source}")


def _noted(found: Sources, folder: Path) -> Sources:
    """The sources with notes about the folder that they were found in."""
    if not folder.is_dir():
        return found
    _, hidden = probing.recordings_in(folder)
    notes = [f"{hidden} hidden files of {folder.name} were skipped"] if hidden else []
    if any("/" in recording.name for recording in found.recordings):
        notes.append(f"the recordings lie in subfolders of {folder.name}")
    return replace(found, notes=(*found.notes, *notes))


def _require_audio(audio: Path | None) -> None:
    if audio is not None and not audio.exists():
        raise AudioError(
            f"There is no recording at {audio}.", reason=f"missing_audio_path:{audio}", hint="Check the path."
        )


def _with_tier(found: Sources, tier: str | None) -> Sources:
    """The sources, once it is clear that a tier that is named has its TextGrid."""
    if tier is not None and not any(document.suffix.lower() == ".textgrid" for document in found.documents):
        raise UsageError("--tier names a tier of a TextGrid, and there is none.", hint="Leave --tier out.")
    return found


def _from_recording(source: RecordingSource, recognise: bool) -> Sources:
    audio, script = source.audio, source.script
    if script is None:
        return _from_sidecars(audio, source.tier, recognise)
    if is_timed(script):
        if audio.is_dir():
            raise UsageError(
                "A timed transcript belongs to one recording.",
                hint=f"Name that recording with --audio, or put a {script.suffix} beside each.",
            )
        return _timed(audio, script, source.tier)
    recordings = _folder(audio) if audio.is_dir() else (_recording(audio, audio.parent),)
    return _with_script(recordings, script)


def _from_sidecars(audio: Path, tier: str | None, recognise: bool) -> Sources:
    if audio.is_dir():
        notes: list[str] = []
        clips = transcripts.read_sidecars(audio, tier, notes.append, all_of_them=not recognise)
        return Sources(
            tuple(_recording(clip.audio, audio) for clip in clips),
            (),
            tuple(ClipText(clip.text, captions=clip.captions) for clip in clips),
            tuple(side for clip in clips if (side := transcripts.find_sidecar(clip.audio))),
            tuple(notes),
        )
    recording = _recording(audio, audio.parent)
    beside = transcripts.find_sidecar(audio)
    if beside is None and recognise:
        return Sources((recording,), (), (ClipText(""),), ())
    if beside is None:
        raise DatasetError(
            f"There is no text for {audio.name}.",
            reason="missing_transcript",
            hint=f"Give it with --script, as {audio.stem}.txt beside the recording, or let --recognise make it.",
        )
    if is_timed(beside):
        return _timed(audio, beside, tier)
    return _with_script((recording,), beside)


def _with_script(recordings: tuple[Recording, ...], script: Path) -> Sources:
    notes: list[str] = []
    sentences = tuple(transcripts.read_script(script, notes.append))
    return Sources(recordings, sentences, (), (script,), tuple(notes))


def _timed(audio: Path, transcript: Path, tier: str | None) -> Sources:
    notes: list[str] = []
    transcribed = transcripts.read_beside(audio, transcript, tier, notes.append)
    return Sources(
        (_recording(audio, audio.parent),),
        (),
        (ClipText(transcribed.text, captions=transcribed.captions),),
        (transcript,),
        tuple(notes),
    )


def _from_metadata(metadata: Path, audio: Path | None) -> Sources:
    folder = None if audio is None else audio if audio.is_dir() else audio.parent
    notes: list[str] = []
    clips = transcripts.read_metadata(metadata, folder, notes.append)
    speakers = Counter(clip.speaker for clip in clips if clip.speaker is not None)
    if len(speakers) > 1:
        named = ", ".join(f"{name} ({count})" for name, count in speakers.most_common(5))
        raise DatasetError(
            f"The metadata {metadata.name} has {len(speakers)} speakers; a voice has one: {named}.",
            reason="dataset_many_speakers",
            hint="Give a metadata file with the lines of one speaker.",
        )
    others = unlisted({clip.audio for clip in clips})
    if others:
        more = ", ..." if len(others) > 3 else ""
        notes.append(f"{metadata.name} does not list {len(others)} of the recordings: {', '.join(others[:3])}{more}")
    return Sources(
        tuple(_recording(clip.audio, metadata.parent if folder is None else folder) for clip in clips),
        (),
        tuple(ClipText(clip.text, clip.normalized) for clip in clips),
        (metadata,),
        tuple(notes),
    )


def _from_manifest(manifest: Path) -> Sources:
    recordings, texts = [], []
    for line in read_manifest(manifest):
        recordings.append(_listed(line, manifest.parent))
        texts.append(ClipText(line.text, line.normalized_text, line.speaker))
    speakers = {text.speaker for text in texts}
    if len(speakers) > 1:
        raise DatasetError(
            f"The manifest {manifest.name} has {len(speakers)} speakers; a voice has one.",
            reason="dataset_many_speakers",
            hint="Give a manifest with the lines of one speaker.",
        )
    return Sources(tuple(recordings), (), tuple(texts), (manifest,))


def _listed(line: ManifestLine, folder: Path) -> Recording:
    path = Path(line.audio_filepath)
    name = path.name if path.is_absolute() else path.as_posix()
    start = line.offset or None
    end = None if start is None or line.duration is None else start + line.duration
    return Recording(folder / path, name, start, end)


def _folder(folder: Path) -> tuple[Recording, ...]:
    found, _ = probing.recordings_in(folder)
    if not found:
        raise DatasetError(
            f"There are no recordings in {folder}.", reason="dataset_no_valid_audio", hint="Put sound files there."
        )
    return tuple(_recording(path, folder) for path in found)


def _recording(path: Path, folder: Path) -> Recording:
    path_names.check_utf8(path.name, f"The folder {one_line(str(path.parent))}")
    try:
        name = path.relative_to(folder).as_posix()
    except ValueError:
        name = path.name
    return Recording(path, name)


def _digest(path: Path, name: str, role: str, *, required: bool) -> SourceFile:
    """Digest of one input; one of several recordings may be missing, which the report will say."""
    try:
        size = probing.locate(path) if role == "recording" else path.stat().st_size
    except AudioError:
        if required:
            raise
        return SourceFile(name=name, role=role, bytes=0, sha256="missing")
    return SourceFile(name=name, role=role, bytes=size, sha256=files.sha256_file(path))
