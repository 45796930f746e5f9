"""The base FastPitch: trained on several speakers, written as weights alone, the start of a voice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from voicemill.errors import TrainingError
from voicemill.training.config import TrainingConfig
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import RATE, tiny_config

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow  # trains small models, with NeMo

STEPS = 150
CONFIG = tiny_config(max_steps=2, optimiser={"learning_rate": 1e-2})


@pytest.fixture(scope="module")
def folders(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two speakers with the same clips, one of them five times as loud."""
    import soundfile

    root = tmp_path_factory.mktemp("speakers")
    quiet, loud = (Path(shutil.copytree(tone_dataset, root / name)) for name in ("anna", "bert"))
    for clip in (loud / "clips").iterdir():
        soundfile.write(clip, soundfile.read(clip)[0] * 3, RATE, subtype="PCM_16")
    return [quiet, loud]


@pytest.fixture(scope="module")
def training(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished training."""
    made = _training(folders, tmp_path_factory.mktemp("base"), CONFIG)
    for step in range(STEPS):
        made.take_step(step / STEPS)
    return made


def _training(folders: list[Path], folder: Path, config: TrainingConfig) -> Any:
    """A training that has taken no step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts"))
        patch.syspath_prepend(str(REPOSITORY / "scripts/base_acoustic"))
        from speakers import merged_lexicon, read_speakers

        from voicemill.training.runtime import nemo_runtime, seeded

        folder.mkdir(exist_ok=True)
        merged_lexicon(folders, folder / "lexicon.dict")
        with nemo_runtime(), seeded(3, 1):
            from multi_speaker import BaseTraining

            return BaseTraining(config, read_speakers(folders), folder)


def test_it_is_trained_with_the_discriminator_and_resumes_to_the_same_weights(
    folders: list[Path], tmp_path: Path
) -> None:
    import torch

    steps = 6
    stack = {"layers": 1, "heads": 1, "head_width": 8, "inner_width": 16, "dropout": 0, "attention_dropout": 0}
    predictor = {"width": 8, "dropout": 0}  # no random number that is not of the seed and the step
    sizes = {"encoder": stack, "decoder": stack, "duration_predictor": predictor, "pitch_predictor": predictor}
    plain, whole, interrupted, resumed = (
        _training(folders, tmp_path / name, tiny_config(adversarial=name != "plain", **sizes))
        for name in ("plain", "whole", "interrupted", "resumed")
    )
    for step in range(steps):
        whole.take_step(step / steps)
        plain.take_step(step / steps)
    for step in range(3):
        interrupted.take_step(step / steps)
    interrupted.save(tmp_path / "checkpoint.pt")
    resumed.load(tmp_path / "checkpoint.pt")
    assert resumed._module.adversary.steps == 3
    for step in range(3, steps):
        resumed.take_step(step / steps)
    for ours, theirs in zip(whole._weights, resumed._weights, strict=True):
        assert torch.equal(ours, theirs)
    assert any(not torch.equal(ours, theirs) for ours, theirs in zip(whole._weights, plain._weights, strict=True))


def test_a_base_holds_its_discriminator_and_a_voice_goes_on_with_it(folders: list[Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from voicemill.training.fastpitch_weights import load_discriminator
    from voicemill.training.mel_adversary import MelDiscriminator
    from voicemill.training.runtime import nemo_runtime

    config, path = tiny_config(adversarial=True, max_steps=1), tmp_path / "base.safetensors"
    made = _training(folders, tmp_path / "base", config)
    made.take_step(0)
    with nemo_runtime():
        made.export(path)
    own, loaded = made._module.adversary.discriminator, MelDiscriminator()
    assert load_discriminator(loaded, path)
    for ours, theirs in zip(own.state_dict().values(), loaded.state_dict().values(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-3)  # rounded to float16
    with_it = train_acoustic(config, folders[0], tmp_path / "with", init_from=path)

    tensors, metadata, plain = load_file(path), _metadata(path), tmp_path / "plain.safetensors"
    save_file({name: value for name, value in tensors.items() if not name.startswith("disc")}, plain, metadata)
    assert not load_discriminator(loaded, plain)
    without = train_acoustic(config, folders[0], tmp_path / "without", init_from=plain)
    # The first step's verdict weighs 1 / RAMP; the mels are the same.
    assert without.loss_curve[0][2] == with_it.loss_curve[0][2]
    assert without.loss_curve[0][1] != with_it.loss_curve[0][1]

    broken = tmp_path / "broken.safetensors"
    save_file({name: value for name, value in tensors.items() if name != "discriminator.head.bias"}, broken, metadata)
    with pytest.raises(TrainingError) as caught:
        train_acoustic(config, folders[0], tmp_path / "broken", init_from=broken)
    assert caught.value.reason == "base_unusable:discriminator"


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        return dict(opened.metadata())


def test_a_checkpoint_without_a_discriminator_goes_on_with_a_new_one(folders: list[Path], tmp_path: Path) -> None:
    before = _training(folders, tmp_path / "before", tiny_config())
    before.take_step(0)
    before.save(tmp_path / "checkpoint.pt")
    after = _training(folders, tmp_path / "after", tiny_config(adversarial=True))
    after.load(tmp_path / "checkpoint.pt")
    after.take_step(0.5)
    assert (after.step, after._module.adversary.steps) == (2, 1)


@pytest.fixture(scope="module")
def base(training: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from voicemill.training.runtime import nemo_runtime

    folder = tmp_path_factory.mktemp("exported")
    training.save(folder / "checkpoint.pt")
    with nemo_runtime():
        training.export(folder / "base.safetensors")
    return folder / "base.safetensors"


def test_it_learns_and_tells_the_speakers_apart(training: Any) -> None:
    import torch

    recent = list(training._recent)
    assert sum(mel for mel, _, _ in recent[-10:]) < 0.8 * sum(mel for mel, _, _ in recent[:10])
    apart = (training._pitch_vectors.weight[0] - training._pitch_vectors.weight[1]).detach()
    assert float(torch.linalg.vector_norm(apart)) > 0.01


def test_a_voice_starts_from_it(base: Path, folders: list[Path], tmp_path: Path) -> None:
    fresh = train_acoustic(CONFIG, folders[0], tmp_path / "fresh")
    started = train_acoustic(CONFIG, folders[0], tmp_path / "started", init_from=base)
    assert started.loss_curve[0][2] < 0.8 * fresh.loss_curve[0][2]
    assert started.nemo_path is not None


def test_the_exported_speaker_has_the_mean_of_the_vectors(
    base: Path, training: Any, folders: list[Path], tmp_path: Path
) -> None:
    """The base gives what the model of many speakers gives for a speaker with the mean vectors."""
    import torch

    from voicemill.training.data import read_dataset
    from voicemill.training.fastpitch_model import build_fastpitch
    from voicemill.training.fastpitch_weights import load_base
    from voicemill.training.runtime import nemo_runtime

    with nemo_runtime(), torch.no_grad():
        statistics = read_dataset(folders[0]).pitch_statistics
        fresh = build_fastpitch(CONFIG, statistics, _lexicon(folders[0], tmp_path)).eval()
        load_base(fresh, CONFIG.acoustic, TrainingConfig(preset="tiny").audio, base)
        batch, _ = training.batches.batch(0)
        many = training._model.eval()
        many.load_state_dict(fresh.state_dict() | _with_checkpoint(base, training))
        for vectors in (training._symbol_vectors, training._pitch_vectors):
            vectors.weight.copy_(vectors.weight.mean(0).expand_as(vectors.weight))
        training._chosen = torch.zeros(len(batch.tokens), dtype=torch.long)
        one, several = (model(text=batch.tokens, durs=batch.durations, pitch=batch.pitch)[0] for model in (fresh, many))
    assert float((one - several).abs().max()) < 0.02  # the base is rounded to float16


def _with_checkpoint(base: Path, training: Any) -> dict[str, Any]:
    """The weights of the checkpoint's average, by name, as they were before the export added the vectors."""
    import torch

    state = torch.load(base.with_name("checkpoint.pt"), weights_only=True)
    names = [name for name, value in training._model.named_parameters() if value.requires_grad]
    for vectors, value in zip((training._symbol_vectors, training._pitch_vectors), state["average"][-2:], strict=True):
        vectors.weight.copy_(value)
    return dict(zip(names, state["average"][:-2], strict=True))


def _lexicon(dataset: Path, folder: Path) -> Path:
    from voicemill.training.fastpitch_model import write_nemo_lexicon

    write_nemo_lexicon(dataset / "lexicon.dict", folder / "lexicon.cmudict")
    return folder / "lexicon.cmudict"


@pytest.mark.parametrize(("what", "change"), [("sizes", {"width": 24}), ("file", b"damaged"), ("tensors", None)])
def test_a_base_that_does_not_fit_is_refused_by_name(
    base: Path, folders: list[Path], tmp_path: Path, what: str, change: object
) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    given, config = tmp_path / "base.safetensors", CONFIG
    shutil.copyfile(base, given)
    if isinstance(change, dict):
        config = tiny_config(max_steps=1, **change)
    elif isinstance(change, bytes):
        given.write_bytes(change)
    else:
        with safe_open(base, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in list(opened.keys())[1:]}
            save_file(tensors, given, opened.metadata())
    with pytest.raises(TrainingError) as caught:
        train_acoustic(config, folders[0], tmp_path / "out", init_from=given)
    assert caught.value.reason == f"base_unusable:{what}"


def test_the_shipped_base_learned_from_none_of_them_and_fits_the_preset(repository: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    from voicemill.training.config import load_config
    from voicemill.training.data import PitchStatistics
    from voicemill.training.fastpitch_model import build_fastpitch
    from voicemill.training.fastpitch_weights import load_base
    from voicemill.training.runtime import nemo_runtime

    base = repository / "data/base/base-en-people-fastpitch.safetensors"
    with safe_open(base, framework="pt") as opened:
        speakers = set(opened.metadata()["speakers"].split())
    assert {name for name in speakers if not name.isdigit()} == {"base_awb", "base_rms"}
    assert len(speakers) == 138
    config = load_config(repository / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", "cpu")
    (tmp_path / "lexicon.cmudict").write_text("HELLO  HH AH L OW\n")
    with nemo_runtime():
        statistics = PitchStatistics(pitch_mean=120, pitch_std=20, pitch_fmin=60, pitch_fmax=400)
        model = build_fastpitch(config, statistics, tmp_path / "lexicon.cmudict")
        load_base(model, config.acoustic, config.audio, base)


def test_the_speakers_on_whom_voices_are_measured_are_refused(folders: list[Path], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts"))
        patch.syspath_prepend(str(REPOSITORY / "scripts/base_acoustic"))
        from speakers import read_speakers

        for name in ("kathleen", "LJ", "slt_extra"):
            with pytest.raises(ValueError, match="measured"):
                read_speakers([Path(shutil.copytree(folders[0], tmp_path / name))])
        found = read_speakers([folders[0]])
        many = Path(shutil.copytree(folders[0], tmp_path / "many"))
        lines = [json.loads(line) for line in (many / "train.jsonl").read_text().splitlines()]
        sources = [{"source": f"wavs/{19 + number % 2}-198-000{number}.flac"} for number in range(len(lines))]
        written = (json.dumps(line | source) for line, source in zip(lines, sources, strict=True))
        (many / "train.jsonl").write_text("\n".join(written) + "\n")
        assert [(one.name, len(one.clips)) for one in read_speakers([many])] == [("19", 3), ("20", 2), ("many", 1)]
    assert [(one.name, len(one.clips)) for one in found] == [("anna", 6)]
    assert found[0].pitch.pitch_mean == pytest.approx(175, abs=3)
    assert json.loads((folders[0] / "dataset.json").read_text())["pitch_mean"] == 180.0
