from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.dataset.models import NO_MODEL, find_speaker_model
from voicemill.errors import GateError, NotMeasurableError
from voicemill.files import sha256_file
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

OTHER_THROAT = (750.0, 1700.0, 3300.0)


def test_speakers_are_distinguished_at_any_level_rate_and_pitch(
    timbre_model: Path, talk: Callable[..., object]
) -> None:
    model = SpeakerModel("somebody/speaker", timbre_model, sha256_file(timbre_model))
    mine = [model.embed(talk(seed=seed), 22_050) for seed in range(3)]
    assert [float(np.linalg.norm(one)) for one in mine] == pytest.approx([1.0] * 3)
    speaker = centroid(np.array(mine))
    same = [
        model.embed(0.1 * talk(seed=7), 22_050),
        model.embed(talk(seed=8, rate=16_000), 16_000),
        model.embed(talk(f0=140.0, seed=9), 22_050),
    ]
    other = model.embed(talk(formants=OTHER_THROAT, seed=10), 22_050)
    assert min(float(one @ speaker) for one in same) > 0.8 > 0.4 > float(other @ speaker)


def test_a_zero_embedding_is_an_error(timbre_model: Path) -> None:
    model = SpeakerModel("somebody/speaker", timbre_model, sha256_file(timbre_model))
    with pytest.raises(NotMeasurableError, match="empty or not finite"):
        model.embed(np.full(16_000, np.nan, dtype=np.float32), 16_000)


def test_a_listed_model_must_be_installed_and_pass_the_gate(
    shelve: Callable[..., Path], place: Workspace, timbre_model: Path, repository: Path
) -> None:
    cache = place.weights_cache
    file = cache / "somebody/speaker/speaker.onnx"

    def listed(**changes: object) -> WeightsRegistry:
        return WeightsRegistry(shelve("somebody/speaker", timbre_model, kind="speaker", **changes), cache, repository)

    registry = listed()
    found = find_speaker_model(registry)
    assert isinstance(found, SpeakerModel)
    assert (found.name, found.path) == ("somebody/speaker", file)
    file.write_bytes(b"changed")
    assert "weights_checksum_mismatch" in str(find_speaker_model(registry))
    file.unlink()
    assert find_speaker_model(registry) == "somebody/speaker cannot be used: weights_unavailable:somebody/speaker."
    assert "allowlist_commercial_rejected" in str(find_speaker_model(listed(weights_license="CC-BY-NC-4.0")))
    assert find_speaker_model(WeightsRegistry(repository / SHIPPED, cache, repository)) == NO_MODEL


def test_onnxruntime_opens_no_connection(timbre_model: Path, tmp_path: Path, repository: Path) -> None:
    """It would leave a device id below HOME as soon as it is imported."""
    code = (
        "import sys, numpy; from pathlib import Path; from voicemill.audio.embedding import SpeakerModel\n"
        "SpeakerModel('a', Path(sys.argv[1]), sys.argv[2]).embed(numpy.ones(16000, dtype=numpy.float32), 16000)"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(repository / "lib"), "PATH": "/usr/bin:/bin"}
    subprocess.run(
        [sys.executable, "-c", code, str(timbre_model), sha256_file(timbre_model)], env=environment, check=True
    )
    assert not list(tmp_path.rglob("*"))


def test_a_graph_exchanged_after_the_check_is_not_loaded(timbre_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "speaker.onnx"
    path.write_bytes(timbre_model.read_bytes())
    model = SpeakerModel("somebody/speaker", path, sha256_file(path))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(GateError) as caught:
        model.embed(np.ones(16_000, dtype=np.float32), 16_000)
    assert caught.value.reason == "weights_checksum_mismatch:speaker.onnx"
