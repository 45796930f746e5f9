from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from voicemill.errors import TrainingError
from voicemill.training import onnx_export, runtime


def test_a_model_that_the_exporter_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    monkeypatch.setattr(runtime, "nemo_runtime", contextlib.nullcontext)
    monkeypatch.setattr(onnx_export, "_voice_module", lambda speaker: torch.nn.Identity())
    speaker: Any = SimpleNamespace(vocoder=None, fastpitch=SimpleNamespace(vocab=SimpleNamespace(tokens="abc")))
    with pytest.raises(TrainingError) as caught:
        onnx_export.graph_bytes(speaker)
    assert caught.value.reason == "onnx_export_failed"
