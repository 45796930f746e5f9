"""Settings from the environment, read once by each app and script (operator contract, section 5).

The library never reads the environment itself: an entry point passes `os.environ` in and the settings on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from voicemill import git
from voicemill.errors import UsageError
from voicemill.locks import LANE_LOCK
from voicemill.variables import Variables
from voicemill.workspace import Paths, Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the checkout (or of the image's copy of it)."""

DEFAULT_BASE_WEIGHTS = "nvidia/nemo-tts-fastpitch-en"
"""Base weights of the NeMo lane and the PROD_TTS steps by default; otherwise the preset decides."""
FROM_SCRATCH = "voicemill/from-scratch"
"""Allowlist id for training without third-party weights."""
BASE_FASTPITCH = "voicemill/base-en-people-fastpitch"
"""Allowlist id of the embedded base of weights alone."""
DEMO_AUDIO = Path("data/demo/demo.flac")
"""The bundled recording, below the repository."""
RUNTIMES = ("docker", "podman", "direct")
VARIANTS = ("cpu", "gpu")
CHECKED = (
    "TOOLBOX_RUNTIME",
    "TOOLBOX_VARIANT",
    "PROD_TTS_DRY_RUN",
    "PROD_TTS_MAX_STEPS",
    "PROD_TTS_RESUME",
    "PROD_TTS_DEVICES",
    "PROD_TTS_NODES",
    "PROD_TTS_OPTIONAL_STRICT",
    LANE_LOCK,
)
"""Variables whose values can make no sense."""
DEFAULT_VOICE = "dottie_default"
DEFAULT_DISPLAY_NAME = "Dottie"
MAX_UNMARKED_REASON = 200
"""Characters of VOICEMILL_UNMARKED."""


@dataclass(frozen=True)
class PipSpecs:
    """Packages that the Colab entry point installs first in a real run."""

    core: tuple[str, ...] = ()
    tts: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    optional_strict: bool = False

    @classmethod
    def read(cls, variables: Variables) -> PipSpecs:
        return cls(
            core=variables.words("PROD_TTS_PIP_CORE_SPECS"),
            tts=variables.words("PROD_TTS_PIP_TTS_SPECS"),
            optional=variables.words("PROD_TTS_PIP_OPTIONAL_SPECS"),
            optional_strict=variables.flag("PROD_TTS_OPTIONAL_STRICT"),
        )


@dataclass(frozen=True)
class LaunchSettings:
    """Which lane runs, and where.

    Attributes:
        lane: TRAIN_LANE.
        backend: TRAIN_BACKEND.
        job_type: TRAIN_JOB_TYPE, the job's name in statuses; `None` is the lane's own.
        expected_head: EXPECTED_HEAD, the commit that has to run.
        managed: VOICEMILL_MANAGED, the SkyPilot task file of a managed job; `None` blocks TRAIN_BACKEND=managed_job.
        lane_lock: VOICEMILL_LANE_LOCK, see `voicemill.locks.lane_lock`.
    """

    lane: str
    backend: str
    job_type: str | None
    expected_head: str | None
    managed: Path | None
    lane_lock: int | None

    @classmethod
    def read(cls, variables: Variables) -> LaunchSettings:
        return cls(
            lane=variables.text("TRAIN_LANE") or "tts_prod_train",
            backend=variables.text("TRAIN_BACKEND") or "local_docker",
            job_type=variables.text("TRAIN_JOB_TYPE"),
            expected_head=variables.text("EXPECTED_HEAD"),
            managed=variables.path("VOICEMILL_MANAGED"),
            lane_lock=variables.positive(LANE_LOCK),
        )


@dataclass(frozen=True)
class ContainerSettings:
    """How the container is made.

    Attributes:
        runtime: TOOLBOX_RUNTIME; `None` takes the one that is available.
        variant: TOOLBOX_VARIANT, `cpu` or `gpu`.
        image: IMAGE_TAG; `None` is the variant's image.
        dockerfile: DOCKERFILE; `None` is the variant's.
    """

    runtime: str | None
    variant: str
    image: str | None
    dockerfile: Path | None

    @classmethod
    def read(cls, variables: Variables) -> ContainerSettings:
        return cls(
            runtime=variables.choice("TOOLBOX_RUNTIME", RUNTIMES),
            variant=variables.choice("TOOLBOX_VARIANT", VARIANTS) or VARIANTS[0],
            image=variables.text("IMAGE_TAG"),
            dockerfile=variables.path("DOCKERFILE"),
        )


RequiredConsent = Literal["any", "recorded"]
"""`any`: written or recorded."""


@dataclass(frozen=True)
class VoiceSettings:
    """VOICE_PROFILE_ID, VOICE_DISPLAY_NAME, VOICEMILL_UNMARKED and VOICEMILL_REQUIRE_CONSENT.

    Attributes:
        unmarked: the reason why the voice's speech is to carry no marks (docs/marking.md); recorded in its bundle.
        require_consent: refuse a voice without the speaker's consent: `any`, or `recorded`.
    """

    profile_id: str
    display_name: str
    unmarked: str | None = None
    require_consent: RequiredConsent | None = None


@dataclass(frozen=True)
class SourceSettings:
    """What a lane prepares: AUDIO_PATH, PROD_TTS_DATASET_MANIFEST or PROD_TTS_SOURCE_DIR."""

    audio: Path | None
    manifest: Path | None
    folder: Path | None


@dataclass(frozen=True)
class WeightsSettings:
    """Which base weights may be used.

    Attributes:
        base_id: PROD_TTS_BASE_WEIGHTS_ID; `None` lets the preset decide.
        allowlist: PROD_TTS_ALLOWLIST.
        manifest: WEIGHTS_MANIFEST_PATH, the weights manifest that the launcher checks.
    """

    base_id: str | None
    allowlist: Path
    manifest: Path | None


@dataclass(frozen=True)
class TrainingSettings:
    """How a voice is trained.

    Attributes:
        config: PROD_TTS_CONFIG, the file of the presets.
        preset: PROD_TTS_PRESET; `None` lets base weights and device decide.
        device: TORCH_DEVICE.
        ray_address: RAY_ADDRESS, of the head node for TRAIN_BACKEND=ray; `None` is the cluster of this machine.
    """

    config: Path
    preset: str | None
    max_steps: int | None
    resume: bool
    devices: int | None
    nodes: int | None
    device: str | None
    ray_address: str | None

    @classmethod
    def read(cls, variables: Variables, config: Path) -> TrainingSettings:
        return cls(
            config=variables.path("PROD_TTS_CONFIG") or config,
            preset=variables.text("PROD_TTS_PRESET"),
            max_steps=variables.positive("PROD_TTS_MAX_STEPS"),
            resume=variables.flag("PROD_TTS_RESUME"),
            devices=variables.positive("PROD_TTS_DEVICES"),
            nodes=variables.positive("PROD_TTS_NODES"),
            device=variables.text("TORCH_DEVICE"),
            ray_address=variables.text("RAY_ADDRESS"),
        )


@dataclass(frozen=True)
class Settings:
    """The contract's environment variables, by purpose.

    Attributes:
        paths: where results go.
        head: the commit that runs (40 hex digits, or `unknown`).
        commit: the commit that manifests record: PROD_TTS_COMMIT, else `head`.
        fault: a variable has a value that makes no sense; a lane refuses it once its status exists.
    """

    repository: Path
    paths: Paths
    launch: LaunchSettings
    container: ContainerSettings
    voice: VoiceSettings
    source: SourceSettings
    weights: WeightsSettings
    training: TrainingSettings
    dry_run: bool
    head: str
    commit: str
    pip_specs: PipSpecs
    casimir_url: str | None
    source_date_epoch: str | None
    fault: UsageError | None = None

    @property
    def workspace(self) -> Workspace:
        return self.paths.workspace

    def with_base_weights(self, base_id: str | None) -> Settings:
        """The settings with these base weights where the environment names none."""
        weights = dataclasses.replace(self.weights, base_id=self.weights.base_id or base_id)
        return dataclasses.replace(self, weights=weights)

    @classmethod
    def for_lane(
        cls, environ: Mapping[str, str], *, repository: Path = REPOSITORY, work_dir: Path | None = None
    ) -> Settings:
        """Read the variables as `from_environment` does, but record a `fault` instead of raising it."""
        try:
            return cls.from_environment(environ, repository=repository, work_dir=work_dir)
        except UsageError as error:
            rest = {name: value for name, value in environ.items() if name not in CHECKED}
            settings = cls.from_environment(rest, repository=repository, work_dir=work_dir)
            return dataclasses.replace(settings, fault=error)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, repository: Path = REPOSITORY, work_dir: Path | None = None
    ) -> Settings:
        """Read the contract's variables; an empty one counts as not set.

        Args:
            environ: usually `os.environ`.
            repository: root of the checkout.
            work_dir: where results go when WORK_DIR is not set (apps: `<repository>/work`; scripts: the current
            directory).

        Raises:
            UsageError: a variable has a value that makes no sense.
        """
        variables = Variables(environ)
        workspace = Workspace(
            work=variables.path("WORK_DIR") or work_dir or repository / "work",
            cache=variables.path("CACHE_DIR") or repository / "cache",
        )
        configs = repository / "configs" / "voice" / "prod_tts"
        head = git.head_commit(repository, variables.text("VOICEMILL_COMMIT"))
        return cls(
            repository=repository,
            paths=Paths.read(variables, workspace),
            launch=LaunchSettings.read(variables),
            container=ContainerSettings.read(variables),
            voice=VoiceSettings(
                profile_id=variables.text("VOICE_PROFILE_ID") or DEFAULT_VOICE,
                display_name=variables.text("VOICE_DISPLAY_NAME") or DEFAULT_DISPLAY_NAME,
                unmarked=_unmarked(variables.text("VOICEMILL_UNMARKED")),
                require_consent=cast(
                    "RequiredConsent | None", variables.choice("VOICEMILL_REQUIRE_CONSENT", ("any", "recorded"))
                ),
            ),
            source=SourceSettings(
                audio=variables.path("AUDIO_PATH"),
                manifest=variables.path("PROD_TTS_DATASET_MANIFEST"),
                folder=variables.path("PROD_TTS_SOURCE_DIR"),
            ),
            weights=WeightsSettings(
                base_id=variables.text("PROD_TTS_BASE_WEIGHTS_ID"),
                allowlist=variables.path("PROD_TTS_ALLOWLIST") or configs / "weights_allowlist.json",
                manifest=variables.path("WEIGHTS_MANIFEST_PATH"),
            ),
            training=TrainingSettings.read(variables, configs / "nemo_fastpitch_hifigan.yaml"),
            dry_run=variables.flag("PROD_TTS_DRY_RUN"),
            head=head,
            commit=variables.text("PROD_TTS_COMMIT") or head,
            pip_specs=PipSpecs.read(variables),
            casimir_url=variables.text("CASIMIR_PUBLIC_BASE_URL") or variables.text("CASIMIR_VERIFY_URL"),
            source_date_epoch=variables.text("SOURCE_DATE_EPOCH"),
        )


def is_demo(path: Path, repository: Path) -> bool:
    """Whether `path` is the bundled recording."""
    demo = repository / DEMO_AUDIO
    return path.exists() and demo.exists() and path.samefile(demo)


def _unmarked(reason: str | None) -> str | None:
    if reason is None or (len(reason) <= MAX_UNMARKED_REASON and reason.isprintable()):
        return reason
    raise UsageError(
        "VOICEMILL_UNMARKED is not a sentence of one line.",
        reason="unmarked_reason_invalid",
        hint=f"Give the reason in at most {MAX_UNMARKED_REASON} characters, or unset it.",
    )
