"""A tiny MusicGen really learns; a broken one is never reported as trained."""

from __future__ import annotations

import itertools
import json
import math
import shutil

import pytest
import torch

from voicemill.errors import TrainingError
from voicemill_musicgen import model, training
from voicemill_musicgen.weights import private_copy, resolve

FAST = training.TrainingOptions(steps=12, learning_rate=1e-2)


def load(folder):
    with model.transformers_runtime():
        return model.load(folder, "cpu")


def quiet(step):
    """Hears of a step and does nothing."""


@pytest.mark.slow
def test_the_loss_falls_and_the_base_stays_as_it_was(tiny_musicgen, clip):
    base = load(tiny_musicgen)
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    heard = []
    trained = training.train(base, [clip], FAST, on_step=heard.append)
    losses = [step.loss for step in trained.steps]
    assert [step.number for step in heard] == list(range(1, 13))
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 0.8 * losses[0]
    assert all(late < early for early, late in itertools.pairwise(losses[:6]))
    assert trained.loss == losses[-1]
    after = {name.replace(".base.", "."): value for name, value in base.model.state_dict().items()}
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
    assert all(step.sanitised_logits == 0 for step in trained.steps)


def test_the_same_seed_gives_the_same_losses(tiny_musicgen, clip):
    options = training.TrainingOptions(steps=3)
    one, two = (training.train(load(tiny_musicgen), [clip], options, on_step=quiet) for _ in range(2))
    assert [step.loss for step in one.steps] == [step.loss for step in two.steps]


def test_the_loss_is_that_of_transformers(tiny_musicgen, clip):
    """Its own forward pass with labels, which shifts and averages by itself."""
    base = load(tiny_musicgen)
    targets = training.delayed(base.codes(clip), base.padding)
    ours = training.sanitised_loss(base.logits(training.shifted(targets, base.padding)), targets, base.padding)
    labels = targets.transpose(1, 2)
    theirs = base.model.decoder(encoder_hidden_states=base.condition, labels=labels, use_cache=False).loss
    assert float(ours.loss) == pytest.approx(float(theirs), rel=1e-5)


def test_half_precision_is_loaded_as_float32(tiny_musicgen, tmp_path, clip):
    half = shutil.copytree(tiny_musicgen, tmp_path / "half")
    base = load(tiny_musicgen)
    with model.transformers_runtime():
        base.model.to(torch.bfloat16).save_pretrained(half)
    again = load(half)
    assert again.dtype == "float32"
    assert again.logits(training.shifted(training.delayed(again.codes(clip), 32), 32)).dtype == torch.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_poisoned_weight_is_a_hard_failure(tiny_musicgen, clip, value):
    base = load(tiny_musicgen)
    with torch.no_grad():
        base.model.decoder.model.decoder.layers[0].fc1.weight[0, 0] = value
    heard = []
    with pytest.raises(TrainingError) as caught:
        training.train(base, [clip], FAST, on_step=heard.append)
    assert (caught.value.reason, caught.value.exit_code, heard) == ("non_finite_loss:step=1", 2, [])


def test_weights_that_break_later_name_their_step(tiny_musicgen, clip):
    base = load(tiny_musicgen)

    def poison(step):
        if step.number == 3:
            with torch.no_grad():
                base.model.decoder.lm_heads[1].weight.fill_(float("nan"))
                base.model.decoder.lm_heads[0].weight.fill_(float("nan"))

    with pytest.raises(TrainingError) as caught:
        training.train(base, [clip], FAST, on_step=poison)
    assert caught.value.reason == "non_finite_loss:step=4", "two heads still give numbers, but the gradient does not"


def test_an_adapter_starts_as_nothing_and_is_all_that_is_trained(tiny_musicgen, clip):
    base = load(tiny_musicgen)
    inputs = training.shifted(training.delayed(base.codes(clip), base.padding), base.padding)
    before = base.logits(inputs)
    adapters = training.attach_adapters(base.model.decoder)
    assert torch.equal(base.logits(inputs), before)
    layers, linear = 2, 8 + 2
    assert len(adapters) == layers * linear
    wanted = {id(parameter) for parameter in training.adapter_parameters(adapters)}
    assert {id(p) for p in base.model.parameters() if p.requires_grad} == wanted


def test_a_checkpoint_is_whole_or_not_there(tiny_musicgen, clip, tmp_path, monkeypatch):
    base = load(tiny_musicgen)
    options = training.TrainingOptions(steps=2)
    trained = training.train(base, [clip], options, on_step=quiet)
    path = tmp_path / "checkpoints/a.pt"
    training.save(path, trained, options, {"base_weights_id": "facebook/musicgen-small"})
    found = torch.load(path, weights_only=True)
    assert (found["promotable"], found["base_weights_id"], found["loss"]) == (
        False,
        "facebook/musicgen-small",
        trained.loss,
    )
    assert set(found["adapter"]) == {f"{name}.{part}" for name in trained.adapters for part in ("down", "up")}
    before = path.read_bytes()
    broken = training.TrainedAdapter(trained.adapters, trained.steps)
    with pytest.raises((TypeError, AttributeError)):
        training.save(path, broken, options, {"base_weights_id": lambda: None})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["a.pt"]


def test_weights_that_do_not_fit_their_configuration(tiny_musicgen, place, tmp_path):
    from safetensors.torch import load_file, save_file

    weak = shutil.copytree(tiny_musicgen, tmp_path / "weak")
    tensors = load_file(weak / "model.safetensors")
    tensors.pop("decoder.lm_heads.0.weight")
    save_file(tensors, weak / "model.safetensors", metadata={"format": "pt"})
    resolved = resolve(place(weak))
    with private_copy(resolved) as folder, pytest.raises(TrainingError, match="missing") as caught:
        load(folder)
    assert caught.value.reason == "base_unusable"


def test_a_codec_that_does_not_fit(tiny_musicgen, tmp_path):
    folder = shutil.copytree(tiny_musicgen, tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    config["audio_encoder"]["audio_channels"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError) as caught:
        load(folder)
    assert caught.value.reason == "base_unusable"


@pytest.mark.parametrize("text", ["{}", "no tokenizer", ""])
def test_a_tokenizer_that_is_none(tiny_musicgen, tmp_path, text):
    folder = shutil.copytree(tiny_musicgen, tmp_path / "odd")
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(TrainingError) as caught:
        load(folder)
    assert caught.value.reason == "base_unusable"
