"""Paths below the work and cache directories (docs/adr/0001).

`work/` contains results, `cache/` files that can be created again. The scripts under `scripts/voice/` write the same
tree into the current directory, so a workspace is only its root and the names below it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import UsageError
from voicemill.variables import Variables

ORCHESTRATOR_LOG = "voice_train_prod.orchestrator.log"
MAX_DISPLAY_NAME = 200
"""Characters."""
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def profile_id(name: str) -> str:
    """A voice profile id that is safe as a folder name on every system.

    Raises:
        UsageError: it holds a path separator, `..`, or characters beyond letters, digits, `.`, `_` and `-`.
    """
    if not _PROFILE.fullmatch(name) or ".." in name:
        raise UsageError(
            f"The voice id {name!r} cannot be used as a folder name.",
            reason="invalid_voice_profile_id",
            hint="Use 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit.",
        )
    return name


def display_name(text: str) -> str:
    """The name of a voice for people, without surrounding space.

    Raises:
        UsageError: it is empty, longer than `MAX_DISPLAY_NAME`, or holds characters that are not printable.
    """
    name = text.strip()
    if not name or len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise UsageError(
            f"The display name must be 1 to {MAX_DISPLAY_NAME} printable characters.",
            reason="invalid_display_name",
            hint="Give a plain name with --display-name.",
        )
    return name


@dataclass(frozen=True)
class Workspace:
    """Paths below `work` (results) and `cache` (files that can be created again)."""

    work: Path
    cache: Path

    @property
    def artifacts(self) -> Path:
        return self.work / "artifacts"

    @property
    def checkpoints(self) -> Path:
        return self.work / "checkpoints" / "prod_tts"

    @property
    def production_bundle(self) -> Path:
        return self.work / "checkpoints" / "prod_tts_voice_bundle"

    @property
    def bundles(self) -> Path:
        return self.work / "bundles"

    @property
    def reports(self) -> Path:
        return self.work / "reports"

    @property
    def weights_cache(self) -> Path:
        return self.cache / "weights"

    @property
    def downloads(self) -> Path:
        """Recordings downloaded from web addresses."""
        return self.cache / "downloads"

    @property
    def marks(self) -> Path:
        """Folder of the self-made key that signs sounds."""
        return self.cache / "marks"

    @property
    def stage_cache(self) -> Path:
        return self.cache / "stages"

    @property
    def voices(self) -> Path:
        """Records of prepared voices."""
        return self.cache / "voices"

    def dataset(self, voice: str) -> Path:
        """Prepared dataset of a voice."""
        return self.work / "datasets" / profile_id(voice)

    def lane_status(self, job: str) -> Path:
        return self.artifacts / f"train_status.{job}.json"

    def dataset_manifest(self, job: str) -> Path:
        return self.artifacts / f"dataset_manifest.{job}.json"

    def timings(self, job: str) -> Path:
        """Seconds and peak memory of each stage of the last finished run."""
        return self.artifacts / f"timings.{job}.json"

    def promoted(self, voice: str) -> Path:
        """Folder of the promoted bundle of a voice."""
        return self.bundles / profile_id(voice) / "voice_bundle"


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
    def read(cls, variables: Variables, workspace: Workspace) -> Paths:
        path = variables.path
        artifacts = path("PROD_TTS_ARTIFACTS_DIR") or workspace.artifacts
        return cls(
            workspace=workspace,
            artifacts=artifacts,
            training_status=path("PROD_TTS_STATUS_PATH") or artifacts / "prod_tts_train_status.json",
            evaluation=path("PROD_TTS_EVAL_PATH") or artifacts / "prod_tts_eval.json",
            checkpoints=path("PROD_TTS_CHECKPOINTS_DIR") or workspace.checkpoints,
            production_bundle=path("PROD_TTS_BUNDLE_DIR") or workspace.production_bundle,
            promoted_bundles=path("PROMOTED_BUNDLE_ROOT") or workspace.bundles,
            orchestrator_log=path("LOG_PATH") or workspace.artifacts / ORCHESTRATOR_LOG,
            lane_status_file=path("TRAIN_STATUS_PATH"),
            training_status_given=path("PROD_TTS_STATUS_PATH"),
        )
