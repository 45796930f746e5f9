"""Settings from the environment, read once by each app and script (operator contract, section 5).

The library never reads the environment itself: an entry point passes `os.environ` in and the settings on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicemill import git
from voicemill.errors import UsageError
from voicemill.locks import LANE_LOCK
from voicemill.variables import (
    ContainerSettings,
    LaunchSettings,
    PipSpecs,
    SourceSettings,
    TrainingSettings,
    Variables,
    VoiceSettings,
    WeightsSettings,
)
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
            voice=VoiceSettings.read(variables),
            source=SourceSettings.read(variables),
            weights=WeightsSettings.read(variables, configs / "weights_allowlist.json"),
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
