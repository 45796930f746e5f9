"""The gates before a lane starts, in the contract's order, so that the first reason is the same everywhere.

allowlist → config → dataset → folders and disk → runtime dependencies → NeMo → checkpoint
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.bundle.build import ATTRIBUTION
from voicemill.bundle.contents import digest_file
from voicemill.bundle.differences import check_digest
from voicemill.bundle.manifest import MANIFEST, ProductionManifest, load_manifest
from voicemill.errors import BundleFileError, DependencyError, GateError, StorageError, UsageError
from voicemill.lane import first_checks
from voicemill.lane.request import LaneRequest
from voicemill.launch.lanes import RUNTIME
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.training.config import TrainingConfig, has_own_tokenizer, load_config
from voicemill.training_status import Ancestor
from voicemill.weights import allowlist, gate
from voicemill.weights.allowlist import LoadedAllowlist
from voicemill.weights.archive import inspect_archive
from voicemill.weights.download import fetch
from voicemill.weights.store import WeightsStore
from voicemill.weights.tensor_file import inspect_tensors

NEMO_MODELS = "nemo.collections.tts.models"
"""The part of NeMo that training needs: it may be installed and fail to load a shared library."""
RUNTIME_CHECKS = "runtime"
"""Folder of the cache that names the installations that were found to work."""


@dataclass(frozen=True)
class Cleared:
    """The configuration, weights and base models that passed the gates."""

    config: TrainingConfig
    config_sha256: str
    acoustic: gate.SelectedWeights
    vocoder: gate.SelectedWeights
    acoustic_base: Path | None
    ancestor: Ancestor | None
    vocoder_base: Path | None
    runtime_vocoder: gate.SelectedWeights | None = None
    runtime_vocoder_base: Path | None = None


def clear(request: LaneRequest, settings: Settings, observer: Observer | None = None) -> Cleared:
    """Run every gate; nothing is downloaded or loaded before the licence gate has passed.

    Raises:
        BlockedError: the reasons of operator contract section 4, from `allowlist_*` to `weights_checksum_mismatch`.
    """
    listed = allowlist.load_allowlist(settings.weights.allowlist)
    inherited, ancestor = select_ancestor(request.init_from, listed) if request.init_from else (None, None)
    if request.base_weights:
        gate.select(request.base_weights, listed)
    config = configure(request, settings, inherited.entry.id if inherited else None)
    acoustic = gate.select(config.acoustic.base_weights, listed)
    gate.require_kind(acoustic.entry, "fastpitch", "none")
    vocoder = gate.select(config.vocoder.base_weights, listed)
    gate.require_kind(vocoder.entry, "hifigan", "none")
    runtime_vocoder = None
    if config.runtime_vocoder.base_weights is not None:
        runtime_vocoder = gate.select(config.runtime_vocoder.base_weights, listed)
        gate.require_kind(runtime_vocoder.entry, "vocoder")
    if not request.dry_run:
        first_checks.run_checks(first_checks.Run(request, settings, config))
    bases: list[Path | None] = [None, None]
    runtime_vocoder_base: Path | None = None
    if not request.dry_run:
        # The toolbox's own models are judged by the shipped allowlist, even if the run brings another for its voice.
        gate.select_all(gate.TOOL_WEIGHTS, settings.repository / allowlist.SHIPPED)
        check_runtime(settings.workspace.cache / RUNTIME_CHECKS)
        from voicemill.audio import device

        if settings.training.device == device.CUDA:
            device.require(device.CUDA)
        store = WeightsStore(settings.workspace.weights_cache, settings.repository, fetch=fetch, observer=observer)
        for index, selection in enumerate((acoustic, vocoder)):
            if index == 0 and request.init_from:
                bases[index] = found = request.init_from
                inspect_archive(found)
            elif selection.entry.files:
                bases[index] = found = store.resolve(selection.entry).main
                inspect = inspect_tensors if has_own_tokenizer(found) else inspect_archive
                inspect(found)
        if runtime_vocoder is not None:
            runtime_vocoder_base = store.resolve(runtime_vocoder.entry).main
    return Cleared(
        config=config,
        config_sha256=files.content_key(config.model_dump(mode="json")),
        acoustic=acoustic,
        vocoder=vocoder,
        acoustic_base=bases[0],
        ancestor=ancestor,
        vocoder_base=bases[1],
        runtime_vocoder=runtime_vocoder,
        runtime_vocoder_base=runtime_vocoder_base,
    )


def configure(request: LaneRequest, settings: Settings, inherited: str | None = None) -> TrainingConfig:
    """The training configuration of a request: the preset, and the request's values over it.

    Args:
        request: the voice.
        settings: the environment.
        inherited: id of the weights of the voice named by `--init-from`.

    Raises:
        ConfigError: `config_missing:<path>`, `config_invalid:<why>`.
    """
    overrides: dict[str, object] = {}
    acoustic: dict[str, object] = {}
    if request.seed is not None:
        overrides["seed"] = request.seed
    if base_weights := inherited or request.base_weights:
        acoustic["base_weights"] = base_weights
    if request.find_learning_rate:
        acoustic["optimiser"] = {"find_learning_rate": True}
    overrides["acoustic"] = acoustic
    overrides |= {name: value for name in ("devices", "nodes") if (value := getattr(request, name)) > 1}
    config = load_config(settings.training.config, request.preset, overrides)
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


def check_runtime(cache: Path) -> None:
    """Look for the packages that training needs, and import NeMo in another process, once for an installation.

    Args:
        cache: folder of the installations that were found to work.

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
        raise _no_nemo("NVIDIA NeMo is not installed in this Python.")
    works = cache / f"{_installation()}.json"
    if NEMO_MODELS not in sys.modules and not works.is_file():
        tried = subprocess.run(
            [sys.executable, "-c", f"import {NEMO_MODELS}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if tried.returncode != 0:
            lines = tried.stderr.decode("utf-8", "replace").strip().splitlines()
            why = lines[-1] if lines else f"the process ended with code {tried.returncode}"
            raise _no_nemo(f"NVIDIA NeMo cannot be imported: {why[:500].rstrip('.')}.")
        with contextlib.suppress(StorageError):  # the next run tries again
            files.write_json(works, {"imported": NEMO_MODELS, "python": sys.executable})


def _installation() -> str:
    """A key of this Python's NeMo and torch: where they lie, and when something was last installed there."""
    found = [importlib.util.find_spec(name) for name in ("nemo", "torch", "lightning")]
    places = [Path(spec.origin).parent for spec in found if spec is not None and spec.origin]
    stamps = [(str(place), place.stat().st_mtime_ns, place.parent.stat().st_mtime_ns) for place in places]
    return files.content_key(sys.executable, sys.version, stamps)


def _no_nemo(sentence: str) -> DependencyError:
    return DependencyError(
        sentence, reason="nemo_runtime_unavailable", hint="Run it through ./run-direct, which installs it."
    )


def select_ancestor(path: Path, listed: LoadedAllowlist) -> tuple[gate.SelectedWeights, Ancestor]:
    """The allowlist entry that a voice inherits from an earlier one (`--init-from`), and the record of that voice.

    A model does not name the weights it was trained from, so it must lie in a voice bundle: the manifest beside it has
    its digest and those weights, and its attribution is copied into the new voice.

    Args:
        path: an acoustic model in a voice bundle.
        listed: the licence gate's list; the weights of the earlier voice must pass it again.

    Raises:
        UsageError: there is no such file, or it is not a model.
        GateError: `init_from_unrecorded:<name>`: its origin is not recorded; or the gate refuses its weights.
        BundleFileError: `bytes_mismatch`, `checksum_mismatch`: it is not the file of its manifest.
    """
    _check_model(path)
    try:
        manifest = load_manifest(path.parent).manifest
    except BundleFileError as error:
        raise _unrecorded(path, str(error)) from error
    if isinstance(manifest, ProductionManifest):
        references, voice = manifest.weights_refs, "of an unpromoted bundle"
    else:
        references, voice = manifest.provenance.source_weights_refs, manifest.voice_profile_id
    entries = {entry.path: entry for entry in manifest.files}
    missing = [name for name in (path.name, ATTRIBUTION) if name not in entries]
    if missing or manifest.dry_run or references is None or references.id is None:
        what = f"does not list {missing[0]}" if missing else "names no weights that a model was trained from"
        raise _unrecorded(path, f"{MANIFEST} {what}")
    for name in (path.name, ATTRIBUTION):
        check_digest(entries[name], digest_file(path.parent, name))
    notice = files.read_whole(path.parent / ATTRIBUTION).decode("utf-8", "replace")
    selection = gate.select(references.id, listed)
    return selection, Ancestor(voice=voice, file=path.name, sha256=entries[path.name].sha256, notice=notice)


def _check_model(path: Path) -> None:
    if path.suffix == ".checkpoint":
        raise UsageError(
            f"{path.name} is the checkpoint of an interrupted run, not a model.",
            hint="Continue that run with --resume and the same options, instead of --init-from.",
        )
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", reason="missing_input_file", hint="Check the path.")


def _unrecorded(path: Path, why: str) -> GateError:
    return GateError(
        f"The origin of {path.name} is not recorded, so its licence is unknown: {why.rstrip('.')}.",
        reason=f"init_from_unrecorded:{path.name}",
        hint="Name the fastpitch.nemo of a voice bundle. A third-party model needs the allowlist and --base-weights.",
    )
