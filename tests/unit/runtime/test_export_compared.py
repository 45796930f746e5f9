"""The export of a voice in the lane compares the graph with NeMo, and refuses one that differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.runtime.test_graph import TEXTS

from voicemill.errors import TrainingError
from voicemill.training import onnx_export
from voicemill.training.onnx_export import export_graph, largest_difference
from voicemill.training.speaker import Speaker
from voicemill_runtime.graph import VoiceGraph

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("neural", [True, False])
def test_the_graph_is_written_and_equals_nemo(
    neural: bool, speaker: Speaker, mel_speaker: Speaker, tmp_path: Path
) -> None:
    exported = export_graph(speaker if neural else mel_speaker, tmp_path, TEXTS)
    assert exported.difference <= 1e-4
    assert exported.graph == tmp_path / "voice.onnx"
    assert exported.lexicon == tmp_path / "lexicon.txt"
    assert VoiceGraph(exported.graph.read_bytes()).neural == neural


@pytest.mark.parametrize("method", ["predict_mel", "vocode"])
def test_a_graph_of_other_weights_is_refused(
    method: str, speaker: Speaker, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = VoiceGraph((exported / "voice.onnx").read_bytes())
    assert largest_difference(speaker, graph, TEXTS[:2]) <= 1e-4
    monkeypatch.setattr(onnx_export, "export_voice", lambda *_: (exported / "voice.onnx", exported / "lexicon.txt"))
    original = getattr(Speaker, method)
    monkeypatch.setattr(Speaker, method, lambda self, argument: original(self, argument) + 0.01)
    with pytest.raises(TrainingError) as caught:
        export_graph(speaker, tmp_path, TEXTS[:2])
    assert caught.value.reason == "onnx_differs"


def test_rounding_of_the_mel_is_no_difference_of_the_vocoder(
    speaker: Speaker, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The iSTFT vocoder sums its pitch, so that a mel's last digit moves the phase of a long sentence's last frames."""
    graph = VoiceGraph((exported / "voice.onnx").read_bytes())
    predict = Speaker.predict_mel
    monkeypatch.setattr(Speaker, "predict_mel", lambda self, text: predict(self, text) + 9e-5)
    assert 8e-5 < largest_difference(speaker, graph, TEXTS[:2]) < 1e-4
