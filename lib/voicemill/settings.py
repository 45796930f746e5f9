"""Settings from the environment, read once by each app and script (operator contract, section 5).

The library never reads the environment itself: an entry point passes `os.environ` in and the settings on.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from voicemill import files, git
from voicemill.errors import UsageError
from voicemill.git import GitError
from voicemill.locks import LANE_LOCK
from voicemill.workspace import Workspace, profile_id

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the checkout (or of the image's copy of it)."""

DEFAULT_BASE_WEIGHTS = "nvidia/nemo-tts-fastpitch-en"
"""Base weights of the NeMo lane and the PROD_TTS steps by default; otherwise the preset decides."""
FROM_SCRATCH = "voicemill/from-scratch"
"""Allowlist id for training without third-party weights."""
LOG_NAME = "voice_train_prod.orchestrator.log"
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


@dataclass(frozen=True)
class PipSpecs:
    """Packages that the Colab entry point installs first in a real run."""

    core: tuple[str, ...] = ()
    tts: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    optional_strict: bool = False


@dataclass(frozen=True)
class Paths:
    """Where a lane writes: the workspace's folders unless the environment names others.

    Attributes:
        workspace: the work and cache directories.
        artifacts: statuses and evaluation.
        training_status: `prod_tts_train_status.json`.
        evaluation: `prod_tts_eval.json`.
        checkpoints: a folder for each voice.
        production_bundle: folder of the bundle that is promoted next.
        promoted_bundles: a folder for each promoted voice.
        orchestrator_log: log of `train_production_voice.sh`.
        lane_status_file: TRAIN_STATUS_PATH; see `lane_status`.
        training_status_given: PROD_TTS_STATUS_PATH, which the status records as its own path.
    """

    workspace: Workspace
    artifacts: Path
    training_status: Path
    evaluation: Path
    checkpoints: Path
    production_bundle: Path
    promoted_bundles: Path
    orchestrator_log: Path
    lane_status_file: Path | None
    training_status_given: Path | None = None

    def lane_status(self, job: str) -> Path:
        """The status file of a lane whose job has this name."""
        return self.lane_status_file or self.workspace.lane_status(job)

    def promoted(self, voice: str) -> Path:
        """Folder of the promoted bundle of a voice.

        Raises:
            UsageError: the voice id cannot be used as a folder name.
        """
        return self.promoted_bundles / profile_id(voice) / "voice_bundle"

    @classmethod
    def read(cls, path: Callable[[str], Path | None], workspace: Workspace) -> Paths:
        """The paths of the environment; `path` reads one variable."""
        artifacts = path("PROD_TTS_ARTIFACTS_DIR") or workspace.artifacts
        return cls(
            workspace=workspace,
            artifacts=artifacts,
            training_status=path("PROD_TTS_STATUS_PATH") or artifacts / "prod_tts_train_status.json",
            evaluation=path("PROD_TTS_EVAL_PATH") or artifacts / "prod_tts_eval.json",
            checkpoints=path("PROD_TTS_CHECKPOINTS_DIR") or workspace.checkpoints,
            production_bundle=path("PROD_TTS_BUNDLE_DIR") or workspace.production_bundle,
            promoted_bundles=path("PROMOTED_BUNDLE_ROOT") or workspace.bundles,
            orchestrator_log=path("LOG_PATH") or workspace.artifacts / LOG_NAME,
            lane_status_file=path("TRAIN_STATUS_PATH"),
            training_status_given=path("PROD_TTS_STATUS_PATH"),
        )


@dataclass(frozen=True)
class Settings:
    """The contract's environment variables.

    Attributes:
        paths: where results go.
        head: the commit that runs (40 hex digits, or `unknown`); `commit` is what manifests record, and may be given.
        preset: PROD_TTS_PRESET; `None` lets base weights and device decide.
        ray_address: RAY_ADDRESS, of the head node for TRAIN_BACKEND=ray; `None` is the cluster of this machine.
        runtime: TOOLBOX_RUNTIME; `None` takes the one that is available.
        lane_lock: VOICEMILL_LANE_LOCK, see `voicemill.locks.lane_lock`.
        fault: a variable has a value that makes no sense; a lane refuses it once its status exists.
        managed: VOICEMILL_MANAGED, the SkyPilot task file of a managed job; `None` blocks TRAIN_BACKEND=managed_job.
    """

    repository: Path
    paths: Paths
    train_backend: str
    train_lane: str
    train_job_type: str | None
    audio_path: Path | None
    head: str
    expected_head: str | None
    weights_manifest_path: Path | None
    image_tag: str | None
    dockerfile: Path | None
    runtime: str | None
    variant: str
    voice_profile_id: str
    voice_display_name: str
    dry_run: bool
    base_weights_id: str | None
    allowlist: Path
    config: Path
    dataset_manifest: Path | None
    source_dir: Path | None
    commit: str
    max_steps: int | None
    preset: str | None
    resume: bool
    devices: int | None
    nodes: int | None
    ray_address: str | None
    pip_specs: PipSpecs
    torch_device: str | None
    casimir_url: str | None
    source_date_epoch: str | None
    managed: Path | None
    lane_lock: int | None = None
    fault: UsageError | None = None

    @property
    def workspace(self) -> Workspace:
        return self.paths.workspace

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

        def text(name: str) -> str | None:
            value = environ.get(name, "").strip()
            files.check_utf8(value, f"The variable {name}")
            return value or None

        def path(name: str) -> Path | None:
            value = text(name)
            return Path(value) if value else None

        configs = repository / "configs" / "voice" / "prod_tts"
        workspace = Workspace(
            work=path("WORK_DIR") or work_dir or repository / "work", cache=path("CACHE_DIR") or repository / "cache"
        )
        head = head_commit(repository, text("VOICEMILL_COMMIT"))
        return cls(
            repository=repository,
            paths=Paths.read(path, workspace),
            train_backend=text("TRAIN_BACKEND") or "local_docker",
            train_lane=text("TRAIN_LANE") or "tts_prod_train",
            train_job_type=text("TRAIN_JOB_TYPE"),
            audio_path=path("AUDIO_PATH"),
            head=head,
            expected_head=text("EXPECTED_HEAD"),
            weights_manifest_path=path("WEIGHTS_MANIFEST_PATH"),
            image_tag=text("IMAGE_TAG"),
            dockerfile=path("DOCKERFILE"),
            runtime=_choice(text("TOOLBOX_RUNTIME"), "TOOLBOX_RUNTIME", RUNTIMES),
            variant=_choice(text("TOOLBOX_VARIANT"), "TOOLBOX_VARIANT", VARIANTS) or VARIANTS[0],
            voice_profile_id=text("VOICE_PROFILE_ID") or DEFAULT_VOICE,
            voice_display_name=text("VOICE_DISPLAY_NAME") or DEFAULT_DISPLAY_NAME,
            dry_run=flag(text("PROD_TTS_DRY_RUN"), "PROD_TTS_DRY_RUN"),
            base_weights_id=text("PROD_TTS_BASE_WEIGHTS_ID"),
            allowlist=path("PROD_TTS_ALLOWLIST") or configs / "weights_allowlist.json",
            config=path("PROD_TTS_CONFIG") or configs / "nemo_fastpitch_hifigan.yaml",
            dataset_manifest=path("PROD_TTS_DATASET_MANIFEST"),
            source_dir=path("PROD_TTS_SOURCE_DIR"),
            commit=text("PROD_TTS_COMMIT") or head,
            max_steps=_positive(text("PROD_TTS_MAX_STEPS"), "PROD_TTS_MAX_STEPS"),
            preset=text("PROD_TTS_PRESET"),
            resume=flag(text("PROD_TTS_RESUME"), "PROD_TTS_RESUME"),
            devices=_positive(text("PROD_TTS_DEVICES"), "PROD_TTS_DEVICES"),
            nodes=_positive(text("PROD_TTS_NODES"), "PROD_TTS_NODES"),
            ray_address=text("RAY_ADDRESS"),
            pip_specs=PipSpecs(
                core=tuple(environ.get("PROD_TTS_PIP_CORE_SPECS", "").split()),
                tts=tuple(environ.get("PROD_TTS_PIP_TTS_SPECS", "").split()),
                optional=tuple(environ.get("PROD_TTS_PIP_OPTIONAL_SPECS", "").split()),
                optional_strict=flag(text("PROD_TTS_OPTIONAL_STRICT"), "PROD_TTS_OPTIONAL_STRICT"),
            ),
            torch_device=text("TORCH_DEVICE"),
            casimir_url=text("CASIMIR_PUBLIC_BASE_URL") or text("CASIMIR_VERIFY_URL"),
            source_date_epoch=text("SOURCE_DATE_EPOCH"),
            managed=path("VOICEMILL_MANAGED"),
            lane_lock=_positive(text(LANE_LOCK), LANE_LOCK),
        )


def is_demo(path: Path, repository: Path) -> bool:
    """Whether `path` is the bundled recording."""
    demo = repository / DEMO_AUDIO
    return path.exists() and demo.exists() and path.samefile(demo)


def _choice(value: str | None, name: str, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value[:40]!r}.")
    return value


def flag(value: str | None, name: str) -> bool:
    """`0` or `1`; unset is 0.

    Raises:
        UsageError: anything else.
    """
    if value not in (None, "0", "1"):
        raise UsageError(f"{name} must be 0 or 1, not {value!r}.", hint=f"Set {name}=0 or {name}=1, or unset it.")
    return value == "1"


def _positive(value: str | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not 0 < int(value[:12]) < 10**9:
        raise UsageError(f"{name} must be a whole number above zero, not {value[:40]!r}.")
    return int(value)


def head_commit(repository: Path, baked: str | None = None) -> str:
    """The checkout's HEAD (40 hex digits), else the commit baked into the image, else `unknown`."""
    if (repository / ".git").exists():
        with contextlib.suppress(GitError):
            return git.run(repository, "rev-parse", "HEAD", seconds=10.0).strip()
    return baked or "unknown"
