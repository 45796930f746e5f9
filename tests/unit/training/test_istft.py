from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from voicemill.errors import TrainingError
from voicemill.metrics.spectral import log_mel
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.config import RuntimeVocoderConfig

if TYPE_CHECKING:
    from voicemill.training.istft_network import IstftNetwork

AUDIO = AudioConfig()
REPOSITORY = Path(__file__).resolve().parents[3]
BASE = REPOSITORY / "data/base/base-en-people-istft.safetensors"
LJ = REPOSITORY / "tests/data/people/lj"


def small_network(*, as_products: bool = False) -> IstftNetwork:
    import torch

    from voicemill.training.istft_network import IstftConfig, IstftNetwork

    torch.manual_seed(3)
    sizes = IstftConfig(width=16, inner_width=32, layers=1, pitch_width=8, pitch_layers=1)
    return IstftNetwork(sizes, AUDIO, as_products=as_products).eval()


def recording(name: str = "LJ001-0002", seconds: float = 1.5) -> np.ndarray:
    import soundfile

    samples, rate = soundfile.read(LJ / f"{name}.flac", dtype="float32")
    assert rate == AUDIO.sample_rate
    return samples[: int(seconds * rate) // AUDIO.hop_length * AUDIO.hop_length]


def test_an_untrained_network_already_gives_the_mel() -> None:
    """The excitation is scaled to the mel, so training only has to learn what the mel does not tell."""
    import torch

    network, mel = small_network(), log_mel(recording())
    with torch.no_grad():
        samples = network(torch.from_numpy(mel)[None])[0].numpy()
    assert samples.shape == (mel.shape[1] * AUDIO.hop_length,)
    found = log_mel(samples)[:, 2 : mel.shape[1] - 2]
    assert np.abs(found - mel[:, 2:-2]).mean() < 0.6
    silence = np.full_like(mel, np.log(AUDIO.log_floor))
    assert np.abs(found - silence[:, 2:-2]).mean() > 2.0


def test_products_and_ffts_give_the_same_samples() -> None:
    import torch

    mel = torch.from_numpy(log_mel(recording()))[None]
    fast, products = small_network(), small_network(as_products=True)
    products.load_state_dict(fast.state_dict())
    with torch.no_grad():
        assert (fast(mel).clamp(-1, 1) - products(mel)).abs().max() < 2e-5


@pytest.mark.parametrize("hertz", [80.0, 200.0, 440.0])
def test_pulses_have_the_pitch(hertz: float) -> None:
    import torch

    frames = 60
    with torch.no_grad():
        pulses = small_network()._pulses(torch.full((1, frames), hertz))[0].flatten().numpy()
    assert len(pulses) == (frames + 3) * AUDIO.hop_length
    spectrum = np.abs(np.fft.rfft(pulses * np.hanning(len(pulses))))
    expected = np.arange(1, 6) * hertz * len(pulses) / AUDIO.sample_rate
    for bin_of_harmonic in expected:
        near = spectrum[int(bin_of_harmonic) - 3 : int(bin_of_harmonic) + 5]
        between = spectrum[int(bin_of_harmonic + 0.5 * expected[0])]
        assert near.max() > 30 * between
    assert np.sqrt((pulses**2).mean()) == pytest.approx(1.0, rel=0.05)


def test_weights_survive_the_file(tmp_path: Path) -> None:
    import torch

    from voicemill.training.istft_weights import key_of, read_istft, write_istft

    network = small_network()
    path = write_istft(network, tmp_path / "v.safetensors", {"key": "abc"})
    read = read_istft(path, AUDIO)
    assert key_of(path) == "abc"
    assert read.config == network.config
    for name, value in network.state_dict().items():
        assert torch.allclose(read.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    mel = torch.from_numpy(log_mel(recording()))[None]
    with torch.no_grad():
        assert log_mel_distance(read(mel), network(mel)) < 0.05


def log_mel_distance(one: object, other: object) -> float:
    first, second = (log_mel(np.asarray(each)[0]) for each in (one, other))
    return float(np.abs(first - second).mean())


def test_other_files_are_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from voicemill.training.istft_weights import key_of, read_istft, write_istft

    def reason(path: Path, audio: AudioConfig = AUDIO) -> str:
        with pytest.raises(TrainingError) as caught:
            read_istft(path, audio)
        return caught.value.reason

    (tmp_path / "text").write_text("no weights")
    assert reason(tmp_path / "text") == "base_unusable:file"
    assert key_of(tmp_path / "text") is None
    assert reason(tmp_path / "missing") == "base_unusable:file"
    save_file({"a": torch.zeros(1)}, tmp_path / "other")
    assert reason(tmp_path / "other") == "base_unusable:format"
    good = write_istft(small_network(), tmp_path / "good")
    assert reason(good, AudioConfig(fmax=7600)) == "base_unusable:mel"
    cut = tmp_path / "cut"
    cut.write_bytes(good.read_bytes()[:-10])
    assert reason(cut) == "base_unusable:file"


@pytest.mark.slow
def test_tuning_comes_nearer_to_the_speaker() -> None:
    from voicemill.training.istft_tuning import TuningClip, tune_istft

    network = small_network()
    clips = [TuningClip(recording("LJ001-0005")), TuningClip(recording("LJ001-0008"))]
    settings = RuntimeVocoderConfig(max_steps=16, check_interval=8, batch_size=2, segment_frames=32, learning_rate=3e-3)
    steps: list[int] = []
    result = tune_istft(
        network, clips, [TuningClip(recording())], settings, seed=1, on_step=lambda step, loss: steps.append(step)
    )
    assert steps == list(range(1, 17))
    assert result.after < result.before
    assert result.best_step in (8, 16)


def test_tuning_goes_on_with_the_discriminators_of_the_base(tmp_path: Path) -> None:
    import torch

    from voicemill.training.istft_adversary import Adversary
    from voicemill.training.istft_tuning import TuningClip, tune_istft
    from voicemill.training.istft_weights import read_discriminators, read_istft, write_istft

    torch.manual_seed(1)
    base, fresh, adversary = small_network(), Adversary(AUDIO.sample_rate), Adversary(AUDIO.sample_rate, ramp=1)
    plain = write_istft(base, tmp_path / "plain.safetensors")
    path = write_istft(base, tmp_path / "base.safetensors", discriminators=fresh.discriminators)
    assert not read_discriminators(plain, adversary.discriminators)
    assert not read_discriminators(path, torch.nn.Linear(2, 2))
    assert read_discriminators(path, adversary.discriminators)
    clips, settings = [TuningClip(recording("LJ001-0005"))], RuntimeVocoderConfig(max_steps=4, batch_size=2)
    networks = {}
    for name, judge in (("alone", None), ("judged", adversary)):
        networks[name] = read_istft(path, AUDIO)
        result = tune_istft(networks[name], clips, clips, settings, seed=1, adversary=judge)
        assert result.steps == 4
    assert adversary.steps == 4
    for ours, theirs in zip(adversary.discriminators.parameters(), fresh.discriminators.parameters(), strict=True):
        assert not torch.equal(ours, theirs)
    alone, judged = (network.state_dict() for network in networks.values())
    assert any(not torch.equal(value, judged[name]) for name, value in alone.items())


def test_tuning_that_does_harm_keeps_the_base() -> None:
    import torch

    from voicemill.training.istft_tuning import TuningClip, tune_istft

    network = small_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    clip = TuningClip(recording(), mel=log_mel(recording()))
    settings = RuntimeVocoderConfig(
        max_steps=40, check_interval=1, patience=2, batch_size=1, segment_frames=16, learning_rate=50.0
    )
    result = tune_istft(network, [clip], [clip], settings, seed=1)
    assert (result.best_step, result.steps) == (0, 2)
    assert result.after == result.before
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_shipped_base_learned_from_none_of_the_speakers_who_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import safe_open

    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts/base_vocoder"))
    import people

    with safe_open(BASE, framework="pt") as opened:
        speakers = opened.metadata()["speakers"].split()
    assert len(speakers) == 193
    assert all(speaker.isdigit() for speaker in speakers)  # LibriSpeech numbers its speakers
    people.check_unseen([Path(speaker) for speaker in speakers])
    del sys.modules["people"]


def test_the_shipped_base_speaks_like_an_unseen_person() -> None:
    """Copy synthesis of LJ: nearer to her recording than Griffin-Lim is, and at the recording's pitch."""
    from voicemill.audio.pitch import pyin
    from voicemill.metrics.spectral import stft_distance
    from voicemill.synthesis.griffin_lim import griffin_lim
    from voicemill.synthesis.vocoders import IstftVocoder
    from voicemill.training.istft_weights import read_istft

    samples = recording("LJ001-0002")
    mel = log_mel(samples)
    copy = IstftVocoder(read_istft(BASE, AUDIO))(mel)[: len(samples)]
    other = griffin_lim(mel, AUDIO, iterations=60)[: len(samples)]
    assert stft_distance(samples, copy) < stft_distance(samples, other)
    tracks = [pyin(each, sample_rate=AUDIO.sample_rate, fmin=100, fmax=400) for each in (samples, copy)]
    both = tracks[0].voiced & tracks[1].voiced
    assert both.sum() > 0.8 * tracks[0].voiced.sum()
    assert np.median(np.abs(1200 * np.log2(tracks[1].f0[both] / tracks[0].f0[both]))) < 25


@pytest.mark.parametrize(
    "path",
    [
        "people/lj/LJ001-0001.flac",
        "LJSpeech/wavs/LJ001-0001.wav",
        "people/kathleen/kathleen/arctic_a0001.flac",
        "asterisk-core-sounds-en/1.wav",
        "voices/Allison/1.wav",
        "flite/slt/1.wav",
    ],
)
def test_speakers_who_judge_are_in_no_training(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts/base_vocoder"))
    import people

    with pytest.raises(ValueError, match="measured on"):
        people.check_unseen([Path(path)])
    people.check_unseen([Path("librispeech_many/103/103-1240-0000.flac")])
    del sys.modules["people"]
