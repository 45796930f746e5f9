"""What to prepare: the source of a voice, and every setting of its preparation.

A source is one of six:

    RecordingSource       a recording, or a folder of recordings that read one script
    WebRecordingSource    a recording behind a web address
    ClipFolderSource      a folder of short clips with a text beside each
    LJSpeechSource        LJSpeech's metadata.csv
    ManifestSource        a NeMo manifest
    PreparedVoiceSource   a dataset that was prepared under a name
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from voicemill.audio.channels import Channel, ChannelSelection
from voicemill.audio.cuts import Segmentation
from voicemill.audio.download import is_url
from voicemill.audio.timestamps import parse_time_range
from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.rights import Rights
from voicemill.errors import UsageError
from voicemill.workspace import profile_id

if TYPE_CHECKING:
    from voicemill.dataset.description import DatasetDescription, PreparationSettings
    from voicemill.dataset.description_parts import SeparationMode
    from voicemill.dataset.edits import ClipEdit
    from voicemill_marks.origin import Origin

DEFAULT_SEED: Final = 1
"""Seed of the validation split in every app, so that a training finds the dataset that voice-prep made."""
DEFAULT_SEPARATOR: Final = "adefossez/htdemucs"
"""Demucs's own model, by its id on the allowlist."""
PEAK_LIMIT_DBFS: Final = -1.0
"""True peak that the gain never passes: headroom for the overshoot of resampling and lossy codecs."""


@dataclass(frozen=True)
class RecordingSource:
    """A recording, or a folder of recordings that read one script in the order of their names."""

    audio: Path
    script: Path | None = None  # text in reading order or a timed transcript; None is the file beside the recording
    tier: str | None = None  # of a TextGrid, the one with the words
    start: float | None = None  # first second of one long recording
    end: float | None = None  # second to stop before


@dataclass(frozen=True)
class WebRecordingSource:
    """A recording behind a web address, fetched with yt-dlp."""

    url: str
    script: Path | None = None
    tier: str | None = None
    start: float | None = None
    end: float | None = None

    def fetched(self, audio: Path) -> RecordingSource:
        """The same source once the recording is on this machine."""
        return RecordingSource(audio, self.script, self.tier, self.start, self.end)


@dataclass(frozen=True)
class ClipFolderSource:
    """A folder of short clips with a text beside each."""

    folder: Path
    tier: str | None = None


@dataclass(frozen=True)
class LJSpeechSource:
    """LJSpeech's `metadata.csv`; the clips lie in `audio`, or in `wavs/` beside it."""

    metadata: Path
    audio: Path | None = None


@dataclass(frozen=True)
class ManifestSource:
    """A NeMo manifest (JSON Lines), which names its recordings and their text."""

    manifest: Path


@dataclass(frozen=True)
class PreparedVoiceSource:
    """The dataset that was prepared, reviewed and edited under a name."""

    voice: str


Source: TypeAlias = (
    RecordingSource | WebRecordingSource | ClipFolderSource | LJSpeechSource | ManifestSource | PreparedVoiceSource
)


@dataclass(frozen=True)
class SourceOptions:
    """The command line's options about the source, as they were given; both apps have them."""

    audio: str | None = None
    start: str | None = None
    end: str | None = None
    script: Path | None = None
    tier: str | None = None
    metadata: Path | None = None
    dataset: Path | None = None
    track: int | None = None
    channel: Channel | None = None
    lexicon: Path | None = None
    consent: str | None = None
    licence: str | None = None
    replace_reviewed: bool = False

    def source(self, default_audio: Path | None = None) -> Source | None:
        """The source that the options name; None where they name none.

        Args:
            default_audio: recording or folder that a script without `--audio` belongs to; of metadata only a folder.

        Raises:
            UsageError: options that contradict each other.
        """
        audio, start_end = self.audio, parse_time_range(self.start, self.end)
        if self.dataset is not None:
            if audio or self.script or self.metadata:
                raise UsageError(
                    "--dataset and --audio, --script or --metadata are two sources; choose one.",
                    hint="A NeMo manifest has its own recordings and text: give --dataset alone.",
                )
            self._require_no_part("a NeMo manifest")
            return ManifestSource(self.dataset)
        if self.script is not None and self.metadata is not None:
            raise UsageError(
                "--script and --metadata are two sources of text; choose one.",
                hint="--script is for long recordings, --metadata for a folder of clips.",
            )
        if audio is None and default_audio is not None and (self.script or (self.metadata and default_audio.is_dir())):
            audio = str(default_audio)
        if self.metadata is not None:
            self._require_no_part("LJSpeech's metadata")
            return LJSpeechSource(self.metadata, None if audio is None else Path(audio))
        if not audio:
            if self.script is not None:
                raise UsageError("A script needs its recording.", hint="Name the recording with --audio.")
            return None
        if is_url(audio):
            return WebRecordingSource(audio, self.script, self.tier, *start_end)
        return recording_source(Path(audio), self.script, self.tier, *start_end)

    def of_recording(self, audio: Path, script: Path | None) -> Source:
        """A recording that the options do not name, with the part and the tier that they do name."""
        return recording_source(audio, script, self.tier, *parse_time_range(self.start, self.end))

    def require_alone(self, voice: str) -> None:
        """Refuse options that belong to recordings where a prepared dataset is taken as it is.

        Raises:
            UsageError: one of them is given.
        """
        for name in ("start", "end", "tier", "track", "channel", "lexicon"):
            if getattr(self, name) is not None:
                raise UsageError(
                    f"--{name} needs the recordings; without them the prepared dataset of {voice} is taken as it is.",
                    hint=f"Name the recordings with --audio, or leave --{name} out.",
                )

    def rights(self) -> Rights | None:
        """Consent and licence of the recordings; None where the options state neither.

        Raises:
            UsageError: `licence_invalid`, `consent_missing`, `consent_unreadable`.
        """
        if self.consent is None and self.licence is None:
            return None
        from voicemill.dataset.rights import parse_rights

        return parse_rights(self.consent, self.licence)

    def _require_no_part(self, source: str) -> None:
        for name in ("start", "end", "tier"):
            if getattr(self, name) is not None:
                what = "a tier of a TextGrid" if name == "tier" else "a part of one recording"
                raise UsageError(f"--{name} names {what}, and the source is {source}.", hint=f"Leave --{name} out.")


def recording_source(
    audio: Path,
    script: Path | None = None,
    tier: str | None = None,
    start: float | None = None,
    end: float | None = None,
) -> RecordingSource | ClipFolderSource:
    """One recording, a folder with one script, or a folder of clips.

    Raises:
        UsageError: a part of a folder is asked for.
    """
    folder = audio.is_dir()
    if folder and (start is not None or end is not None):
        raise UsageError(
            "--start and --end take a part of one recording.",
            hint="Name that recording with --audio, or leave --start and --end out.",
        )
    if folder and script is None:
        return ClipFolderSource(audio, tier)
    return RecordingSource(audio, script, tier, start, end)


INHERITABLE: Final = frozenset(
    {
        "seed",
        "segmentation",
        "target_lufs",
        "quality",
        "keep_rejected",
        "separate",
        "separator",
        "recognise",
        "device",
        "lexicon",
        "track",
        "channel",
    }
)
"""Settings of a `PreparationRequest` that an existing dataset of the same source can decide."""
_CONTENT = ("seed", "sample_rate", "target_lufs", "quality", "keep_rejected", "device", "separate", "recognise")
"""Fields of a `PreparationRequest` that go into the content key as they are."""


@dataclass(frozen=True)
class PreparationRequest:
    """One preparation. An app builds it once; a lane holds it."""

    voice: str  # names the dataset's folder and its clips
    source: Source

    # sound
    track: int | None = None  # audio track of each file, 1 is the first; None is the first
    channel: Channel | None = None  # left, right or best; None mixes all channels

    # text
    lexicon: Path | None = None  # pronunciations that come before the dictionary's
    recognise: str | None = None  # nemo:<id> or faster-whisper:<id>, for recordings without text

    check_words: bool = True  # ask the second recogniser, where it is installed, for single wrong words

    # clips
    sample_rate: int = 22_050  # Hz
    segmentation: Segmentation = field(default_factory=Segmentation)  # limits of an utterance
    target_lufs: float = -23.0  # integrated loudness of all clips together
    quality: QualityLimits = field(default_factory=QualityLimits)  # limits of a clip's figures
    keep_rejected: bool = False  # keep the audio of rejected clips in rejected/
    seed: int = DEFAULT_SEED  # of the validation split

    # separation of the voice from music and noise
    separate: SeparationMode = "auto"  # where music or noise is measured, always, or never
    separator: str = DEFAULT_SEPARATOR  # id of the weights on the allowlist

    # what marked recordings are compared with
    known_voices: Iterable[Origin] = ()  # whose synthetic speech is named if it is among the recordings
    trusted_signers: str | None = None  # certificates (PEM) whose signatures of recordings count as verified

    # decisions of people
    rights: Rights | None = None  # None keeps the statement made for the same recordings before
    edits: tuple[ClipEdit, ...] | None = None  # of a review; None reads edits.jsonl of the dataset's folder

    # how to run
    allowlist: Path | None = None  # of weights; None is the one that ships with voicemill
    device: str = "cpu"  # of the pitch extraction, `cpu` or `cuda`
    workers: int | None = None  # processes; None is one a core
    ray: str | None = None  # address of a Ray cluster that works on recordings and clips instead
    force: bool = False  # run every stage again, also where a cache has its result

    # the dataset that exists under this name
    inherited: frozenset[str] = frozenset()  # settings that it decides where it has the same source, see INHERITABLE
    replace_reviewed: bool = False  # replace it even if it has review edits and other settings

    def __post_init__(self) -> None:
        profile_id(self.voice)
        ChannelSelection(self.track, self.channel)  # raises ValueError
        if unknown := self.inherited - INHERITABLE:
            raise ValueError(f"not inheritable: {', '.join(sorted(unknown))}")

    @property
    def selection(self) -> ChannelSelection:
        """Track and channel."""
        return ChannelSelection(self.track, self.channel)

    @property
    def settings(self) -> PreparationSettings:
        """The part of the content key that is written to dataset.json."""
        from voicemill.dataset.clip_results import FRAME_LENGTH, HOP_LENGTH
        from voicemill.dataset.description import PreparationSettings

        part: dict[str, float | str | None] = {}
        match self.source:
            case RecordingSource(_, _, tier, start, end) | WebRecordingSource(_, _, tier, start, end):
                part = {"start": start, "end": end, "tier": tier}
            case ClipFolderSource(_, tier):
                part = {"tier": tier}
        return PreparationSettings(
            voice=self.voice,
            frame_length=FRAME_LENGTH,
            hop_length=HOP_LENGTH,
            peak_limit_dbfs=PEAK_LIMIT_DBFS,
            **part,  # type: ignore[arg-type]
            **dataclasses.asdict(self.segmentation),
            **{name: getattr(self, name) for name in _CONTENT},
        )

    def for_training(self, sample_rate: int, seed: int, quality: QualityLimits) -> PreparationRequest:
        """The request with the settings that a training configuration decides.

        Args:
            sample_rate: Hz.
            seed: of the configuration, which has the command line's where one was given.
            quality: limits of the clips; the defaults leave the existing dataset's.
        """
        own = frozenset() if quality == QualityLimits() else frozenset({"quality"})
        return dataclasses.replace(
            self, sample_rate=sample_rate, seed=seed, quality=quality, inherited=self.inherited - own
        )

    def inheriting(self, described: DatasetDescription) -> PreparationRequest:
        """The request with the settings named in `inherited` taken from an existing dataset."""
        settings, separation = described.settings, described.separation
        known: dict[str, object] = {name: getattr(settings, name) for name in _CONTENT}
        known["segmentation"] = Segmentation(
            **{limit.name: getattr(settings, limit.name) for limit in dataclasses.fields(Segmentation)}
        )
        chosen = ChannelSelection.from_record(described.tools)
        known |= {"track": chosen.track, "channel": chosen.channel}
        known["separator"] = (separation.weights_id if separation else None) or self.separator
        changes = {name: known[name] for name in self.inherited if name in known}
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
