"""What a lane is asked to do, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from voicemill.audio.download import parse_source
from voicemill.audio.timestamps import parse_time_range
from voicemill.errors import AudioError, UsageError
from voicemill.launch.preflight import RAY
from voicemill.settings import DEMO_AUDIO, FROM_SCRATCH, Settings, is_demo
from voicemill.workspace import profile_id

if TYPE_CHECKING:
    from voicemill.dataset.limits import QualityLimits
    from voicemill.dataset.prepare import PrepareRequest
    from voicemill.dataset.rights import Rights

DEMO_SCRIPT = Path("data/demo/script.txt")


@dataclass(frozen=True)
class LaneRequest:
    """One voice to make: its sources, its name, and how to train it."""

    # sources
    audio: Path | None
    url: str | None
    start: float | None
    end: float | None
    script: Path | None
    tier: str | None
    metadata: Path | None
    dataset: Path | None
    lexicon: Path | None
    rights: Rights | None
    # the voice
    voice: str
    display_name: str
    # training
    preset: str
    max_steps: int | None
    seed: int | None
    base_weights: str | None
    init_from: Path | None
    find_learning_rate: bool
    devices: int
    nodes: int
    # how to run
    ray: str | None
    force: bool
    resume: bool
    dry_run: bool

    @classmethod
    def from_options(cls, settings: Settings, options: Mapping[str, object]) -> LaneRequest:
        """Join the command line with the environment; an option wins over a variable, a variable over the default.

        Raises:
            UsageError: options that contradict each other.
            AudioError: a named source is not there.
        """
        (audio, url), dataset = (
            parse_source(options.get("audio")),
            _path(options, "dataset") or settings.dataset_manifest,
        )
        start, end = parse_time_range(cast("str | None", options.get("start")), cast("str | None", options.get("end")))
        script, metadata = _path(options, "script"), _path(options, "metadata")
        if options.get("dataset") and (audio or url):
            raise UsageError("--dataset and --audio are two sources; choose one.")
        if script and metadata:
            raise UsageError("--script and --metadata are two sources of text; choose one.")
        if (script or metadata) and not (audio or url or settings.audio_path):
            raise UsageError("A script or metadata needs its recording.", hint="Name it with --audio.")
        if audio or url:
            dataset = None
        elif not dataset or _replaceable(dataset, options, settings):
            dataset = None
            audio = settings.audio_path or settings.source_dir or settings.repository / DEMO_AUDIO
            if is_demo(audio, settings.repository):
                script = script or settings.repository / DEMO_SCRIPT
        if audio and not audio.exists():
            raise AudioError(
                f"There is no recording at {audio}.",
                reason="missing_audio_path",
                hint="Name a file or folder with --audio, or in AUDIO_PATH.",
                details={"path": audio},
            )
        for text in (script, metadata, _path(options, "lexicon")):
            if text and not text.is_file():
                raise UsageError(f"There is no file {text}.", reason="missing_input_file", hint="Check the path.")
        voice = str(options.get("voice") or settings.voice_profile_id)
        named, init_from = cast("str | None", options.get("base_weights")), _path(options, "init_from")
        if named and init_from:
            raise UsageError("--base-weights and --init-from are two starts; choose one.")
        base_weights = None if init_from else named or settings.base_weights_id
        return cls(
            audio=audio,
            url=url,
            start=start,
            end=end,
            script=script,
            tier=cast("str | None", options.get("tier")),
            metadata=metadata,
            dataset=dataset,
            lexicon=_path(options, "lexicon"),
            rights=_stated(options),
            voice=profile_id(voice),
            display_name=str(
                options.get("display_name") or (settings.voice_display_name if not options.get("voice") else voice)
            ),
            preset=str(options.get("preset") or default_preset(settings, base_weights)),
            max_steps=cast("int | None", options.get("max_steps")) or settings.max_steps,
            seed=cast("int | None", options.get("seed")),
            base_weights=base_weights,
            init_from=init_from,
            find_learning_rate=bool(options.get("find_learning_rate")),
            devices=cast("int | None", options.get("devices")) or settings.devices or 1,
            nodes=cast("int | None", options.get("nodes")) or settings.nodes or 1,
            ray=_cluster(options, settings),
            force=bool(options.get("force")),
            resume=bool(options.get("resume")) or settings.resume,
            dry_run=bool(options.get("dry_run")) or settings.dry_run,
        )

    def preparation(self, sample_rate: int, seed: int, quality: QualityLimits, allowlist: Path) -> PrepareRequest:
        """What the dataset room has to prepare; `allowlist` judges the weights of its tools."""
        from voicemill.dataset.prepare import PrepareRequest

        return PrepareRequest(
            voice=self.voice,
            audio=self.audio,
            url=self.url,
            start=self.start,
            end=self.end,
            script=self.script,
            tier=self.tier,
            metadata=self.metadata,
            dataset=self.dataset,
            lexicon=self.lexicon,
            rights=self.rights,
            sample_rate=sample_rate,
            quality=quality,
            allowlist=allowlist,
            seed=seed,
            force=self.force,
            ray=self.ray,
        )


def default_preset(settings: Settings, base_weights: str | None = None) -> str:
    """PROD_TTS_PRESET, else what fits base weights and device; looks at the device node, so that torch stays out.

    A checkpoint of the allowlist is fine-tuned. Without one it is `finetune` on an NVIDIA GPU and `cpu` elsewhere, and
    where weights from scratch are asked for, `scratch` on a GPU.
    """
    if settings.preset:
        return settings.preset
    if base_weights and base_weights != FROM_SCRATCH:
        return "finetune"
    device = settings.torch_device
    gpu = device != "cpu" and (device == "cuda" or Path("/dev/nvidia0").exists())
    if base_weights == FROM_SCRATCH:
        return "scratch" if gpu else "cpu"
    return "finetune" if gpu else "cpu"


def _cluster(options: Mapping[str, object], settings: Settings) -> str | None:
    """Address of the Ray cluster that prepares and trains; None where none was asked for."""
    named = cast("str | None", options.get("ray"))
    if named is None and settings.train_backend != RAY:
        return None
    from voicemill.dataset.cluster import RUNNING

    return settings.ray_address or RUNNING if named in (None, RUNNING) else named


def _replaceable(dataset: Path, options: Mapping[str, object], settings: Settings) -> bool:
    """Whether a manifest of the environment is not there yet, and source audio is, to make one from."""
    named = options.get("dataset") is not None
    return not named and not dataset.is_file() and bool(settings.audio_path or settings.source_dir)


def _path(options: Mapping[str, object], name: str) -> Path | None:
    value = options.get(name)
    return Path(str(value)) if value else None


def _stated(options: Mapping[str, object]) -> Rights | None:
    """Consent and licence as the operator stated them; where nothing was, nothing is loaded to judge it."""
    consent, licence = (cast("str | None", options.get(name)) for name in ("consent", "licence"))
    if consent is None and licence is None:
        return None
    from voicemill.voices.rights import parse_rights

    return parse_rights(consent, licence)
