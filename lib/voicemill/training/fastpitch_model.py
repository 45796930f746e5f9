"""NeMo's FastPitchModel, built from our settings or from a base that is fine-tuned.

Training on durations of the forced alignment needs no change to the stock class: `FastPitchModel.forward`, called with
`durs`, pitch per token and no spectrogram, repeats each token for its duration without using its aligner. For NeMo it
is still a learn-alignment model, so the archive holds the phoneme tokenizer and its lexicon and works with stock NeMo.

A base keeps its own configuration, with data, optimiser and pitch statistics replaced. Tokenizer, dictionary and
embeddings are kept, because they must match: the usual failure is a `word_emb` of another size.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import DatasetError, TrainingError
from voicemill.files import write_text
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.config import AcousticConfig, PredictorConfig, TrainingConfig, TransformerConfig
from voicemill.training.data import PitchStatistics
from voicemill.training.runtime import read_fastpitch_config, restore_fastpitch

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel
    from omegaconf import DictConfig

Tree = dict[str, object]
"""A piece of NeMo's configuration, as YAML would hold it."""

LEXICON_NAME = "lexicon.cmudict"
"""The lexicon in NeMo's variant of the CMU format; packed into the `.nemo`."""
_DROPPED = ("validation_ds", "test_ds", "text_normalizer", "text_normalizer_call_kwargs", "log_config")
"""Entries to remove. Text is normalised in preparation; building NeMo's normaliser would take 40 s at every start."""


def write_nemo_lexicon(source: Path, target: Path) -> None:
    """Rewrite a CMU dictionary for NeMo's EnglishG2p: capitals, two spaces, one pronunciation a word.

    EnglishG2p silently skips lines that do not start with a capital or an apostrophe, and spells words that have two
    pronunciations by letters.

    Raises:
        DatasetError: the dictionary is missing or holds no word.
    """
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"The lexicon {source} cannot be read: {error}.", reason=f"lexicon_unreadable:{source.name}"
        ) from error
    entries: dict[str, str] = {}
    for line in lines:
        word, _, phones = line.strip().partition(" ")
        if word and phones.strip() and "(" not in word and not word.startswith(";;;"):
            entries.setdefault(word.upper(), " ".join(phones.upper().split()))
    if not entries:
        raise DatasetError(f"The lexicon {source} holds no word.", reason=f"lexicon_empty:{source.name}")
    write_text(target, "".join(f"{word}  {phones}\n" for word, phones in sorted(entries.items())))


def build_fastpitch(config: TrainingConfig, pitch_statistics: PitchStatistics, lexicon: Path) -> FastPitchModel:
    """A fresh FastPitch with random weights (seed them before). Call within `nemo_runtime()`.

    Args:
        config: sizes and audio settings.
        pitch_statistics: of the training clips; they are saved in the model.
        lexicon: dictionary in NeMo's format (`write_nemo_lexicon`); it must exist until the model is saved.
    """
    from nemo.collections.tts.models import FastPitchModel
    from omegaconf import OmegaConf

    return FastPitchModel(cfg=OmegaConf.create(model_tree(config, pitch_statistics, lexicon)))


def model_tree(config: TrainingConfig, pitch_statistics: PitchStatistics, lexicon: Path) -> Tree:
    """NeMo's model configuration (the shape of examples/tts/conf/fastpitch_align_v1.05.yaml)."""
    audio, acoustic = config.audio, config.acoustic
    return {
        "target": "nemo.collections.tts.models.fastpitch.FastPitchModel",
        "learn_alignment": True,
        "bin_loss_warmup_epochs": 1,
        "n_speakers": 1,
        "max_token_duration": acoustic.max_token_duration,
        "symbols_embedding_dim": acoustic.width,
        "pitch_embedding_kernel_size": 3,
        "dur_loss_scale": acoustic.duration_loss_scale,
        "pitch_loss_scale": acoustic.pitch_loss_scale,
        "pitch_fmin": pitch_statistics.pitch_fmin,
        "pitch_fmax": pitch_statistics.pitch_fmax,
        "pitch_mean": pitch_statistics.pitch_mean,
        "pitch_std": pitch_statistics.pitch_std,
        "sample_rate": audio.sample_rate,
        "n_mel_channels": audio.n_mels,
        "n_window_size": audio.n_fft,
        "n_window_stride": audio.hop_length,
        "n_fft": audio.n_fft,
        "lowfreq": audio.fmin,
        "highfreq": audio.fmax,
        "window": "hann",
        "text_tokenizer": _tokenizer_tree(lexicon),
        "train_ds": dataset_tree(config, pitch_statistics),
        "preprocessor": preprocessor_tree(audio),
        "input_fft": _transformer_tree("FFTransformerEncoder", acoustic.encoder, acoustic.width)
        | {"d_embed": acoustic.width},
        "output_fft": _transformer_tree("FFTransformerDecoder", acoustic.decoder, acoustic.width),
        "alignment_module": {
            "_target_": "nemo.collections.tts.modules.aligner.AlignmentEncoder",
            "n_mel_channels": audio.n_mels,
            "n_text_channels": acoustic.width,
        },
        "duration_predictor": _predictor_tree(acoustic.duration_predictor, acoustic.width),
        "pitch_predictor": _predictor_tree(acoustic.pitch_predictor, acoustic.width),
        "optim": optimiser_tree(acoustic),
    }


def _tokenizer_tree(lexicon: Path) -> Tree:
    return {
        "_target_": "nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers.EnglishPhonemesTokenizer",
        "punct": True,
        "stresses": False,
        "chars": False,
        "apostrophe": True,
        "pad_with_space": True,
        "g2p": {"_target_": "nemo.collections.tts.g2p.models.en_us_arpabet.EnglishG2p", "phoneme_dict": str(lexicon)},
    }


def dataset_tree(config: TrainingConfig, pitch_statistics: PitchStatistics) -> Tree:
    """NeMo's dataset configuration, for later users of the archive; our training reads the prepared dataset itself.

    FastPitchModel requires a known dataset class here; with `defer_setup` it opens no files.
    """
    audio = config.audio
    return {
        "defer_setup": True,
        "dataset": {
            "_target_": "nemo.collections.tts.data.dataset.TTSDataset",
            "manifest_filepath": "train.jsonl",
            "sample_rate": audio.sample_rate,
            "sup_data_path": "supplementary",
            "sup_data_types": ["align_prior_matrix", "pitch"],
            "n_fft": audio.n_fft,
            "win_length": audio.n_fft,
            "hop_length": audio.hop_length,
            "window": "hann",
            "n_mels": audio.n_mels,
            "lowfreq": audio.fmin,
            "highfreq": audio.fmax,
            "pitch_fmin": pitch_statistics.pitch_fmin,
            "pitch_fmax": pitch_statistics.pitch_fmax,
            "pitch_norm": True,
            "pitch_mean": pitch_statistics.pitch_mean,
            "pitch_std": pitch_statistics.pitch_std,
        },
        "dataloader_params": {
            "batch_size": config.acoustic.batch_size,
            "shuffle": True,
            "drop_last": False,
            "num_workers": 0,
        },
    }


def mel_settings(audio: AudioConfig) -> dict[str, int | float]:
    """The settings of a checkpoint's `preprocessor` that must match for its mels to be the same."""
    return {
        "sample_rate": audio.sample_rate,
        "features": audio.n_mels,
        "n_fft": audio.n_fft,
        "n_window_size": audio.n_fft,
        "n_window_stride": audio.hop_length,
        "lowfreq": audio.fmin,
        "highfreq": audio.fmax,
    }


def preprocessor_tree(audio: AudioConfig) -> Tree:
    """NeMo's mel front end; HiFi-GAN is configured with the same settings."""
    return {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        **mel_settings(audio),
        "window_size": False,
        "window_stride": False,
        "pad_to": 1,
        "pad_value": 0,
        "window": "hann",
        "normalize": None,
        "preemph": None,
        "dither": 0.0,
        "frame_splicing": 1,
        "log": True,
        "log_zero_guard_type": "add",
        "log_zero_guard_value": audio.log_floor,
        "mag_power": 1.0,
    }


def _transformer_tree(kind: str, stack: TransformerConfig, width: int) -> Tree:
    return {
        "_target_": f"nemo.collections.tts.modules.transformer.{kind}",
        "n_layer": stack.layers,
        "n_head": stack.heads,
        "d_model": width,
        "d_head": stack.head_width,
        "d_inner": stack.inner_width,
        "kernel_size": stack.kernel_size,
        "dropout": stack.dropout,
        "dropatt": stack.attention_dropout,
        "dropemb": 0.0,
    }


def _predictor_tree(predictor: PredictorConfig, width: int) -> Tree:
    return {
        "_target_": "nemo.collections.tts.modules.fastpitch.TemporalPredictor",
        "input_size": width,
        "kernel_size": predictor.kernel_size,
        "filter_size": predictor.width,
        "dropout": predictor.dropout,
        "n_layers": predictor.layers,
    }


def optimiser_tree(acoustic: AcousticConfig) -> Tree:
    """NeMo's optimiser configuration, for information; our training reads `AcousticConfig` itself."""
    optimiser = acoustic.optimiser
    return {
        "name": "adamw",
        "lr": optimiser.learning_rate,
        "betas": list(optimiser.betas),
        "weight_decay": optimiser.weight_decay,
    }


def base_fastpitch(config: TrainingConfig, pitch_statistics: PitchStatistics, path: Path) -> FastPitchModel:
    """The base model, ready for fine-tuning. Call within `nemo_runtime()`.

    Raises:
        TrainingError: `base_unusable:<setting>`: a model without a tokenizer of its own, with several speakers, or with
            other mel settings; `shape_mismatch:<weight>`: weights that do not match the archive's configuration.
    """
    tree = read_fastpitch_config(path)
    _check_base(tree, config, path)
    return restore_fastpitch(path, override=_adapted(tree, config, pitch_statistics))


def _check_base(tree: DictConfig, config: TrainingConfig, path: Path) -> None:
    if not tree.get("learn_alignment", False):
        raise _unusable(
            path, "learn_alignment", "it was trained without a tokenizer of its own (learn_alignment: false)"
        )
    if tree.get("n_speakers", 1) > 1:
        raise _unusable(path, "n_speakers", f"it has {tree.n_speakers} speakers, and a voice has one")
    preprocessor = tree.get("preprocessor", {})
    for name, wanted in mel_settings(config.audio).items():
        found = preprocessor.get(name)
        if found != wanted:
            raise _unusable(path, name, f"its mel setting {name} is {found}, and ours is {wanted}")


def _adapted(tree: DictConfig, config: TrainingConfig, pitch_statistics: PitchStatistics) -> DictConfig:
    from omegaconf import OmegaConf, open_dict

    adapted = tree.copy()
    with open_dict(adapted):
        for name in _DROPPED:
            adapted.pop(name, None)
        adapted.train_ds = OmegaConf.create(dataset_tree(config, pitch_statistics))
        adapted.optim = OmegaConf.create(optimiser_tree(config.acoustic))
        adapted.pitch_mean, adapted.pitch_std = pitch_statistics.pitch_mean, pitch_statistics.pitch_std
        adapted.pitch_fmin, adapted.pitch_fmax = pitch_statistics.pitch_fmin, pitch_statistics.pitch_fmax
    return adapted


def _unusable(path: Path, what: str, detail: str) -> TrainingError:
    return TrainingError(
        f"The base checkpoint {path.name} cannot be fine-tuned: {detail}.",
        reason=f"base_unusable:{what}",
        hint="Choose another base checkpoint, or train with the preset scratch.",
    )
