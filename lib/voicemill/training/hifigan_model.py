"""NeMo's HifiGanModel: built from our settings, or adapted from a base vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import TrainingError
from voicemill.synthesis.mel import AudioConfig
from voicemill.training.config import TrainingConfig

if TYPE_CHECKING:
    from nemo.collections.tts.models import HifiGanModel

Tree = dict[str, object]
"""A piece of NeMo's configuration, as YAML would hold it."""


def build_hifigan(config: TrainingConfig) -> HifiGanModel:
    """A fresh HifiGanModel with random weights (seed them before). Call within `nemo_runtime()`."""
    from nemo.collections.tts.models import HifiGanModel
    from omegaconf import OmegaConf

    return HifiGanModel(cfg=OmegaConf.create(model_tree(config)))


def adapt_base(model: HifiGanModel, config: TrainingConfig, base: Path) -> None:
    """Set data, optimiser and loss weights of a base vocoder, and check that its mel settings match.

    Raises:
        TrainingError: `base_unusable:<setting>`.
    """
    from omegaconf import OmegaConf, open_dict

    found = OmegaConf.to_container(model.cfg.preprocessor)
    wanted = preprocessor_tree(config.audio)
    # Archives of NVIDIA clamp at the floor, ours add it: the mels differ in silence only.
    for name in (
        "sample_rate",
        "n_fft",
        "n_window_size",
        "n_window_stride",
        "nfilt",
        "lowfreq",
        "highfreq",
        "mag_power",
    ):
        if not isinstance(found, dict) or found.get(name) != wanted[name]:
            raise TrainingError(
                f"The base vocoder {base.name} was made for other mels: {name} is not {wanted[name]}.",
                reason=f"base_unusable:{name}",
                hint="Choose another base vocoder.",
            )
    with open_dict(model.cfg):
        for name in ("validation_ds", "test_ds", "log_config"):
            model.cfg.pop(name, None)
        model.cfg.train_ds = OmegaConf.create(dataset_tree(config))
        model.cfg.optim = OmegaConf.create(optimiser_tree(config))
        model.cfg.l1_loss_factor = config.vocoder.mel_loss_scale
        model.cfg.max_steps = max(1, config.vocoder.max_steps)
    model.l1_factor = config.vocoder.mel_loss_scale


def model_tree(config: TrainingConfig) -> Tree:
    """NeMo's model configuration (the shape of examples/tts/conf/hifigan/hifigan.yaml)."""
    audio, vocoder = config.audio, config.vocoder
    generator = vocoder.generator
    return {
        "target": "nemo.collections.tts.models.hifigan.HifiGanModel",
        "debug": vocoder.small_discriminators,
        "l1_loss_factor": vocoder.mel_loss_scale,
        "max_steps": max(1, vocoder.max_steps),
        "denoise_strength": 0.0025,
        "train_ds": dataset_tree(config),
        "preprocessor": preprocessor_tree(audio),
        "generator": {
            "_target_": "nemo.collections.tts.modules.hifigan_modules.Generator",
            "resblock": generator.resblock,
            "upsample_rates": list(generator.upsample_rates),
            "upsample_kernel_sizes": list(generator.upsample_kernel_sizes),
            "upsample_initial_channel": generator.initial_channels,
            "resblock_kernel_sizes": list(generator.resblock_kernel_sizes),
            "resblock_dilation_sizes": [list(each) for each in generator.resblock_dilations],
            "initial_input_size": audio.n_mels,
        },
        "optim": optimiser_tree(config),
    }


def preprocessor_tree(audio: AudioConfig) -> Tree:
    """NeMo's mel front end for HiFi-GAN: with `exact_pad`, frame t covers samples [t * hop, (t + 1) * hop).

    FastPitch's front end centres frame t on sample t * hop: the same mels, half a hop earlier.
    """
    return {
        "_target_": "nemo.collections.asr.parts.preprocessing.features.FilterbankFeatures",
        "nfilt": audio.n_mels,
        "lowfreq": audio.fmin,
        "highfreq": audio.fmax,
        "n_fft": audio.n_fft,
        "n_window_size": audio.n_fft,
        "n_window_stride": audio.hop_length,
        "pad_to": 0,
        "pad_value": -11.52,
        "sample_rate": audio.sample_rate,
        "window": "hann",
        "normalize": None,
        "preemph": None,
        "dither": 0.0,
        "frame_splicing": 1,
        "log": True,
        "log_zero_guard_type": "add",
        "log_zero_guard_value": audio.log_floor,
        "mag_power": 1.0,
        "exact_pad": True,
        "use_grads": False,
    }


def dataset_tree(config: TrainingConfig) -> Tree:
    """NeMo's dataset configuration, for later users of the archive; with `defer_setup` it opens no files."""
    audio, vocoder = config.audio, config.vocoder
    return {
        "defer_setup": True,
        "dataset": {
            "_target_": "nemo.collections.tts.data.dataset.VocoderDataset",
            "manifest_filepath": "train.jsonl",
            "sample_rate": audio.sample_rate,
            "n_segments": vocoder.segment_frames * audio.hop_length,
            "load_precomputed_mel": True,
            "hop_length": audio.hop_length,
        },
        "dataloader_params": {"batch_size": vocoder.batch_size, "shuffle": True, "drop_last": False, "num_workers": 0},
    }


def optimiser_tree(config: TrainingConfig) -> Tree:
    """Configuration of both optimisers; HifiGanModel makes one for the generator and one for the discriminators."""
    return {
        "_target_": "torch.optim.AdamW",
        "lr": config.vocoder.learning_rate,
        "betas": list(config.vocoder.betas),
        "weight_decay": 0.01,
    }
