"""Settings of the experimental lane, read from the environment once (operator contract, section 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from voicemill.errors import UsageError
from voicemill.settings import CHECKED, Settings
from voicemill.variables import Variables

JOB = "tts_voice_train"
CHECKPOINT = "tts_voice_train_musicgen_small.pt"
MANIFEST = "voice_dataset_manifest.json"
LOGS = ("colab_bootstrap_stdout.log", "colab_bootstrap_stderr.log")
AGAIN = "This step kept no results: run the same command again."
"""The hint after a signal: the lane takes minutes and writes no intermediate checkpoint."""
SWITCHES = (
    "RUN_GIT_SYNC",
    "CLEAR_PREVIOUS_ARTIFACTS",
    "RESET_TRAIN_OUTPUTS",
    "RUN_PREPARE",
    "RUN_TRAIN",
    "EFFICIENT_ATTENTION_BACKEND",
)
"""Variables of this lane whose values can make no sense."""
ATTENTION = "torch"
"""The only EFFICIENT_ATTENTION_BACKEND: torch's scaled dot-product attention. Audiocraft's xformers is absent."""


@dataclass(frozen=True)
class VoiceTrainSettings:
    """Settings of this lane.

    Attributes:
        common: settings shared by all lanes.
        git_sync: fetch, check out and pull first.
        clear_previous: remove results of earlier runs before anything else.
        reset_outputs: remove status and checkpoint before the training.
        source_dir: folder of recordings; `None` uses AUDIO_PATH only.
        audio_dir: folder for the clips and their manifest.
    """

    common: Settings
    git_sync: bool
    clear_previous: bool
    reset_outputs: bool
    run_prepare: bool
    run_train: bool
    source_dir: Path | None
    audio_dir: Path

    @property
    def job(self) -> str:
        return self.common.launch.job_type or JOB

    @property
    def artifacts(self) -> Path:
        return self.common.workspace.artifacts

    @property
    def status_path(self) -> Path:
        return self.common.paths.lane_status(self.job)

    @property
    def checkpoint(self) -> Path:
        return self.common.workspace.work / "checkpoints" / CHECKPOINT

    @property
    def manifest(self) -> Path:
        return self.audio_dir / MANIFEST

    @classmethod
    def for_lane(
        cls, environ: Mapping[str, str], *, repository: Path, work_dir: Path | None = None
    ) -> VoiceTrainSettings:
        """Read the variables as `from_environment` does, but record a `common.fault` instead of raising it."""
        try:
            return cls.from_environment(environ, repository=repository, work_dir=work_dir)
        except UsageError as error:
            rest = {name: value for name, value in environ.items() if name not in (*CHECKED, *SWITCHES)}
            settings = cls.from_environment(rest, repository=repository, work_dir=work_dir)
            return replace(settings, common=replace(settings.common, fault=error))

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, repository: Path, work_dir: Path | None = None
    ) -> VoiceTrainSettings:
        """Read the variables; an empty one counts as not set.

        Raises:
            UsageError: a variable has an invalid value.
        """
        variables = Variables(environ)
        common = Settings.from_environment(environ, repository=repository, work_dir=work_dir)
        backend = variables.text("EFFICIENT_ATTENTION_BACKEND") or ATTENTION
        if backend != ATTENTION:
            raise UsageError(
                f"EFFICIENT_ATTENTION_BACKEND must be {ATTENTION}, not {backend[:40]!r}.",
                hint="Unset it: torch's own attention needs no further package.",
            )
        return cls(
            common=common,
            git_sync=variables.flag("RUN_GIT_SYNC"),
            clear_previous=variables.flag("CLEAR_PREVIOUS_ARTIFACTS", default=True),
            reset_outputs=variables.flag("RESET_TRAIN_OUTPUTS", default=True),
            run_prepare=variables.flag("RUN_PREPARE", default=True),
            run_train=variables.flag("RUN_TRAIN", default=True),
            source_dir=variables.path("KNOWLEDGE_SOURCE_DIR"),
            audio_dir=variables.path("KNOWLEDGE_AUDIO_DIR") or common.workspace.work / "datasets" / JOB,
        )
