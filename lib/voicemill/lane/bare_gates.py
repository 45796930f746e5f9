"""The gates that a Python without pydantic and PyYAML can judge, so that the first reason is the same on every Python.

Standard library only. The order is the contract's: allowlist → config → dataset; what is missing comes after them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from voicemill.errors import ConfigError, DatasetError
from voicemill.launch.lanes import LIGHT
from voicemill.settings import Settings
from voicemill.weights import allowlist, gate

_STARTED_BY_OTHER = "VOICEMILL_STARTED_BY"
"""Variable with the Python that started this one; set so that a start is not repeated."""


def start_in_environment(environ: Mapping[str, str], repository: Path) -> None:
    """Start this program again with the Python that `./run-direct` set up, if there is one; otherwise return.

    The environment is VOICEMILL_VENV, by default `.venv` of the checkout.
    """
    python = Path(environ.get("VOICEMILL_VENV", "").strip() or repository / ".venv") / "bin/python"
    if _STARTED_BY_OTHER in environ or not os.access(python, os.X_OK):
        return
    folders = list((python.parents[1] / "lib").glob("python3*/site-packages"))
    packages = {path.name for folder in folders for path in folder.iterdir()}
    if not packages.issuperset(LIGHT):
        return
    # -E: PYTHONPATH and PYTHONHOME belong to the Python that lacks the packages.
    os.execve(  # noqa: S606 - our own environment
        python, [str(python), "-E", *sys.argv], {**environ, _STARTED_BY_OTHER: sys.executable}
    )


def check(settings: Settings) -> None:
    """Run the gates as far as the standard library goes.

    Raises:
        GateError: see `gate.select`.
        ConfigError: `config_missing:<path>`.
        DatasetError: `dataset_manifest_missing:<path>`, `dataset_no_valid_audio`.
    """
    listed = allowlist.load_allowlist(settings.weights.allowlist)
    if settings.weights.base_id:
        gate.require_kind(gate.select(settings.weights.base_id, listed).entry, "fastpitch", "none")
    config = settings.training.config
    if not config.is_file():
        raise ConfigError(
            f"There is no configuration at {config}.",
            reason=f"config_missing:{config.as_posix()}",
            hint="Check PROD_TTS_CONFIG, or unset it.",
        )
    if settings.source.manifest is not None and not settings.dry_run:
        _check_manifest(settings.source.manifest)


def _check_manifest(manifest: Path) -> None:
    if not manifest.is_file():
        raise DatasetError(
            f"There is no dataset manifest at {manifest}.",
            reason=f"dataset_manifest_missing:{manifest}",
            hint="Name a NeMo manifest, or give --audio.",
        )
    with manifest.open(encoding="utf-8", errors="replace") as lines:
        if any(_names_audio(line, manifest.parent) for line in lines):
            return
    raise DatasetError(
        f"None of the recordings that {manifest} names exists.",
        reason="dataset_no_valid_audio",
        hint="The paths in a manifest are absolute, or relative to its folder.",
    )


def _names_audio(line: str, folder: Path) -> bool:
    """Whether a line names an existing recording; a line that cannot be read is left to the real reader."""
    try:
        return (folder / str(json.loads(line)["audio_filepath"])).is_file()
    except (ValueError, KeyError, TypeError, RecursionError):
        return bool(line.strip())
