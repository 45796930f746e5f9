"""Environment -> frozen settings, read once by the apps and the scripts (operator contract, section 5).

The library never looks at the environment itself: an entry point passes `os.environ` in and hands the result on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicemill import git
from voicemill.errors import UsageError
from voicemill.git import GitError
from voicemill.workspace import Workspace

REPOSITORY = Path(__file__).resolve().parents[2]
"""Root of the checkout (or of the image's copy of it)."""

DEFAULT_BASE_WEIGHTS = "nvidia/nemo-tts-fastpitch-en"
"""What the NeMo lane and the PROD_TTS steps fine-tune from when nothing is said; elsewhere the preset decides."""
FROM_SCRATCH = "voicemill/from-scratch"
"""Id of the allowlist's entry without third-party weights."""
LOG_NAME = "voice_train_prod.orchestrator.log"
DEMO_AUDIO = Path("data/demo/demo.flac")
"""The bundled recording, below the repository."""
RUNTIMES = ("docker", "podman", "direct")
VARIANTS = ("cpu", "gpu")
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
class Settings:
    """Everything that the environment may say. Paths of outputs are `None` where the workspace's default holds.

    Attributes:
        head: the commit that runs (40 hex digits, or `unknown`); `commit` is what manifests record, and may be given.
        preset: PROD_TTS_PRESET; `None` lets base weights and device decide.
        ray_address: RAY_ADDRESS, of the head node for TRAIN_BACKEND=ray; `None` is the cluster of this machine.
        runtime: TOOLBOX_RUNTIME; `None` takes what there is.
        managed: VOICEMILL_MANAGED, the SkyPilot task file of a managed job; `None` blocks TRAIN_BACKEND=managed_job.
    """

    repository: Path
    work_dir: Path
    cache_dir: Path
    train_backend: str
    train_lane: str
    train_job_type: str | None
    train_status_path: Path | None
    audio_path: Path | None
    head: str
    expected_head: str | None
    weights_manifest_path: Path | None
    log_path: Path | None
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
    artifacts_dir: Path | None
    status_path: Path | None
    eval_path: Path | None
    checkpoints_dir: Path | None
    bundle_dir: Path | None
    commit: str
    max_steps: int | None
    preset: str | None
    resume: bool
    devices: int | None
    nodes: int | None
    ray_address: str | None
    pip_specs: PipSpecs
    promoted_bundle_root: Path | None
    torch_device: str | None
    casimir_url: str | None
    source_date_epoch: str | None
    managed: Path | None

    @property
    def workspace(self) -> Workspace:
        return Workspace(work=self.work_dir, cache=self.cache_dir)

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
            return environ.get(name, "").strip() or None

        def path(name: str) -> Path | None:
            value = text(name)
            return Path(value) if value else None

        configs = repository / "configs" / "voice" / "prod_tts"
        head = head_commit(repository, text("VOICEMILL_COMMIT"))
        return cls(
            repository=repository,
            work_dir=path("WORK_DIR") or work_dir or repository / "work",
            cache_dir=path("CACHE_DIR") or repository / "cache",
            train_backend=text("TRAIN_BACKEND") or "local_docker",
            train_lane=text("TRAIN_LANE") or "tts_prod_train",
            train_job_type=text("TRAIN_JOB_TYPE"),
            train_status_path=path("TRAIN_STATUS_PATH"),
            audio_path=path("AUDIO_PATH"),
            head=head,
            expected_head=text("EXPECTED_HEAD"),
            weights_manifest_path=path("WEIGHTS_MANIFEST_PATH"),
            log_path=path("LOG_PATH"),
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
            artifacts_dir=path("PROD_TTS_ARTIFACTS_DIR"),
            status_path=path("PROD_TTS_STATUS_PATH"),
            eval_path=path("PROD_TTS_EVAL_PATH"),
            checkpoints_dir=path("PROD_TTS_CHECKPOINTS_DIR"),
            bundle_dir=path("PROD_TTS_BUNDLE_DIR"),
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
            promoted_bundle_root=path("PROMOTED_BUNDLE_ROOT"),
            torch_device=text("TORCH_DEVICE"),
            casimir_url=text("CASIMIR_PUBLIC_BASE_URL") or text("CASIMIR_VERIFY_URL"),
            source_date_epoch=text("SOURCE_DATE_EPOCH"),
            managed=path("VOICEMILL_MANAGED"),
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
