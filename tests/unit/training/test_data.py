from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from voicemill.errors import DatasetError
from voicemill.training.batches import BatchPlan, collate, split_batch
from voicemill.training.data import read_audio, read_dataset, read_pitch
from voicemill.training.examples import ExampleSource
from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon
from voicemill.training.runtime import nemo_runtime

from .conftest import tiny_config


def test_reads_what_is_there(tone_dataset: Path) -> None:
    dataset = read_dataset(tone_dataset)
    assert [len(dataset.train), len(dataset.validation)] == [5, 1]
    first = dataset.train[0]
    assert [word.word for word in first.words] == ["hello", "world"]
    samples = read_audio(first.audio, 22050)
    assert len(read_pitch(first)) == len(samples) // 256 + 1


def test_a_bad_line_is_named(tone_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    lines = (root / "train.jsonl").read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"audio_filepath": "../secret.wav"})
    (root / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=r"Line 2 of train\.jsonl") as caught:
        read_dataset(root)
    assert caught.value.reason == "dataset_invalid:train.jsonl:2"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("train.jsonl", "dataset_incomplete:train.jsonl"), ("dataset.json", "dataset_incomplete:dataset.json")],
)
def test_a_missing_file_is_named(tone_dataset: Path, tmp_path: Path, name: str, reason: str) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    (root / name).unlink()
    with pytest.raises(DatasetError) as caught:
        read_dataset(root)
    assert caught.value.reason == reason


def test_no_training_clips(tone_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    (root / "train.jsonl").write_text("\n")
    with pytest.raises(DatasetError, match="no training clips") as caught:
        read_dataset(root)
    assert caught.value.reason == "dataset_empty:train.jsonl"


def test_pitch_that_cannot_be_read_names_its_clip(tone_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tone_dataset, tmp_path / "d")
    first = read_dataset(root).train[0]
    first.pitch.write_bytes(b"not an archive")
    with pytest.raises(DatasetError) as caught:
        read_pitch(first)
    assert caught.value.reason == f"pitch_unreadable:{first.id}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "lexicon_unreadable:lexicon.dict"), ("", "lexicon_empty:lexicon.dict"), (";;; a note\n", "lexicon_empty")],
)
def test_a_lexicon_without_words_is_refused(tmp_path: Path, content: str | None, reason: str) -> None:
    lexicon = tmp_path / "lexicon.dict"
    if content is not None:
        lexicon.write_text(content)
    with pytest.raises(DatasetError) as caught:
        write_nemo_lexicon(lexicon, tmp_path / "out")
    assert caught.value.reason.startswith(reason)


def test_audio_of_another_rate_is_refused(tone_dataset: Path) -> None:
    with pytest.raises(DatasetError, match="mono at 16000 Hz") as caught:
        read_audio(tone_dataset / "clips" / "c0.wav", 16000)
    assert caught.value.reason == "clip_invalid:c0"


def test_text_named_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("not audio")
    with pytest.raises(DatasetError) as caught:
        read_audio(tmp_path / "x.wav", 22050)
    assert caught.value.reason == "clip_unreadable:x"


@pytest.mark.parametrize("bucket", [True, False])
def test_each_pass_takes_every_clip_once(bucket: bool) -> None:
    seconds = np.random.default_rng(0).uniform(1, 9, 110).tolist()
    plan = BatchPlan(seconds, 16, 1, bucket)
    assert plan.batches_per_pass == 7
    for number in range(2):
        taken = [index for step in range(7) for index in plan.batch(number * 7 + step)]
        assert sorted(taken) == list(range(110))


def test_batches_depend_on_seed_and_step_alone() -> None:
    seconds = list(np.linspace(1, 9, 30))
    forward = [BatchPlan(seconds, 4, 5, True).batch(step) for step in range(20)]
    plan = BatchPlan(seconds, 4, 5, True)
    assert [plan.batch(step) for step in reversed(range(20))] == forward[::-1]
    assert forward != [BatchPlan(seconds, 4, 6, True).batch(step) for step in range(20)]


def test_buckets_save_padding() -> None:
    seconds = np.random.default_rng(0).uniform(1, 9, 64).tolist()

    def padded(bucket: bool) -> float:
        plan = BatchPlan(seconds, 8, 1, bucket)
        return sum(len(batch) * max(seconds[index] for index in batch) for batch in map(plan.batch, range(8)))

    assert padded(True) < 0.8 * padded(False)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["durations", "forced_prior"])
def test_the_losses_of_micro_batches_add_up_to_the_batch_s(tone_dataset: Path, tmp_path: Path, mode: str) -> None:
    dataset = read_dataset(tone_dataset)
    config = tiny_config(alignment=mode)
    write_nemo_lexicon(dataset.lexicon, tmp_path / "lexicon")
    with nemo_runtime():
        import torch

        from voicemill.training.fastpitch_module import AcousticModule

        torch.manual_seed(1)
        model = build_fastpitch(config, dataset.pitch_statistics, tmp_path / "lexicon").eval()
        source = ExampleSource(
            model, dataset.train, dataset.pitch_statistics, config.audio, config.acoustic.alignment, True
        )
        batch = collate([source[0]] * 5, model.vocab.pad)
        batch.mels[3, :, 2:40] = 0.0  # as if it were padding, so that values and frames have other shares
        module = AcousticModule(model, config.acoustic, seed=1)
        module.step = 2
        (whole,) = (module.losses(part).detached() for part in split_batch(batch, 1))
        parts = [module.losses(part).detached() for part in split_batch(batch, 3)]
    assert [len(part.batch.tokens) for part in split_batch(batch, 3)] == [2, 2, 1]
    total = parts[0].plus(parts[1]).plus(parts[2])
    for name, value in vars(whole).items():
        assert float(getattr(total, name)) == pytest.approx(float(value), rel=1e-5), name
