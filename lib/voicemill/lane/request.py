"""A lane's request: the preparation of the voice, and how to train it; checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voicemill.bundle.origins import PromotedOrigins
from voicemill.dataset.request import (
    INHERITABLE,
    ClipFolderSource,
    LJSpeechSource,
    ManifestSource,
    PreparationRequest,
    PreparedVoiceSource,
    RecordingSource,
    Source,
    SourceOptions,
    WebRecordingSource,
)
from voicemill.errors import AudioError, BlockedError, UsageError
from voicemill.launch.preflight import RAY
from voicemill.settings import BASE_FASTPITCH, DEMO_AUDIO, FROM_SCRATCH, Settings, is_demo
from voicemill.variables import DEFAULT_VOICE
from voicemill.weights.allowlist import load_allowlist
from voicemill.workspace import display_name
from voicemill_marks.anchors import anchors_of_environment

DEMO_SCRIPT = Path("data/demo/script.txt")
CLUSTER_OF_THIS_MACHINE = "auto"
FINETUNE_WEIGHTS = ("nvidia/nemo-tts-fastpitch-en", "nvidia/nemo-tts-hifigan-en")
"""Checkpoints that the preset `finetune` starts from."""


@dataclass(frozen=True)
class LaneOptions:
    """The options of `voice-train-prod` as they were given; None leaves a choice to the environment or the preset."""

    source: SourceOptions = field(default_factory=SourceOptions)
    voice: str | None = None
    display_name: str | None = None
    preset: str | None = None
    max_steps: int | None = None
    seed: int | None = None
    base_weights: str | None = None
    init_from: Path | None = None
    find_learning_rate: bool = False
    devices: int | None = None
    nodes: int | None = None
    ray: str | None = None
    force: bool = False
    resume: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class LaneRequest:
    """One voice: its preparation and its training."""

    preparation: PreparationRequest
    display_name: str  # name that people see

    # training
    preset: str
    max_steps: int | None
    seed: int | None  # None is the preset's
    base_weights: str | None  # id on the allowlist; None is the preset's
    init_from: Path | None  # FastPitch of an earlier voice to start from
    find_learning_rate: bool
    devices: int
    nodes: int

    # how to run
    resume: bool
    dry_run: bool
    note: str | None = None  # a sentence for the person about the choice of the source

    @classmethod
    def from_options(cls, settings: Settings, options: LaneOptions) -> LaneRequest:
        """Join the command line with the environment; an option wins over a variable, a variable over the default.

        Raises:
            UsageError: options that contradict each other.
            AudioError: a named recording does not exist.
        """
        if options.base_weights and options.init_from:
            raise UsageError("--base-weights and --init-from are two starts; choose one.")
        voice = options.voice or settings.voice.profile_id
        cluster, inherited = _cluster(options, settings), INHERITABLE - _given(options)
        preparation = PreparationRequest(
            voice=voice,
            source=_source(settings, options, voice),
            track=options.source.track,
            channel=options.source.channel,
            lexicon=options.source.lexicon,
            known_voices=PromotedOrigins(settings.paths.promoted_bundles),
            trusted_signers=anchors_of_environment(),
            rights=options.source.rights(),
            allowlist=settings.weights.allowlist,
            ray=cluster,
            force=options.force,
            inherited=inherited,
            replace_reviewed=options.source.replace_reviewed,
        )
        _require_files(preparation)
        base_weights = None if options.init_from else options.base_weights or settings.weights.base_id
        return cls(
            preparation=preparation,
            display_name=display_name(options.display_name or options.voice or settings.voice.display_name),
            preset=options.preset or default_preset(settings, base_weights),
            max_steps=options.max_steps or settings.training.max_steps,
            seed=options.seed,
            base_weights=base_weights,
            init_from=options.init_from,
            find_learning_rate=options.find_learning_rate,
            devices=options.devices or settings.training.devices or 1,
            nodes=options.nodes or settings.training.nodes or 1,
            resume=options.resume or settings.training.resume,
            dry_run=options.dry_run or settings.dry_run,
            note=_note(settings, options, preparation.source),
        )


def _given(options: LaneOptions) -> set[str]:
    """Settings of the command line, which no existing dataset decides."""
    given = {"seed": options.seed, "track": options.source.track, "channel": options.source.channel}
    return {name for name, value in given.items() if value is not None}


def _source(settings: Settings, options: LaneOptions, voice: str) -> Source:
    """The source of the command line, else the prepared dataset of the voice, the environment's source, or the demo."""
    given, environment = options.source, settings.source.audio or settings.source.folder
    if (named := given.source(settings.source.audio)) is not None:
        return named
    manifest = settings.source.manifest
    if manifest is not None and not manifest.is_file() and environment is not None:
        manifest = None
    from_environment = manifest is not None or environment is not None
    may_be_prepared = options.voice is not None or (voice != DEFAULT_VOICE and not from_environment)
    if may_be_prepared and (settings.workspace.dataset(voice) / "dataset.json").is_file():
        given.require_alone(voice)
        return PreparedVoiceSource(voice)
    if manifest is not None:
        return ManifestSource(manifest)
    audio = environment or settings.repository / DEMO_AUDIO
    script = settings.repository / DEMO_SCRIPT if is_demo(audio, settings.repository) else None
    return given.of_recording(audio, script)


def _note(settings: Settings, options: LaneOptions, source: Source) -> str | None:
    if options.voice is None or isinstance(source, PreparedVoiceSource) or options.source.source(None) is not None:
        return None
    demo = isinstance(source, RecordingSource) and is_demo(source.audio, settings.repository)
    place = "the demo recording is trained" if demo else "the source of the environment is trained"
    return f"No dataset is prepared under the name {options.voice}, and no source is named: {place}."


def _require_files(preparation: PreparationRequest) -> None:
    """Refuse in the first second what the preparation would refuse later."""
    audio, texts = None, [preparation.lexicon]
    match preparation.source:
        case RecordingSource(recording, script):
            audio, texts = recording, [script, *texts]
        case ClipFolderSource(folder):
            audio = folder
        case LJSpeechSource(metadata, clips):
            audio, texts = clips, [metadata, *texts]
        case WebRecordingSource(_, script):
            texts = [script, *texts]
    if audio is not None and not audio.exists():
        raise AudioError(
            f"There is no recording at {audio}.",
            reason="missing_audio_path",
            hint="Name a file or folder with --audio, or in AUDIO_PATH.",
            details={"path": audio},
        )
    for text in texts:
        if text is not None and not text.is_file():
            raise UsageError(f"There is no file {text}.", reason="missing_input_file", hint="Check the path.")


def default_preset(settings: Settings, base_weights: str | None = None) -> str:
    """PROD_TTS_PRESET, else a preset for the base weights and the device.

    A checkpoint of the allowlist is fine-tuned; the embedded base FastPitch has the sizes of `cpu`. Without either, the
    preset is `cpu` without an NVIDIA GPU. With one it is `scratch` if the base weights are `voicemill/from-scratch`,
    else `finetune` if the allowlist pins its checkpoints, else `gpu`, which needs none. A GPU is detected by its device
    node, without importing torch.
    """
    if settings.training.preset:
        return settings.training.preset
    if base_weights == BASE_FASTPITCH:
        return "cpu"
    if base_weights and base_weights != FROM_SCRATCH:
        return "finetune"
    device = settings.training.device
    gpu = device != "cpu" and (device == "cuda" or Path("/dev/nvidia0").exists())
    if base_weights == FROM_SCRATCH:
        return "scratch" if gpu else "cpu"
    if not gpu:
        return "cpu"
    return "finetune" if _pinned(settings.weights.allowlist, FINETUNE_WEIGHTS) else "gpu"


def _pinned(path: Path, ids: tuple[str, ...]) -> bool:
    """Whether the allowlist gives a sha256 for each file of these entries; a list that cannot be read pins nothing.

    The gates report such a list later.
    """
    try:
        listed = load_allowlist(path).allowlist
    except BlockedError:
        return False
    entries = [listed.find(each) for each in ids]
    return all(entry is not None and all(item.sha256 for item in entry.files) for entry in entries)


def _cluster(options: LaneOptions, settings: Settings) -> str | None:
    """Address of the Ray cluster that prepares and trains; None if none is requested."""
    if options.ray is None and settings.launch.backend != RAY:
        return None
    if options.ray in (None, CLUSTER_OF_THIS_MACHINE):
        return settings.training.ray_address or CLUSTER_OF_THIS_MACHINE
    return options.ray
