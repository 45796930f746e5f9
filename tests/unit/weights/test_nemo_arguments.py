"""Arguments of configurations: known ones only, paths as members, sizes that the tensors justify."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from voicemill.settings import REPOSITORY
from voicemill.weights.archive import inspect_archive

CONFIG = """\
target: nemo.collections.tts.models.fastpitch.FastPitchModel
n_speakers: 1
symbols_embedding_dim: 192
text_normalizer:
  _target_: nemo_text_processing.text_normalization.normalize.Normalizer
  lang: en
  input_case: cased
text_tokenizer:
  _target_: nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers.EnglishPhonemesTokenizer
  punct: true
  non_default_punct_list: [",", "/"]
  g2p:
    _target_: nemo.collections.tts.g2p.models.en_us_arpabet.EnglishG2p
    phoneme_dict: nemo:0a1b_lexicon.cmudict
    heteronyms: null
train_ds:
  dataset:
    _target_: nemo.collections.tts.data.dataset.TTSDataset
    manifest_filepath: /somewhere/else/train.jsonl
    sup_data_path: /somewhere/else
preprocessor:
  _target_: nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor
  features: 80
  n_fft: 1024
input_fft:
  _target_: nemo.collections.tts.modules.transformer.FFTransformerEncoder
  n_layer: 3
  d_model: 192
  d_inner: 768
generator:
  _target_: nemo.collections.tts.modules.hifigan_modules.Generator
  upsample_rates: [8, 8]
  upsample_initial_channel: 384
"""


def changed(*path: str, value: object) -> str:
    config = yaml.safe_load(CONFIG)
    section = config
    for name in path[:-1]:
        section = section[name]
    section[path[-1]] = value
    return yaml.safe_dump(config)


def test_an_honest_configuration_passes(archives):
    assert inspect_archive(archives.write(config=CONFIG)).tensors == 7


def test_the_shipped_vocoder_passes():
    assert inspect_archive(REPOSITORY / "data/base/base-en-small-hifigan.nemo").tensors == 255


@pytest.mark.parametrize(
    "path", [("text_tokenizer", "g2p", "phoneme_dict"), ("text_tokenizer", "g2p", "heteronyms"), ("text_normalizer", "whitelist")]
)  # fmt: skip
@pytest.mark.parametrize(
    "value", ["/etc/passwd", "nemo:../../../etc/passwd", "nemo:/etc/passwd", "nemo:other", "passwd", "~/x", "..", 7, ["/etc/passwd"], ""]
)  # fmt: skip
def test_paths_are_members_of_the_archive(archives, refusal, path, value):
    assert refusal(archives.write(config=changed(*path, value=value))) == f"config_path:{path[-1]}"


@pytest.mark.parametrize(
    "path", [("anything",), ("text_tokenizer", "oov"), ("preprocessor", "window"), ("text_tokenizer", "g2p", "encoding")]
)  # fmt: skip
@pytest.mark.parametrize("value", ["/etc/passwd", "a/b", "nemo:none", "~root", "a\\b", ["/x"]])
def test_no_other_value_is_a_path(archives, refusal, path, value):
    assert refusal(archives.write(config=changed(*path, value=value))) == f"config_path:{path[-1]}"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("text_normalizer", "cache_dir"), "Normalizer.cache_dir"),
        (("text_normalizer", "overwrite_cache"), "Normalizer.overwrite_cache"),
        (("text_tokenizer", "text_preprocessing_func"), "EnglishPhonemesTokenizer.text_preprocessing_func"),
        (("text_tokenizer", "g2p", "word_tokenize_func"), "EnglishG2p.word_tokenize_func"),
        (("input_fft", "anything"), "FFTransformerEncoder.anything"),
        (("generator", "_recursive_"), "Generator._recursive_"),
        (("preprocessor", "_partial_"), "AudioToMelSpectrogramPreprocessor._partial_"),
    ],
)
def test_unknown_arguments_are_refused(archives, refusal, path, kind):
    assert refusal(archives.write(config=changed(*path, value="x"))) == f"config_argument:{kind}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("input_fft", "d_inner"), 30_000_000),
        (("input_fft", "d_inner"), -30_000_000),
        (("input_fft", "d_inner"), 3e7),
        (("input_fft", "d_model"), float("inf")),
        (("input_fft", "d_model"), float("nan")),
        (("input_fft", "n_layer"), 2_000_000),
        (("input_fft", "n_head"), 10_000),
        (("input_fft", "kernel_size"), 10**12),
        (("generator", "upsample_initial_channel"), 1_000_000),
        (("generator", "upsample_rates"), [1] * 20_000),
        (("generator", "upsample_rates"), [10**6, 10**6]),
        (("preprocessor", "n_fft"), 1 << 30),
        (("preprocessor", "features"), 10**6),
        (("n_speakers",), 10**9),
    ],
)
def test_sizes_are_bound_by_the_tensors(archives, refusal, path: tuple[str, ...], value: object):
    start = time.process_time()
    assert refusal(archives.write(config=changed(*path, value=value))).startswith("config_size:")
    assert time.process_time() - start < 2


@pytest.mark.parametrize("value", ["3e7", "+3e7", "3.e7", "30_000_000e0", ".3e8", "3E+7", "1e400"])
def test_a_size_that_only_omegaconf_reads_as_a_number_is_one(archives, refusal, value):
    """NeMo reads the file with OmegaConf, for which `3e7` is a number; for YAML 1.1 it is a text."""
    config = CONFIG.replace("d_inner: 768", f"d_inner: {value}")
    assert refusal(archives.write(config=config)) == "config_size:d_inner"


NESTED = {
    "_target_": "nemo_text_processing.text_normalization.normalize.Normalizer",
    "lang": "en",
    "cache_dir": "/tmp/evil",
}


@pytest.mark.parametrize("section", ["train_ds", "validation_ds", "test_ds"])
@pytest.mark.parametrize("where", [("text_tokenizer", "punct"), ("preprocessor", "window"), ("optim",)])
def test_only_the_models_own_sections_of_datasets_are_not_judged(archives, refusal, where, section):
    """Hydra builds what is nested in a component, whatever the keys on the way are called."""
    path = archives.write(config=changed(*where, value={section: {"deep": NESTED}}))
    assert refusal(path) == "config_argument:Normalizer.cache_dir"


@pytest.mark.parametrize(
    "name",
    [
        "nemo.collections.tts.data.dataset.TTSDataset",
        "nemo.collections.tts.torch.data.VocoderDataset",
        "nemo.collections.tts.models.FastPitchModel",
        "nemo.collections.tts.models.hifigan.HifiGanModel",
    ],
)
@pytest.mark.parametrize("where", [("preprocessor",), ("text_tokenizer", "punct"), ("input_fft", "condition_types")])
def test_a_dataset_or_a_model_is_no_component(archives, refusal, name, where):
    """TTSDataset makes the folder `sup_data_path`, and has no list of arguments."""
    value = {"_target_": name, "manifest_filepath": [], "sup_data_path": "evil"}
    assert refusal(archives.write(config=changed(*where, value=value))) == f"config_target:{name}"


def test_the_model_is_no_component(archives, refusal):
    name = "nemo.collections.tts.modules.transformer.FFTransformerEncoder"
    assert refusal(archives.write(config=changed("target", value=name))) == f"config_target:{name}"
    assert refusal(archives.write(config=changed("_target_", value=name))).startswith("config_target:")


@pytest.mark.parametrize("key", ["cls", "class", "class_path", "target"])
def test_a_section_names_one_class(archives, refusal, key):
    name = "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor"
    assert refusal(archives.write(config=changed("preprocessor", key, value=name))).startswith("config_target:")


@pytest.mark.parametrize("name", ["path", "kenlm_path", "log_dir", "manifest_filepath", "vocab_files", "lexicon"])
@pytest.mark.parametrize("where", [(), ("optim",), ("decoding", "beam")])
def test_a_name_that_says_path_has_a_member(archives, refusal, where, name):
    value: object = {name: "local"}
    for part in where[1:]:
        value = {part: value}
    config = changed(where[0], value=value) if where else changed(name, value="local")
    assert refusal(archives.write(config=config)) == f"config_path:{name}"
    for harmless in (None, "???", "nemo:0a1b_lexicon.cmudict"):
        assert inspect_archive(archives.write(config=changed("optim", value={name: harmless}))).tensors == 7


def test_every_class_that_may_be_named_has_its_arguments():
    from voicemill.weights.nemo_arguments import ARGUMENTS, MODELS
    from voicemill.weights.nemo_config import ALLOWED_TARGETS, RECOGNITION_TARGETS

    datasets = {"TTSDataset", "VocoderDataset", "MelAudioDataset", "AudioDataset"}
    named = {each.rpartition(".")[2] for each in ALLOWED_TARGETS | RECOGNITION_TARGETS}
    assert named == set(ARGUMENTS) | MODELS | datasets


def test_the_configuration_of_our_training_passes() -> None:
    from voicemill.weights.nemo_arguments import ARGUMENTS

    text = (REPOSITORY / Path("configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml")).read_text(encoding="utf-8")
    found = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            kind = str(value.get("_target_", "")).rpartition(".")[2]
            if kind in ARGUMENTS:
                found.append(kind)
                assert set(value) - {"_target_"} <= ARGUMENTS[kind], kind
            for inner in value.values():
                walk(inner)

    walk(yaml.safe_load(text))
