"""Real steps of NeMo's HifiGanModel on a tiny dataset of tones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from voicemill.errors import DatasetError, TrainingError
from voicemill.metrics.spectral import log_mel
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.checkpoint import StepReport
from voicemill.training.config import TrainingConfig
from voicemill.training.data import read_dataset
from voicemill.training.hifigan_data import PairSource, SegmentBatches
from voicemill.training.hifigan_model import build_hifigan
from voicemill.training.hooks import Hooks
from voicemill.training.runtime import nemo_runtime
from voicemill.training.train_hifigan import VocoderInputs, train_vocoder

from .conftest import RATE, tiny_config, write_clip, write_dataset

pytestmark = pytest.mark.slow  # trains small models, with NeMo

HOP = 256


def config(**vocoder: object) -> TrainingConfig:
    generator = {
        "upsample_rates": [16, 16],
        "upsample_kernel_sizes": [32, 32],
        "initial_channels": 8,
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1, 2]],
    }
    small = {"generator": generator, "max_steps": 4, "batch_size": 2, "segment_frames": 16, "learning_rate": 1e-3}
    return tiny_config().model_copy(
        update={
            "vocoder": type(tiny_config().vocoder).model_validate(small | vocoder),
            "checkpoint_interval": 3,
        }
    )


def zero_mel(samples: np.ndarray) -> np.ndarray:
    return np.zeros((80, len(samples) // HOP), dtype=np.float32)


@pytest.fixture
def aligned(tone_dataset: Path, tmp_path: Path) -> Path:
    """What an acoustic model would have made of each training clip: here the clip's own mel, a little blurred."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    for clip in read_dataset(tone_dataset).train:
        import soundfile

        samples, _ = soundfile.read(clip.audio, dtype="float32")
        np.save(folder / f"{clip.id}.npy", log_mel(samples)[:, : len(samples) // HOP] + 0.1)
    return folder


@pytest.fixture(scope="module")
def base(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    path = train_vocoder(config(max_steps=1), tone_dataset, folder, VocoderInputs()).nemo_path
    if path is None:
        pytest.fail("the run was not interrupted, and saved nothing")
    return path


def test_stock_nemo_restores_what_was_trained(tone_dataset: Path, aligned: Path, tmp_path: Path) -> None:
    reports: list[StepReport] = []
    result = train_vocoder(
        config(), tone_dataset, tmp_path, VocoderInputs(None, aligned), hooks=Hooks(on_step=reports.append)
    )
    assert [report.step for report in reports] == [1, 2, 3, 4]
    assert result.steps == 4
    assert not result.interrupted
    assert len(result.loss_curve) == 4
    assert result.final_loss is not None
    assert math.isfinite(result.final_loss)
    assert result.nemo_path is not None
    assert result.nemo_path.stat().st_size < 3_000_000  # with NeMo's full discriminators it would be 283 MB
    with nemo_runtime():
        import torch
        from nemo.collections.tts.models import HifiGanModel

        model = HifiGanModel.restore_from(str(result.nemo_path), map_location=torch.device("cpu")).eval()
        with torch.no_grad():
            samples = model.convert_spectrogram_to_audio(spec=torch.zeros(1, 80, 20))
    assert samples.shape == (1, 20 * HOP)
    assert torch.isfinite(samples).all()


def test_the_same_seed_gives_the_same_weights(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    runs = [
        train_vocoder(
            config(max_steps=2).model_copy(update={"seed": seed}),
            tone_dataset,
            tmp_path / name,
            VocoderInputs(base),
        )
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    ]
    assert runs[0].weights_sha256 == runs[1].weights_sha256
    assert runs[0].weights_sha256 != runs[2].weights_sha256


def test_an_interrupted_run_continues(tone_dataset: Path, aligned: Path, tmp_path: Path) -> None:
    whole = train_vocoder(config(), tone_dataset, tmp_path / "whole", VocoderInputs(None, aligned))
    asked: list[None] = []

    def stop_after_two() -> bool:
        asked.append(None)
        return len(asked) == 2

    hooks = Hooks(should_stop=stop_after_two)
    part = train_vocoder(config(), tone_dataset, tmp_path / "part", VocoderInputs(None, aligned), hooks=hooks)
    assert part.interrupted
    assert part.steps == 2
    assert part.nemo_path is None
    assert part.checkpoint_path is not None
    assert part.checkpoint_path.is_file()
    rest = train_vocoder(config(), tone_dataset, tmp_path / "part", VocoderInputs(None, aligned), resume=True)
    assert rest.steps == 4
    assert rest.weights_sha256 == whole.weights_sha256
    assert rest.loss_curve == whole.loss_curve


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "no_checkpoint"), (b"no checkpoint at all", "checkpoint_unreadable")]
)
def test_there_must_be_something_to_resume(
    tone_dataset: Path, base: Path, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        for name in ("hifigan-0001.checkpoint", "hifigan-0001.checkpoint.json"):
            (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        train_vocoder(config(), tone_dataset, tmp_path, VocoderInputs(base), resume=True)
    assert caught.value.code == reason


def test_a_checkpoint_of_other_settings_is_refused(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    train_vocoder(config(max_steps=1), tone_dataset, tmp_path, VocoderInputs(base))
    with pytest.raises(TrainingError) as caught:
        train_vocoder(config(learning_rate=2e-3), tone_dataset, tmp_path, VocoderInputs(base), resume=True)
    assert caught.value.reason == "checkpoint_mismatch"


def test_a_loss_that_is_not_finite_ends_the_run(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train_vocoder(config(learning_rate=1e30), tone_dataset, tmp_path, VocoderInputs(base))
    assert caught.value.code == "non_finite_loss"
    assert not (tmp_path / "hifigan.nemo").exists()


def test_no_steps_save_the_base_as_it_is(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    result = train_vocoder(config(max_steps=0), tone_dataset, tmp_path, VocoderInputs(base))
    again = train_vocoder(config(max_steps=0), tone_dataset, tmp_path, VocoderInputs(result.nemo_path))
    assert result.steps == 0
    assert result.final_loss is None
    assert result.weights_sha256 == again.weights_sha256


def test_a_base_of_other_mels_is_refused(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    other = config().model_copy(update={"audio": AudioConfig(fmax=7000.0)})
    with pytest.raises(TrainingError) as caught:
        train_vocoder(other, tone_dataset, tmp_path, VocoderInputs(base))
    assert caught.value.reason == "base_unusable:highfreq"


def test_every_mel_must_have_the_length_of_its_clip(
    tone_dataset: Path, aligned: Path, base: Path, tmp_path: Path
) -> None:
    path = aligned / "c1.npy"
    np.save(path, np.load(path)[:, :-1])
    with pytest.raises(DatasetError) as caught:
        train_vocoder(config(), tone_dataset, tmp_path, VocoderInputs(base, aligned))
    assert caught.value.reason == "mel_length:c1"
    path.unlink()
    with pytest.raises(DatasetError) as caught:
        train_vocoder(config(), tone_dataset, tmp_path, VocoderInputs(base, aligned))
    assert caught.value.reason == "mel_missing:c1"


def test_mel_and_sound_of_a_pair_belong_to_the_same_time(tone_dataset: Path) -> None:
    clips = read_dataset(tone_dataset).train
    with nemo_runtime():
        import torch

        model = build_hifigan(config())

        def front_end(samples: np.ndarray) -> np.ndarray:
            mel, _ = model.audio_to_melspec_precessor(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
            return np.asarray(mel[0])

        pair = PairSource(clips, AudioConfig(), None, front_end, 16)[0]
    import soundfile

    samples, _ = soundfile.read(clips[0].audio, dtype="float32")
    frames = len(samples) // HOP
    assert pair.samples.shape == (frames * HOP,)
    np.testing.assert_array_equal(pair.samples[HOP // 2 :], samples[: frames * HOP - HOP // 2])
    # The acoustic model's centred frames are the pair's: all but the last two, whose windows reach past the pair's end.
    np.testing.assert_allclose(pair.mel[:, :-2], log_mel(samples)[:, : frames - 2], atol=2e-3)


def test_a_short_clip_is_padded_with_silence(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "dataset")
    write_clip(root, "c0", 0.3 * np.sin(np.arange(20 * HOP) / 7))
    source = PairSource(read_dataset(root).train, AudioConfig(), None, zero_mel, 32)
    pair = source[0]
    assert pair.mel.shape == (80, 32)
    assert pair.samples.shape == (32 * HOP,)
    assert pair.mel[0, -1] == pytest.approx(math.log(1e-5))
    assert np.abs(pair.samples[21 * HOP :]).max() == 0


def test_the_length_that_nemo_s_front_end_reports_is_the_length_of_all(tmp_path: Path) -> None:
    """Since NeMo 2.5 it reports one frame less than it computes: 25600 samples give 101 frames and the length 100."""
    from voicemill.training.aligned_mels import ground_truth_aligned_mels
    from voicemill.training.examples import ExampleSource
    from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon

    root = write_dataset(tmp_path / "dataset")
    clip = 0.1 * np.sin(np.arange(100 * HOP) / 7)
    write_clip(root, "c0", clip)
    dataset, settings = read_dataset(root), tiny_config()
    write_nemo_lexicon(dataset.lexicon, tmp_path / "lexicon")
    with nemo_runtime():
        import torch

        model = build_fastpitch(settings, dataset.pitch_statistics, tmp_path / "lexicon").eval()
        signal = torch.from_numpy(clip.astype(np.float32))[None]
        mel, length = model.preprocessor(input_signal=signal, length=torch.tensor([len(clip)]))
        assert (mel.shape[2], int(length)) == (101, 100), "NeMo has changed: drop the test"
        for mode in ("forced_prior", "beta_binomial"):
            example = ExampleSource(
                model, dataset.train[:1], dataset.pitch_statistics, settings.audio, mode, strict=True
            )[0]
            assert example.prior is not None
            assert (example.mel.shape[1], len(example.prior), len(example.pitch)) == (100, 100, 100)
        (made,) = ground_truth_aligned_mels(model, dataset, tmp_path / "mels", clips=dataset.train[:1])
    assert made.frames == 100
    pairs = PairSource(dataset.train[:1], settings.audio, tmp_path / "mels", zero_mel, 32)
    assert pairs.frames().tolist() == [100]
    assert len(pairs[0].samples) == 100 * HOP


@pytest.mark.parametrize(
    ("frames", "segment"), [(16, 16), (17, 16), (18, 16), (257, 258), (258, 258), (259, 258), (258, 256), (258, 32)]
)
def test_clips_about_as_long_as_a_segment(tmp_path: Path, frames: int, segment: int) -> None:
    """NeMo's VocoderDataset dies of a clip that is exactly as long as a segment: of 258 frames, just under 3 s."""
    root = write_dataset(tmp_path / "dataset")
    for number in range(5):
        write_clip(root, f"c{number}", 0.1 * np.ones(frames * HOP))
    source = PairSource(read_dataset(root).train, AudioConfig(), None, zero_mel, segment)
    batches = SegmentBatches(source, range(2, 5), batch_size=3, segment_frames=segment, seed=1)
    assert len(batches) == 3
    for samples, lengths, mels in batches:
        assert samples.shape == (3, segment * HOP)
        assert lengths.tolist() == [segment * HOP] * 3
        assert mels.shape == (3, 80, segment)


def test_segments_depend_on_seed_and_step_only(tone_dataset: Path) -> None:
    source = PairSource(read_dataset(tone_dataset).train, AudioConfig(), None, zero_mel, 16)

    def batch(seed: int, step: int, first: int = 0) -> list[float]:
        batches = SegmentBatches(source, range(first, 9), batch_size=2, segment_frames=16, seed=seed)
        return [float(value) for value in batches.batch(step)[0].flatten()]

    assert batch(1, 3) == batch(1, 3, first=3)
    assert batch(1, 3) != batch(1, 4)
    assert batch(1, 3) != batch(2, 3)


def test_a_broken_mel_is_named(tone_dataset: Path, aligned: Path, base: Path, tmp_path: Path) -> None:
    for path in aligned.glob("*.npy"):
        np.save(path, np.full_like(np.load(path), np.nan))
    with pytest.raises(DatasetError) as caught:
        train_vocoder(config(), tone_dataset, tmp_path, VocoderInputs(base, aligned))
    assert caught.value.code == "mel_not_finite"


def test_the_archive_names_no_file_of_this_machine(base: Path) -> None:
    with nemo_runtime():
        from nemo.collections.tts.models import HifiGanModel
        from omegaconf import OmegaConf

        tree = OmegaConf.to_container(HifiGanModel.restore_from(str(base), return_config=True))
    assert str(base.parent) not in json.dumps(tree)
    assert tree["preprocessor"]["sample_rate"] == RATE


def test_the_losses_of_micro_batches_add_up_to_the_batch_s(tone_dataset: Path) -> None:
    source = PairSource(read_dataset(tone_dataset).train, AudioConfig(), None, zero_mel, 16)
    batch = SegmentBatches(source, range(1), batch_size=5, segment_frames=16, seed=1).batch(0)
    with nemo_runtime():
        import torch

        from voicemill.training.hifigan_module import VocoderModule, split_segments

        torch.manual_seed(1)
        # Evaluation mode: spectral normalisation moves a little with each forward pass of a training.
        module = VocoderModule(build_hifigan(config()), config().vocoder, seed=1).eval()
        totals = []
        for parts in (1, 3):
            segments = split_segments(batch, parts)
            with torch.no_grad():
                judged = [
                    module.discriminator_loss(part.samples.unsqueeze(1), module.model.generator(x=part.mels))
                    * part.share
                    for part in segments
                ]
                made = [module.generator_loss(part)[0] * part.share for part in segments]
            totals.append((len(segments), float(sum(judged)), float(sum(made))))
    assert [count for count, _, _ in totals] == [1, 3]
    assert totals[1][1:] == pytest.approx(totals[0][1:], rel=1e-4)


def test_the_memory_of_a_step_is_counted_on_the_model_itself(tone_dataset: Path) -> None:
    source = PairSource(read_dataset(tone_dataset).train, AudioConfig(), None, zero_mel, 16)
    with nemo_runtime():
        import torch

        from voicemill.training.hifigan_module import VocoderModule

        module = VocoderModule(build_hifigan(config()), config().vocoder, seed=1).train()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        estimates = []
        for size, frames in ((2, 16), (4, 16), (4, 32)):
            batches = SegmentBatches(source, range(1), batch_size=size, segment_frames=frames, seed=1)
            torch.manual_seed(5)
            estimates.append(module.memory_estimate(batches.batch(0)))
            drawn = torch.rand(1)
            torch.manual_seed(5)
            assert torch.equal(drawn, torch.rand(1)), "no random number is used"
        few, more, longer = estimates
        assert (few.clips, more.clips) == (2, 4)
        assert more.batch == pytest.approx(2 * few.batch, rel=1e-3)
        assert 1.5 * more.batch < longer.batch < 2.5 * more.batch
        assert few.weights >= 20 * sum(weight.numel() for weight in module.parameters())
        # What one generator pass gives alone has to be kept for its backward pass.
        assert few.batch > 4 * 2 * 16 * HOP * 2
        assert module.training
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name]), name


def test_little_memory_splits_the_batch_from_the_start(
    tone_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only how much is free is made up: this machine has plenty."""
    from voicemill.training import memory

    whole = train_vocoder(config(), tone_dataset, tmp_path / "whole", VocoderInputs())
    notes: list[str] = []

    def available(device: object) -> int:
        return 10**6

    monkeypatch.setattr(memory, "available_bytes", available)
    with pytest.raises(TrainingError) as caught:
        train_vocoder(config(), tone_dataset, tmp_path / "none", VocoderInputs())
    assert caught.value.reason == "not_enough_memory"
    needed = int(str(caught.value).partition("needs ")[2].partition(" MB")[0])
    monkeypatch.setattr(memory, "available_bytes", lambda device: (needed + 1) * 2**20)
    hooks = Hooks(note=notes.append)
    split = train_vocoder(config(), tone_dataset, tmp_path / "split", VocoderInputs(), hooks=hooks)
    assert len(notes) == 1
    assert "a batch is split into 2 micro-batches" in notes[0]
    for (_, one, _), (_, other, _) in zip(whole.loss_curve, split.loss_curve, strict=True):
        assert other == pytest.approx(one, rel=0.02)


def test_the_learning_rate_finder_does_not_apply(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    with_search = TrainingConfig.model_validate(
        config(max_steps=1).model_dump() | {"acoustic": {"optimiser": {"find_learning_rate": True}}}
    )
    notes: list[str] = []
    train_vocoder(with_search, tone_dataset, tmp_path, VocoderInputs(base), hooks=Hooks(note=notes.append))
    assert len(notes) == 1
    assert notes[0].startswith("The learning-rate finder does not apply to HiFi-GAN")
    assert notes[0].endswith("It is trained at 1e-03.")
    assert not (tmp_path / "learning_rate.json").exists()


def test_bfloat16_has_the_losses_of_float32(tone_dataset: Path, base: Path, tmp_path: Path) -> None:
    fine, rough = (
        train_vocoder(
            config().model_copy(update={"precision": name}), tone_dataset, tmp_path / name, VocoderInputs(base)
        ).loss_curve
        for name in ("float32", "bfloat16")
    )
    for (_, one, _), (_, other, _) in zip(fine, rough, strict=True):
        assert math.isfinite(other)
        assert other == pytest.approx(one, rel=0.05)
    assert rough != fine
