"""The watermark of an exported graph is the runtime's, in a graph that onnxruntime computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from voicemill.bundle.watermark_nodes import mark_sound
from voicemill_marks.detector import detect
from voicemill_marks.watermark import Watermark

PAYLOAD = bytes.fromhex("12ab34cd")


def marked_by_graph(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The samples through a graph that does nothing but mark them."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["sound"], ["samples"])],
        "sound",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, "n"])],
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, [1, "n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    mark_sound(model, rate, PAYLOAD)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(["samples"], {"sound": samples[None]})[0][0]
    return result


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100])
def test_the_graph_computes_what_the_runtime_computes(rate: int, talk: Callable[..., NDArray[np.float32]]) -> None:
    samples = talk(seconds=7.3, rate=rate)
    ours = Watermark(rate, PAYLOAD).mark(samples)
    theirs = marked_by_graph(samples, rate)
    assert theirs.shape == samples.shape
    assert np.abs(ours - samples).max() > 1e-2
    assert np.abs(theirs - ours).max() < 1e-4
    assert detect(theirs, rate, speeds=False).payload == PAYLOAD


@pytest.mark.parametrize("count", [1, 100, 176, 705, 22_050])
def test_sounds_of_any_length(count: int, talk: Callable[..., NDArray[np.float32]]) -> None:
    samples = talk(seconds=1.0)[:count]
    assert np.abs(marked_by_graph(samples, 22_050) - Watermark(22_050, PAYLOAD).mark(samples)).max() < 1e-4


def test_silence_stays_silence() -> None:
    assert not marked_by_graph(np.zeros(5000, np.float32), 22_050).any()
