"""Gates of the orchestrator, before anything is built, installed or trained.

In the contract's order: head, source audio, weights manifest, lane, backend, names of the voice. Standard library only
(docs/adr/0006).
"""

from __future__ import annotations

from voicemill.audio import probing
from voicemill.errors import AudioError, BlockedError, RefusedError
from voicemill.launch.lanes import LANES, Lane
from voicemill.protocol import Protocol
from voicemill.settings import DEMO_AUDIO, Settings
from voicemill.weights.manifest import validate_file
from voicemill.workspace import display_name, profile_id

LOCAL_DOCKER = "local_docker"
MANAGED_JOB = "managed_job"
LOCAL = "local"
RAY = "ray"
BACKENDS = (LOCAL_DOCKER, MANAGED_JOB, LOCAL, RAY)


def check_head(settings: Settings) -> None:
    """Refuse a commit that EXPECTED_HEAD (a prefix of at least 7 digits) does not match.

    Raises:
        RefusedError: `deterministic_head_mismatch`.
    """
    expected = settings.launch.expected_head
    if expected and not (len(expected) >= 7 and settings.head.startswith(expected.lower())):
        raise RefusedError(
            f"The checkout is at {settings.head[:8]}, not at {expected}.",
            reason="deterministic_head_mismatch",
            hint="Check out the expected commit, or unset EXPECTED_HEAD.",
            details={"got": settings.head if settings.head == "unknown" else settings.head[:8], "expected": expected},
        )


def check_audio(settings: Settings) -> None:
    """Refuse a source that is missing, empty, or a Git LFS pointer; the preparation checks its contents.

    Raises:
        AudioError: `missing_audio_path`, `audio_lfs_pointer`, `audio_too_small`.
    """
    if settings.source.audio is None and (settings.source.manifest or settings.source.folder):
        return
    path = settings.source.audio or settings.repository / DEMO_AUDIO
    if not path.exists():
        raise AudioError(
            f"There is no recording at {path}.",
            reason="missing_audio_path",
            hint="Name a file or folder in AUDIO_PATH, or unset it to use the bundled demo.",
            details={"path": path},
        )
    if path.is_file():
        probing.locate(path)


def check_weights_manifest(settings: Settings, protocol: Protocol) -> None:
    """Validate the manifest of WEIGHTS_MANIFEST_PATH, if there is one; the verdict is a line on stdout.

    Raises:
        RefusedError: `invalid_weights_manifest`.
    """
    path = settings.weights.manifest
    if path is None:
        return
    verdict = validate_file(path)
    protocol.line(verdict.line)
    if not verdict.ok:
        raise RefusedError(
            f"The weights manifest {path} was refused.",
            reason="invalid_weights_manifest",
            hint="The [weights-manifest] line names the fault; correct it, or unset WEIGHTS_MANIFEST_PATH.",
            details={"path": path},
        )


def check_voice(settings: Settings) -> None:
    """Refuse names of the voice that its bundle could not have.

    Raises:
        UsageError: `invalid_voice_profile_id`, `invalid_display_name`.
    """
    profile_id(settings.voice.profile_id)
    display_name(settings.voice.display_name)


def check_lane(settings: Settings) -> Lane:
    """The lane that TRAIN_LANE names.

    Raises:
        RefusedError: `invalid_lane`.
    """
    if settings.launch.lane not in LANES:
        raise RefusedError(
            f"There is no lane {settings.launch.lane}.",
            reason="invalid_lane",
            hint=f"TRAIN_LANE is one of {', '.join(LANES)}.",
            details={"lane": settings.launch.lane},
        )
    return LANES[settings.launch.lane]


def check_backend(settings: Settings) -> str:
    """The backend that TRAIN_BACKEND names.

    Raises:
        RefusedError: `invalid_backend`.
        BlockedError: `managed_job_not_implemented`.
    """
    if settings.launch.backend not in BACKENDS:
        raise RefusedError(
            f"There is no backend {settings.launch.backend}.",
            reason="invalid_backend",
            hint=f"TRAIN_BACKEND is one of {', '.join(BACKENDS)}.",
            details={"backend": settings.launch.backend},
        )
    if settings.launch.backend == MANAGED_JOB and settings.launch.managed is None:
        raise BlockedError(
            "No managed job is configured.",
            reason="managed_job_not_implemented",
            hint="Name a SkyPilot task file in VOICEMILL_MANAGED (docs/managed.md), or use TRAIN_BACKEND=local_docker.",
        )
    return settings.launch.backend
