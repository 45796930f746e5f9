"""Values of environment variables, each checked as it is read, and the groups of settings that they make.

An empty variable counts as not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from voicemill import path_names
from voicemill.errors import UsageError
from voicemill.locks import LANE_LOCK

RUNTIMES = ("docker", "podman", "direct")
VARIANTS = ("cpu", "gpu")
DEFAULT_VOICE = "dottie_default"
DEFAULT_DISPLAY_NAME = "Dottie"
MAX_UNMARKED_REASON = 200
"""Characters of VOICEMILL_UNMARKED."""
_NUMBER_BELOW = 10**9


@dataclass(frozen=True)
class Variables:
    """Typed access to `environ`, usually `os.environ`."""

    environ: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """The value without surrounding space.

        Raises:
            UsageError: it is not UTF-8.
        """
        value = self.environ.get(name, "").strip()
        path_names.check_utf8(value, f"The variable {name}")
        return value or None

    def path(self, name: str) -> Path | None:
        """The value as a path; `UsageError` as in `text`."""
        value = self.text(name)
        return Path(value) if value else None

    def words(self, name: str) -> tuple[str, ...]:
        """The words of the value."""
        return tuple(self.environ.get(name, "").split())

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """One of the allowed values.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is not None and value not in allowed:
            raise UsageError(f"{name} must be one of {', '.join(allowed)}, not {value[:40]!r}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """`0` or `1`.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is None:
            return default
        if value not in ("0", "1"):
            raise UsageError(f"{name} must be 0 or 1, not {value!r}.", hint=f"Set {name}=0 or {name}=1, or unset it.")
        return value == "1"

    def positive(self, name: str) -> int | None:
        """A whole number above zero.

        Raises:
            UsageError: another value.
        """
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not 0 < int(value[:12]) < _NUMBER_BELOW:
            raise UsageError(f"{name} must be a whole number above zero, not {value[:40]!r}.")
        return int(value)


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

    @classmethod
    def read(cls, variables: Variables) -> VoiceSettings:
        consent = variables.choice("VOICEMILL_REQUIRE_CONSENT", ("any", "recorded"))
        return cls(
            profile_id=variables.text("VOICE_PROFILE_ID") or DEFAULT_VOICE,
            display_name=variables.text("VOICE_DISPLAY_NAME") or DEFAULT_DISPLAY_NAME,
            unmarked=_unmarked(variables.text("VOICEMILL_UNMARKED")),
            require_consent=cast("RequiredConsent | None", consent),
        )


@dataclass(frozen=True)
class SourceSettings:
    """What a lane prepares: AUDIO_PATH, PROD_TTS_DATASET_MANIFEST or PROD_TTS_SOURCE_DIR."""

    audio: Path | None
    manifest: Path | None
    folder: Path | None

    @classmethod
    def read(cls, variables: Variables) -> SourceSettings:
        return cls(
            audio=variables.path("AUDIO_PATH"),
            manifest=variables.path("PROD_TTS_DATASET_MANIFEST"),
            folder=variables.path("PROD_TTS_SOURCE_DIR"),
        )


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

    @classmethod
    def read(cls, variables: Variables, allowlist: Path) -> WeightsSettings:
        return cls(
            base_id=variables.text("PROD_TTS_BASE_WEIGHTS_ID"),
            allowlist=variables.path("PROD_TTS_ALLOWLIST") or allowlist,
            manifest=variables.path("WEIGHTS_MANIFEST_PATH"),
        )


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


def _unmarked(reason: str | None) -> str | None:
    if reason is None or (len(reason) <= MAX_UNMARKED_REASON and reason.isprintable()):
        return reason
    raise UsageError(
        "VOICEMILL_UNMARKED is not a sentence of one line.",
        reason="unmarked_reason_invalid",
        hint=f"Give the reason in at most {MAX_UNMARKED_REASON} characters, or unset it.",
    )
