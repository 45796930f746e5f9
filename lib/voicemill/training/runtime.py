"""NeMo and Lightning as guests: quiet on stdout, and loaded only through torch's weights-only path."""

from __future__ import annotations

import contextlib
import hashlib
import logging as python_logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from voicemill.errors import DependencyError, TrainingError

if TYPE_CHECKING:
    import torch
    from nemo.collections.tts.models import FastPitchModel, HifiGanModel

_Model = TypeVar("_Model")


@contextlib.contextmanager
def guests() -> Iterator[None]:
    """Import and run NeMo here: what it prints or logs goes to stderr, and only what matters.

    stdout belongs to the protocol. A protocol writer that holds the real stdout keeps writing there.

    Raises:
        DependencyError: NeMo or torch is not installed.
    """
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import nemo.collections.tts.models  # noqa: F401  (13 s at the first import)
            from nemo.utils import logging
        except ImportError as error:
            raise DependencyError(
                f"Training needs the package {error.name}, which is not installed.",
                reason=f"missing_package:{error.name}",
                hint="Run the set-up again, or install the locked dependencies.",
            ) from error
        for handler in python_logging.getLogger("nemo_logger").handlers:
            # NeMo may have been imported, by somebody else, while stdout was in place.
            if isinstance(handler, python_logging.StreamHandler) and handler.stream is not sys.stderr and hasattr(handler.stream, "fileno"):
                handler.setStream(sys.stderr)
        logging.setLevel(logging.ERROR)
        python_logging.getLogger("lightning.pytorch").setLevel(python_logging.WARNING)
        yield


def restore_fastpitch(path: Path, *, device: str = "cpu") -> FastPitchModel:
    """A FastPitch checkpoint (`.nemo`) in evaluation mode. Call within `guests()`.

    Raises:
        TrainingError: the file is missing or is not a FastPitch checkpoint.
    """
    from nemo.collections.tts.models import FastPitchModel

    return _restore(path, FastPitchModel, device)


def restore_hifigan(path: Path, *, device: str = "cpu") -> HifiGanModel:
    """A HiFi-GAN checkpoint (`.nemo`) in evaluation mode. Call within `guests()`.

    Raises:
        TrainingError: the file is missing or is not a HiFi-GAN checkpoint.
    """
    from nemo.collections.tts.models import HifiGanModel

    return _restore(path, HifiGanModel, device)


def _restore(path: Path, kind: type[_Model], device: str) -> _Model:
    """NeMo's own `restore_from`, with the weights read by `torch.load(weights_only=True)` whatever the environment says.

    An explicit argument wins over TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD, so a checkpoint that smuggles code never runs.
    """
    import tarfile
    from pickle import UnpicklingError

    import torch
    from nemo.core.connectors.save_restore_connector import SaveRestoreConnector

    class WeightsOnly(SaveRestoreConnector):  # type: ignore[misc]  # NeMo has no types
        @staticmethod
        def _load_state_dict_from_disk(model_weights: str, map_location: str = "cpu") -> dict[str, torch.Tensor]:
            state: dict[str, torch.Tensor] = torch.load(model_weights, map_location=map_location, weights_only=True)
            return state

    try:
        model = kind.restore_from(str(path), map_location=torch.device(device), save_restore_connector=WeightsOnly())
    except (OSError, tarfile.TarError, UnpicklingError, RuntimeError, ValueError, KeyError) as error:
        raise TrainingError(
            f"The checkpoint {path.name} cannot be restored as {kind.__name__}: {str(error).splitlines()[0] if str(error) else error!r}.",
            reason=f"checkpoint_unreadable:{path.name}",
        ) from error
    if not isinstance(model, kind):
        raise TrainingError(f"The checkpoint {path.name} is a {type(model).__name__}, not a {kind.__name__}.", reason=f"checkpoint_wrong_kind:{path.name}")
    model.eval()
    return model


def weights_sha256(model: torch.nn.Module) -> str:
    """sha256 over names and values of all weights, in order of name: two runs that learned the same have the same.

    (The `.nemo` files themselves differ, because the archive records times.)
    """
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode("utf-8"))
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
