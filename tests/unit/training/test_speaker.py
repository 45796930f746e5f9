"""A saved voice synthesises: through us, and through stock NeMo in a process without our code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from voicemill.errors import DatasetError, TrainingError, UsageError, VoicemillError
from voicemill.synthesis.vocoders import GriffinLimVocoder
from voicemill.training.aligned_mels import ground_truth_aligned_mels
from voicemill.training.data import read_dataset
from voicemill.training.examples import ExampleSource
from voicemill.training.speaker import Speaker, load_speaker
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import tiny_config

pytestmark = pytest.mark.slow  # trains small models, with NeMo

VOCODER = "data/base/base-en-small-hifigan.nemo"


@pytest.fixture(scope="module")
def nemo_file(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = train_acoustic(
        tiny_config(max_steps=25, optimiser={"learning_rate": 5e-3}), tone_dataset, tmp_path_factory.mktemp("voice")
    )
    assert result.nemo_path is not None
    return result.nemo_path


@pytest.fixture(scope="module")
def speaker(nemo_file: Path) -> Speaker:
    return load_speaker(nemo_file, iterations=4, pronounce=lambda word: ["D", "OW"])


STOCK = """
import sys
from nemo.collections.tts.models import FastPitchModel
assert not any(name.startswith("voicemill") for name in sys.modules)
model = FastPitchModel.restore_from(sys.argv[1], map_location="cpu").eval()
assert type(model) is FastPitchModel
mel = model.generate_spectrogram(tokens=model.parse("Hello, world."))
assert mel.shape[0] == 1 and mel.shape[1] == 80 and mel.shape[2] > 5, mel.shape
assert mel.isfinite().all()
"""


def test_stock_nemo_restores_and_synthesises_in_a_fresh_process(nemo_file: Path, tmp_path: Path) -> None:
    moved = tmp_path / "voice.nemo"
    moved.write_bytes(nemo_file.read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-c", STOCK, str(moved)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_archive_carries_its_lexicon_and_no_paths(nemo_file: Path) -> None:
    with tarfile.open(nemo_file) as archive:
        names = archive.getnames()
        config_file = archive.extractfile(next(name for name in names if name.endswith("model_config.yaml")))
        assert config_file is not None
        text = config_file.read().decode()
    config = yaml.safe_load(text)
    assert config["target"] == "nemo.collections.tts.models.fastpitch.FastPitchModel"
    assert config["text_tokenizer"]["g2p"]["phoneme_dict"].startswith("nemo:")
    assert any(name.endswith("lexicon.cmudict") for name in names)
    assert str(nemo_file.parent) not in text
    assert config["pitch_mean"] == 180.0


def test_speed_shortens_and_pitch_moves_the_mel(speaker: Speaker) -> None:
    import torch

    from voicemill.training.examples import encode

    text = "no more rain today."
    plain, fast = speaker.predict_mel(text), speaker.predict_mel(text, speed=2.0)
    assert fast.shape[1] == pytest.approx(plain.shape[1] / 2, rel=0.15)
    assert speaker.predict_mel(text, semitones=4.0).shape == plain.shape
    assert not np.allclose(speaker.predict_mel(text, semitones=4.0), plain)
    # Without a shift it is what NeMo's own method gives.
    tokens, _ = encode(speaker.fastpitch, speaker.with_phones(text))
    with torch.no_grad():
        stock = speaker.fastpitch.generate_spectrogram(tokens=torch.tensor([tokens]))[0].numpy()
    np.testing.assert_allclose(plain, stock, atol=1e-5)


def test_synthesis(speaker: Speaker) -> None:
    sound = speaker.synthesise("Hello, world. Low word!")
    assert sound.dtype == np.float32
    assert 0.3 < len(sound) / speaker.audio.sample_rate < 20
    assert np.abs(sound).max() > 0.001
    assert speaker.vocoder.name == "griffin_lim"
    assert (sound == speaker.synthesise("Hello, world. Low word!")).all()


def test_unknown_words_are_pronounced_not_dropped(speaker: Speaker) -> None:
    from voicemill.training.examples import encode, vocabulary_of

    assert vocabulary_of(speaker.fastpitch).unknown_words("Hello zyx, words' low-quux zyx") == ["zyx", "quux"]
    assert speaker.with_phones("Hello Zyx low-quux.") == "Hello |D OW| low |D OW|."

    assert encode(speaker.fastpitch, speaker.with_phones("Zyx low."))[1] == [" ", "D", "OW", " ", "L", "OW", ".", " "]


def test_without_a_pronouncer_unknown_words_are_named(speaker: Speaker) -> None:
    mute = Speaker(speaker.fastpitch, GriffinLimVocoder(speaker.audio, 2), speaker.audio, None)
    with pytest.raises(UsageError, match="zyx"):
        mute.synthesise("Hello zyx.")


@pytest.mark.parametrize("text", ["", "  ... !", "\n"])
def test_nothing_to_say(speaker: Speaker, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        speaker.synthesise(text)
    assert caught.value.reason == "nothing_to_say"


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x.nemo").write_text("not an archive")
    for name, code in (("x.nemo", "unsafe_archive"), ("missing.nemo", "archive_missing")):
        with pytest.raises(VoicemillError) as caught:
            load_speaker(tmp_path / name)
        assert caught.value.code == code


def test_aligned_mels_have_the_length_of_their_clips(speaker: Speaker, tone_dataset: Path, tmp_path: Path) -> None:
    dataset = read_dataset(tone_dataset)
    made = ground_truth_aligned_mels(speaker.fastpitch, dataset, tmp_path)
    assert [mel.clip for mel in made] == [clip.id for clip in dataset.train + dataset.validation]
    for mel, clip in zip(made, dataset.train + dataset.validation, strict=True):
        stored = np.load(mel.path, allow_pickle=False)
        assert stored.shape == (80, mel.frames)
        assert stored.dtype == np.float32
        assert mel.frames == round(clip.seconds * 22050) // 256
        assert 0 < mel.distance < 3


def test_weights_that_are_not_numbers_give_no_sound(nemo_file: Path) -> None:
    import torch

    broken = load_speaker(nemo_file, iterations=4)
    with torch.no_grad():
        broken.fastpitch.fastpitch.proj.weight.fill_(float("nan"))
    with pytest.raises(TrainingError) as caught:
        broken.synthesise("Hello, world.")
    assert caught.value.reason == "synthesis_non_finite"


def test_a_voice_that_predicts_hardly_any_frames_gives_no_sound(nemo_file: Path) -> None:
    import torch

    young = load_speaker(nemo_file, iterations=4)
    predictor = young.fastpitch.fastpitch.duration_predictor.fc
    with torch.no_grad():
        predictor.weight.zero_()
        for bias in (-20.0, 0.3):  # no frame at all; and so few that a convolution is wider
            predictor.bias.fill_(bias)
            with pytest.raises(TrainingError) as caught:
                young.predict_mel("Oh")
            assert caught.value.reason == "synthesis_non_finite"


def test_a_vocoder_instead_of_a_voice_is_refused(repository: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        load_speaker(repository / VOCODER)
    assert caught.value.reason == "checkpoint_wrong_kind:base-en-small-hifigan.nemo"


def test_a_vocoder_of_other_mels_is_refused(repository: Path, tone_dataset: Path, tmp_path: Path) -> None:
    config = tiny_config(max_steps=1)
    narrow = config.model_copy(update={"audio": config.audio.model_copy(update={"fmax": 7000.0})})
    voice = train_acoustic(narrow, tone_dataset, tmp_path).nemo_path
    assert voice is not None
    with pytest.raises(TrainingError) as caught:
        load_speaker(voice, repository / VOCODER)
    assert caught.value.reason == "vocoder_mismatch"


def test_pitch_of_another_length_is_refused(nemo_file: Path, tone_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    dataset = read_dataset(root)
    clip = dataset.train[0]
    np.savez(clip.pitch, pitch=np.ones(5, dtype=np.float32))
    model = load_speaker(nemo_file).fastpitch
    source = ExampleSource(model, dataset.train, dataset.pitch_statistics, tiny_config().audio, "durations", True)
    with pytest.raises(DatasetError) as caught:
        source[0]
    assert caught.value.reason == f"pitch_length:{clip.id}"
