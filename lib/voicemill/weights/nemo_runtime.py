"""NeMo in this process: quiet on stdout, and its archives loaded from inspected bytes only."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import inspect
import logging as python_logging
import sys
import tarfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from voicemill.errors import DependencyError, TrainingError
from voicemill.weights import archive
from voicemill.weights.build_limits import build_limits
from voicemill.weights.nemo_config import ALLOWED_TARGETS

if TYPE_CHECKING:
    import torch
    from nemo.core import ModelPT
    from omegaconf import DictConfig

_Model = TypeVar("_Model", bound="ModelPT")


_CHATTY = {
    "pytorch_lightning.utilities.rank_zero": python_logging.WARNING,
    "lightning.pytorch": python_logging.WARNING,
    "nv_one_logger": python_logging.ERROR,
}
"""Loggers that report missing accelerators and telemetry at each start -> the lowest level that is shown."""


_COPIES = contextlib.ExitStack()
atexit.register(_COPIES.close)


class _PresentStderr:
    """The current `sys.stderr`. NeMo keeps the stream that it found at import, which is often stdout."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


_PRESENT_STDERR = _PresentStderr()


@contextlib.contextmanager
def nemo_runtime(collection: Literal["tts", "asr"] = "tts") -> Iterator[None]:
    """Import a collection of NeMo and send its output to stderr, without routine messages.

    stdout is reserved for the protocol. A protocol writer that holds the real stdout keeps writing there.

    Raises:
        DependencyError: NeMo or torch is not installed.
    """
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, level in _CHATTY.items():
            python_logging.getLogger(name).setLevel(level)
        try:
            importlib.import_module(f"nemo.collections.{collection}.models")  # 13 s at the first import
            from nemo.utils import logging
        except ImportError as error:
            raise DependencyError(
                f"Training needs the package {error.name}, which is not installed.",
                reason="nemo_runtime_unavailable",
                hint="Run the set-up again, or install the locked dependencies.",
            ) from error
        for handler in python_logging.getLogger("nemo_logger").handlers:
            if type(handler) is python_logging.StreamHandler:  # NeMo's own, not a test runner's
                handler.setStream(_PRESENT_STDERR)
        accept_tar_filters()
        logging.setLevel(logging.ERROR)
        for name, level in _CHATTY.items():  # again: their packages set their own at import
            python_logging.getLogger(name).setLevel(level)
        yield


def accept_tar_filters() -> None:
    """Let NeMo unpack its archives on Python before 3.11.4 (Debian 12 has 3.11.2), where tarfile knows no `filter`.

    This is safe: every archive has passed `weights.archive.inspect_archive`, which is stricter than that filter. The
    owner and mode of members are not applied here either.
    """
    if "filter" in inspect.signature(tarfile.TarFile.extract).parameters:
        return
    extract = tarfile.TarFile.extract

    def filtering(
        self: tarfile.TarFile,
        member: str | tarfile.TarInfo,
        path: str = "",
        set_attrs: bool = True,
        *,
        numeric_owner: bool = False,
        filter: str | None = None,
    ) -> None:
        extract(self, member, path, set_attrs and filter is None, numeric_owner=numeric_owner)

    tarfile.TarFile.extract = filtering  # type: ignore[assignment]


def shape_mismatches(wanted: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> list[str]:
    """Weights that are missing, unknown or of another shape, one short sentence each, sorted by name."""
    problems = []
    for name in sorted({*wanted, *found}):
        if name not in found:
            problems.append(f"{name} is missing")
        elif name not in wanted:
            problems.append(f"{name} is not part of the model")
        elif wanted[name].shape != found[name].shape:
            problems.append(f"{name} is {list(found[name].shape)} instead of {list(wanted[name].shape)}")
    return problems


def restore(
    path: Path,
    kind: type[_Model],
    device: str,
    override: DictConfig | None = None,
    targets: frozenset[str] = ALLOWED_TARGETS,
    sha256: str | None = None,
) -> _Model:
    """NeMo's own `restore_from`, but the members and the weights come from our reader. Call within `nemo_runtime()`.

    Neither `tarfile` nor `torch.load` sees the archive, so exactly the inspected bytes are loaded under any
    settings of the environment.

    Args:
        path: the archive.
        kind: class that it has to be.
        device: where the weights go, as torch names it.
        override: a configuration in place of the archive's own.
        targets: classes that its configuration may name.
        sha256: pinned digest of the archive, if there is one.

    Raises:
        GateError: `weights_checksum_mismatch:<name>`, `unsafe_archive:<why>`, before anything is loaded;
            `unsafe_archive:build_time` and `unsafe_archive:build_memory` while the model is built.
        UsageError: there is no such file.
        TrainingError: it is of another kind, or its weights do not fit its configuration.
    """
    import torch

    # What was inspected is what is loaded: a private copy, so that the file cannot be swapped in between. It stays
    # until the process ends, because NeMo opens the archive again for its lexicon when the model is saved.
    checked = _COPIES.enter_context(archive.private_copy(path, targets, sha256))
    try:
        with build_limits(checked, device):
            model = kind.restore_from(
                str(checked),
                override_config_path=override,
                map_location=torch.device(device),
                save_restore_connector=_inspected(path.name, checked),
            )
    except _build_errors() as error:
        raise unreadable(path, kind.__name__, error) from error
    if not isinstance(model, kind):
        raise TrainingError(
            f"The checkpoint {path.name} is a {type(model).__name__}, not a {kind.__name__}.",
            reason=f"checkpoint_wrong_kind:{path.name}",
        )
    model.eval()
    return model


def _inspected(name: str, checked: Path) -> object:
    """NeMo's connector over an inspected private copy; the weights have to fit the model.

    Args:
        name: of the archive, for messages.
        checked: the private copy.
    """
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector

    class Inspected(SaveRestoreConnector):  # type: ignore[misc]  # NeMo is not typed
        @staticmethod
        def _unpack_nemo_file(path2file: str, out_folder: str, members: list[str] | None = None) -> str:
            if Path(path2file) != checked:
                raise ValueError("another archive than the inspected one")
            archive.extract(checked, Path(out_folder))
            return out_folder

        @classmethod
        def _filtered_tar_info(cls, tar_path: str, filter_fn: object = None) -> None:
            """All members are extracted."""

        @staticmethod
        def _load_state_dict_from_disk(
            model_weights: str, map_location: torch.device | str = "cpu"
        ) -> dict[str, torch.Tensor]:
            return {key: value.to(map_location) for key, value in archive.load_weights(checked).items()}

        def load_instance_with_state_dict(
            self, instance: torch.nn.Module, state_dict: dict[str, torch.Tensor], strict: bool
        ) -> None:
            problems = shape_mismatches(instance.state_dict(), state_dict)
            if problems:
                shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
                raise TrainingError(
                    f"The weights of {name} do not fit its configuration: {shown}.",
                    reason=f"shape_mismatch:{problems[0].split()[0]}",
                )
            super().load_instance_with_state_dict(instance, state_dict, strict)

    return Inspected()


def _build_errors() -> tuple[type[Exception], ...]:
    """What NeMo, Hydra and torch raise for a configuration that builds no model."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    builtin = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, OSError)
    return (*builtin, RuntimeError, TypeError, ValueError, tarfile.TarError, HydraException, OmegaConfBaseException)


def unreadable(path: Path, kind: str, error: Exception) -> TrainingError:
    detail = (str(error) or repr(error)).splitlines()[0]
    return TrainingError(
        f"The checkpoint {path.name} cannot be restored as {kind}: {detail}.",
        reason=f"checkpoint_unreadable:{path.name}",
        hint="Choose a .nemo file of the right kind.",
    )
