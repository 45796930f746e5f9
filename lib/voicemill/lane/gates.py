"""The gates before a lane starts, in the contract's order, so that the first reason is the same everywhere.

allowlist → config → dataset → runtime dependencies → NeMo → checkpoint
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.dataset.request import ManifestSource
from voicemill.errors import DatasetError, DependencyError
from voicemill.lane import ancestry
from voicemill.lane.request import LaneRequest
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.training.config import TrainingConfig, load_config
from voicemill.training_status import Ancestor
from voicemill.weights import allowlist, gate
from voicemill.weights.archive import inspect_archive
from voicemill.weights.download import fetch
from voicemill.weights.store import WeightsStore

RUNTIME = ("numpy", "soundfile", "torch")


@dataclass(frozen=True)
class Cleared:
    """What the gates let through."""

    config: TrainingConfig
    config_sha256: str
    acoustic: gate.SelectedWeights
    vocoder: gate.SelectedWeights
    acoustic_base: Path | None
    ancestor: Ancestor | None
    vocoder_base: Path | None


def clear(request: LaneRequest, settings: Settings, observer: Observer | None = None) -> Cleared:
    """Run every gate; nothing is downloaded or loaded before the licence gate has passed.

    Raises:
        BlockedError: the reasons of operator contract section 4, from `allowlist_*` to `weights_checksum_mismatch`.
    """
    listed = allowlist.load_allowlist(settings.allowlist)
    inherited, ancestor = ancestry.select(request.init_from, listed) if request.init_from else (None, None)
    if request.base_weights:
        gate.select(request.base_weights, listed)
    config = configure(request, settings, inherited.entry.id if inherited else None)
    acoustic = gate.select(config.acoustic.base_weights, listed)
    gate.require_kind(acoustic.entry, "fastpitch", "none")
    vocoder = gate.select(config.vocoder.base_weights, listed)
    gate.require_kind(vocoder.entry, "hifigan", "none")
    source = request.source
    if isinstance(source, ManifestSource) and not source.manifest.is_file() and not request.dry_run:
        raise DatasetError(
            f"There is no dataset manifest at {source.manifest}.",
            reason=f"dataset_manifest_missing:{source.manifest}",
            hint="Name a NeMo manifest, or give --audio.",
        )
    bases: list[Path | None] = [None, None]
    if not request.dry_run:
        # The tools are ours whatever list a run brings for its voice: they are judged by the list that ships with us.
        gate.select_all(gate.TOOL_WEIGHTS, settings.repository / allowlist.SHIPPED)
        check_runtime()
        store = WeightsStore(settings.workspace.weights_cache, settings.repository, fetch=fetch, observer=observer)
        for index, selection in enumerate((acoustic, vocoder)):
            if index == 0 and request.init_from:
                bases[index] = found = request.init_from
                inspect_archive(found)
            elif selection.entry.files:
                bases[index] = found = store.resolve(selection.entry).main
                inspect_archive(found)
    return Cleared(
        config=config,
        config_sha256=files.content_key(config.model_dump(mode="json")),
        acoustic=acoustic,
        vocoder=vocoder,
        acoustic_base=bases[0],
        ancestor=ancestor,
        vocoder_base=bases[1],
    )


def configure(request: LaneRequest, settings: Settings, inherited: str | None = None) -> TrainingConfig:
    """The training configuration that the request comes to: preset, then the request's own wishes.

    Args:
        request: the voice.
        settings: the environment.
        inherited: id of the weights that the voice to start from began with.

    Raises:
        ConfigError: `config_missing:<path>`, `config_invalid:<why>`.
    """
    wishes: dict[str, object] = {}
    acoustic: dict[str, object] = {}
    if request.seed is not None:
        wishes["seed"] = request.seed
    if base_weights := inherited or request.base_weights:
        acoustic["base_weights"] = base_weights
    if request.find_learning_rate:
        acoustic["optimiser"] = {"find_learning_rate": True}
    wishes["acoustic"] = acoustic
    wishes |= {name: value for name in ("devices", "nodes") if (value := getattr(request, name)) > 1}
    config = load_config(settings.config, request.preset, wishes)
    if request.max_steps is None:
        return config
    return config.model_copy(
        update={
            "acoustic": config.acoustic.model_copy(
                update={"max_steps": min(request.max_steps, config.acoustic.max_steps)}
            ),
            "vocoder": config.vocoder.model_copy(
                update={"max_steps": min(request.max_steps, config.vocoder.max_steps)}
            ),
        }
    )


def check_runtime() -> None:
    """Look for what training needs without importing it.

    Raises:
        DependencyError: `runtime_dependency_missing:<a,b>`, `nemo_runtime_unavailable`.
    """
    missing = [name for name in RUNTIME if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"Training needs {', '.join(missing)}, which this Python does not have.",
            reason=f"runtime_dependency_missing:{','.join(missing)}",
            hint="Run it through ./run-direct, which installs it.",
        )
    if importlib.util.find_spec("nemo") is None:
        raise DependencyError(
            "NVIDIA NeMo is not installed in this Python.",
            reason="nemo_runtime_unavailable",
            hint="Run it through ./run-direct, which installs it.",
        )
