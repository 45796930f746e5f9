"""ONNX models on the CPU with onnxruntime, with its telemetry disabled."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

from voicemill.errors import DependencyError
from voicemill.weights.store import read_checked


@functools.cache
def session(path: Path, sha256: str | None = None) -> Any:
    """The `onnxruntime.InferenceSession` of a model, once per process.

    Tasks carry the path of the model, because sessions cannot be pickled. A session uses one thread, because callers
    run one process per core. The graph is loaded from the bytes that were hashed, not from the path again.

    Args:
        path: the model.
        sha256: its pinned digest; None for the model of an installed package.

    Raises:
        GateError: `weights_checksum_mismatch:<name>`, `weights_unavailable:<name>`.
        DependencyError: onnxruntime is not installed.
    """
    if "onnxruntime" not in sys.modules:
        # onnxruntime >= 1.29 writes a device id below HOME and sends telemetry on import unless this is set before;
        # disable_telemetry_events() is too late for the file
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime") from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only, without the warnings of the graph optimiser
    return onnxruntime.InferenceSession(
        read_checked(path, sha256), sess_options=options, providers=["CPUExecutionProvider"]
    )


def missing(package: str) -> DependencyError:
    """The error if a package that contains or runs a model is not installed."""
    return DependencyError(
        f"Voice activity detection needs the package {package}, which is not installed.",
        reason=f"runtime_dependency_missing:{package}",
        hint=f"Install it (pip install {package}) or set the project up again with ./run-direct.",
    )
