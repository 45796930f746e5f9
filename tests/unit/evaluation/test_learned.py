from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voicemill import files
from voicemill.evaluation.learned import NO_SPEAKER_MODEL, OnnxEmbedding, speaker_similarity


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real graph: the mean of four stretches of a sound; (1, samples) -> (1, 4)."""
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Reshape", ["sound", "shape"], ["parts"]),
        helper.make_node("ReduceMean", ["parts"], ["embedding"], axes=[2], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "embedding",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor("shape", TensorProto.INT64, [3], [1, 4, -1])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path_factory.mktemp("onnx") / "speaker.onnx"
    onnx.save(made, str(path))
    return path


def sound(*levels: float) -> np.ndarray:
    return np.repeat(np.array(levels, dtype=np.float32), 4000)


def test_similarity_is_the_cosine_to_the_enrolled_mean(model: Path) -> None:
    own = [sound(0.5, 0, 0, 0), sound(0, 0.1, 0, 0)]  # enrolled at 45 degrees between the two, whatever their level
    made = [sound(0.2, 0, 0, 0), sound(0, 0, 0.3, 0)]
    found = speaker_similarity(made, own, 16_000, OnnxEmbedding("somebody/speaker", model))
    assert found.value == pytest.approx((np.sqrt(0.5) + 0.0) / 2, abs=1e-5)
    assert found.samples == 2
    assert "somebody/speaker" in found.method


def test_without_model_recordings_or_meaning_it_is_null_and_says_why(model: Path) -> None:
    embedding = OnnxEmbedding("somebody/speaker", model)
    one = [sound(1, 0, 0, 0)]
    assert speaker_similarity(one, one, 16_000, NO_SPEAKER_MODEL).not_measured == NO_SPEAKER_MODEL
    assert "no recordings" in speaker_similarity(one, [], 16_000, embedding).not_measured
    assert "not finite" in speaker_similarity([sound(0, 0, 0, 0)], one, 16_000, embedding).not_measured


def test_a_listed_model_must_be_here_and_pass_the_gate(model: Path, tmp_path: Path, repository: Path) -> None:
    from voicemill.backends.measuring import speaker_model
    from voicemill.settings import Settings

    shipped = json.loads((repository / "configs/voice/prod_tts/weights_allowlist.json").read_text())
    (silero,) = (entry for entry in shipped["weights"] if entry["kind"] == "vad")
    file = {"location": "cache", "path": "speaker.onnx", "sha256": files.sha256_file(model)}
    entry = {**silero, "id": "somebody/speaker", "kind": "speaker", "files": [file]}
    listed = tmp_path / "list.json"
    environment = {"CACHE_DIR": str(tmp_path / "cache"), "PROD_TTS_ALLOWLIST": str(listed)}
    settings = Settings.from_environment(environment)

    def write(**changes: object) -> None:
        files.write_json(listed, {**shipped, "weights": [*shipped["weights"], {**entry, **changes}]})

    write()
    assert speaker_model(settings) == "somebody/speaker cannot be used: weights_unavailable:somebody/speaker."
    target = settings.workspace.weights_cache / "somebody/speaker/speaker.onnx"
    target.parent.mkdir(parents=True)
    target.write_bytes(model.read_bytes())
    found = speaker_model(settings)
    assert isinstance(found, OnnxEmbedding)
    assert found.embed(sound(1, 0, 0, 0)).shape == (4,)
    write(weights_license="CC-BY-NC-4.0")
    assert "allowlist_commercial_rejected" in str(speaker_model(settings))
    target.write_bytes(b"changed")
    write()
    assert "weights_checksum_mismatch" in str(speaker_model(settings))
    assert speaker_model(Settings.from_environment({"CACHE_DIR": str(tmp_path)})) == NO_SPEAKER_MODEL
