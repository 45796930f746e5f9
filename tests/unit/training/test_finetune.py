"""Starting from another voice's checkpoint."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from voicemill.errors import TrainingError
from voicemill.training.config import TrainingConfig
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import tiny_config

pytestmark = pytest.mark.slow  # trains small models, with NeMo


@pytest.fixture(scope="module")
def base(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    result = train_acoustic(tiny_config(max_steps=10), tone_dataset, tmp_path_factory.mktemp("base"))
    assert result.nemo_path is not None
    return result.nemo_path


def rewrite(source: Path, target: Path, **changes: object) -> Path:
    """The archive with other values in its configuration."""
    with tarfile.open(source) as old, tarfile.open(target, "w:") as new:
        for member in old.getmembers():
            handle = old.extractfile(member)
            data = handle.read() if handle else b""
            if member.name.endswith("model_config.yaml"):
                tree = yaml.safe_load(data)
                for path, value in changes.items():
                    node = tree
                    *parents, last = path.split("__")
                    for parent in parents:
                        node = node[parent]
                    node[last] = value
                data = yaml.safe_dump(tree).encode()
                member.size = len(data)
            new.addfile(member, io.BytesIO(data) if handle else None)
    return target


def finetune_config(**acoustic: object) -> TrainingConfig:
    return tiny_config(max_steps=2, width=384, alignment="forced_prior", **acoustic)


def test_goes_on_with_the_base_s_sizes_and_the_new_pitch(base: Path, tone_dataset: Path, tmp_path: Path) -> None:
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch

    root = shutil.copytree(tone_dataset, tmp_path / "d")
    facts = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(json.dumps(facts | {"pitch_mean": 120.0}))
    result = train_acoustic(finetune_config(), root, tmp_path / "out", init_from=base)
    fresh = train_acoustic(tiny_config(max_steps=1), tone_dataset, tmp_path / "fresh")
    assert result.loss_curve[0][2] < fresh.loss_curve[0][2], "it starts from the weights of the base"
    assert result.nemo_path is not None
    with nemo_runtime():
        model, before = restore_fastpitch(result.nemo_path), restore_fastpitch(base)
        assert model.vocab.tokens == before.vocab.tokens
        assert model.vocab.g2p.phoneme_dict == before.vocab.g2p.phoneme_dict
        assert model.cfg.symbols_embedding_dim == 16
        assert model.cfg.pitch_mean == 120.0
        assert float(model.fastpitch.pitch_mean) == 120.0
        assert len(model.vocab.g2p.phoneme_dict) == 4


def test_durations_can_be_given_to_a_base_too(base: Path, tone_dataset: Path, tmp_path: Path) -> None:
    result = train_acoustic(tiny_config(max_steps=1), tone_dataset, tmp_path, init_from=base)
    assert result.steps == 1


def test_words_outside_the_base_s_dictionary_are_trained_by_their_phones(
    base: Path, tone_dataset: Path, tmp_path: Path
) -> None:
    from voicemill.training.aligned_mels import ground_truth_aligned_mels
    from voicemill.training.data import read_dataset
    from voicemill.training.examples import ExampleSource
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch

    root = shutil.copytree(tone_dataset, tmp_path / "d")
    for name in ("train.jsonl", "validation.jsonl", "lexicon.dict"):
        text = (root / name).read_text()
        (root / name).write_text(text.replace("Low", "Loh").replace("low", "loh"))
    result = train_acoustic(finetune_config(), root, tmp_path / "out", init_from=base)
    assert result.nemo_path is not None
    with nemo_runtime():
        model = restore_fastpitch(result.nemo_path)
        dataset = read_dataset(root)
        wanted = ExampleSource(
            restore_fastpitch(base), read_dataset(tone_dataset).train, dataset.pitch_statistics, tiny_config().audio,
            "forced_prior", strict=True,
        )  # fmt: skip
        found = ExampleSource(
            model, dataset.train, dataset.pitch_statistics, tiny_config().audio, "forced_prior", strict=False
        )
        for one, other in zip(found, wanted, strict=True):
            assert one.tokens.tolist() == other.tokens.tolist(), "no word is dropped"
            assert one.prior is not None
            assert one.prior.shape == (one.mel.shape[1], len(one.tokens))
        made = ground_truth_aligned_mels(model, dataset, tmp_path / "mels", strict=False)
    assert len(made) == len(dataset.train) + len(dataset.validation)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"preprocessor__n_window_stride": 512}, "base_unusable:n_window_stride"),
        ({"learn_alignment": False}, "base_unusable:learn_alignment"),
        ({"n_speakers": 12}, "base_unusable:n_speakers"),
        (
            {"symbols_embedding_dim": 16, "output_fft__d_inner": 24},
            "shape_mismatch:fastpitch.decoder.layers.0.pos_ff.CoreNet.0.bias",
        ),
        ({"text_tokenizer__stresses": True}, "shape_mismatch:fastpitch.encoder.word_emb.weight"),
    ],
)
def test_a_base_that_does_not_fit_is_refused_by_name(
    base: Path, tone_dataset: Path, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    broken = rewrite(base, tmp_path / "broken.nemo", **change)
    with pytest.raises(TrainingError) as caught:
        train_acoustic(finetune_config(), tone_dataset, tmp_path / "out", init_from=broken)
    assert caught.value.reason == reason
