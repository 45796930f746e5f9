"""Settings of a training run: typed, frozen, strict about unknown keys.

A configuration is a base file and a preset of a few lines merged over it (`load_config`), so that a preset reads as the
list of what is different about it. The settings of the mel spectrogram are in `voicemill.synthesis.mel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicemill.dataset.limits import QualityLimits
from voicemill.errors import ConfigError
from voicemill.layers import merge, read_layers
from voicemill.metrics.figure_limits import EvaluationSettings
from voicemill.synthesis.mel import AudioConfig

AlignmentMode = Literal["durations", "forced_prior", "beta_binomial"]


class _Settings(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TransformerConfig(_Settings):
    """One stack of feed-forward transformer layers (encoder: one position a token; decoder: one a mel frame)."""

    layers: int = Field(default=6, gt=0)
    heads: int = Field(default=1, gt=0)
    head_width: int = Field(default=64, gt=0)
    inner_width: int = Field(default=1536, gt=0, description="channels between the two convolutions of a layer")
    kernel_size: int = Field(default=3, gt=0, description="taps of both convolutions, odd")
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_dropout: float = Field(default=0.1, ge=0, lt=1)


class PredictorConfig(_Settings):
    """Duration and pitch predictors: small convolution stacks on the encoder's output."""

    layers: int = Field(default=2, gt=0)
    width: int = Field(default=256, gt=0)
    kernel_size: int = Field(default=3, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class OptimiserConfig(_Settings):
    """AdamW and its learning-rate schedule, counted in steps, so that a run does not depend on the machine's speed."""

    learning_rate: float = Field(default=1e-3, gt=0, description="highest rate")
    find_learning_rate: bool = Field(
        default=False, description="search for the highest rate before the first step, see `training.rate_search`"
    )
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = Field(default=1e-6, ge=0)
    gradient_clip: float = Field(default=1.0, ge=0, description="largest gradient norm; 0 switches clipping off")
    schedule: Literal["constant", "cosine", "linear", "noam"] = Field(
        default="cosine",
        description="after the warm-up: constant, or down to final_ratio at the last step; noam: NeMo's NoamAnnealing "
        "with d_model 1",
    )
    warmup_steps: int = Field(default=50, ge=0)
    final_ratio: float = Field(default=0.02, ge=0, le=1, description="last rate as a part of the highest")

    @model_validator(mode="after")
    def _check_search(self) -> OptimiserConfig:
        if self.find_learning_rate and self.schedule == "noam":
            raise ValueError("noam's learning_rate is not the highest rate, so none can be searched for it")
        return self


class ValidationConfig(_Settings):
    """Held-out sentences synthesised and measured during training, in a child process (`training.validation`)."""

    interval: int = Field(default=0, ge=0, description="steps between two; 0: none, the last weights are saved")
    sentences: int = Field(default=4, gt=0, description="of the validation split, the first ones")
    patience: int = Field(default=5, gt=0, description="validations without a gain after which training ends")
    least_gain: float = Field(default=0.01, ge=0, description="part of the best score that counts as a gain")


class AcousticConfig(_Settings):
    """FastPitch: size, source of durations, training."""

    base_weights: str = Field(default="voicemill/from-scratch", description="id on the weights allowlist to start from")
    alignment: AlignmentMode = Field(
        default="durations",
        description="durations: from the forced alignment, no aligner is trained; forced_prior: NeMo's aligner under a "
        "prior from the forced alignment; beta_binomial: NeMo's aligner under its usual prior",
    )
    width: int = Field(default=384, gt=0, description="channels of embeddings, encoder and decoder")
    encoder: TransformerConfig = TransformerConfig()
    decoder: TransformerConfig = TransformerConfig()
    duration_predictor: PredictorConfig = PredictorConfig()
    pitch_predictor: PredictorConfig = PredictorConfig()
    max_token_duration: int = Field(default=75, gt=0, description="frames")
    optimiser: OptimiserConfig = OptimiserConfig()
    max_steps: int = Field(default=1000, gt=0)
    steps_per_minute: float | None = Field(
        default=None, gt=0, description="steps for each minute of training clips, at most max_steps; null: max_steps"
    )
    validation: ValidationConfig = ValidationConfig()
    batch_size: int = Field(default=16, gt=0, description="clips")
    bucket: bool = Field(default=True, description="batches of similar length: less padding to compute")
    adversarial: bool = Field(
        default=False,
        description="with a discriminator of mel patches, against blurred mels (training.mel_adversary); with "
        "alignment: durations, and in one process",
    )
    average_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="exponential moving average of the weights that is saved; 0 saves the last weights",
    )
    duration_loss_scale: float = Field(default=0.1, ge=0)
    pitch_loss_scale: float = Field(default=0.1, ge=0)
    bin_loss_warmup: float = Field(
        default=0.25, gt=0, le=1, description="part of the steps after which NeMo's aligner counts as binary"
    )
    bias_from_data: bool = Field(
        default=True, description="start the output bias at the mean log-mel of the training clips"
    )
    griffin_lim_iterations: int = Field(default=60, gt=0)
    compile: Literal["auto"] | bool = Field(
        default="auto", description="torch.compile for the steps; auto: where it was worth it, see `training.speedups`"
    )


class GeneratorConfig(_Settings):
    """HiFi-GAN's generator.

    The defaults are the embedded base vocoder's, which does most work at low rates and is fast on a CPU. Published
    generators (Kong et al., 2020): V1 (nvidia/tts_hifigan) resblock 1, rates 8,8,2,2, 512 channels, kernels 3,7,11; V3
    resblock 2, rates 8,8,4, 256 channels, kernels 3,5,7.
    """

    resblock: Literal[1, 2] = 2
    upsample_rates: tuple[int, ...] = Field(default=(2, 2, 2, 4, 8), description="their product is the hop length")
    upsample_kernel_sizes: tuple[int, ...] = (4, 4, 4, 8, 16)
    initial_channels: int = Field(default=384, gt=0, description="halved at each rate")
    resblock_kernel_sizes: tuple[int, ...] = (3, 7)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3), (1, 3))


class VocoderConfig(_Settings):
    """HiFi-GAN: generator, discriminators, training. A base vocoder keeps its own sizes."""

    base_weights: str = Field(
        default="voicemill/base-en-small-hifigan", description="id on the weights allowlist to start from"
    )
    generator: GeneratorConfig = GeneratorConfig()
    small_discriminators: bool = Field(
        default=True,
        description="NeMo's `debug`: 1.2 MB of discriminators instead of 283 MB, feasible on a CPU",
    )
    max_steps: int = Field(default=0, ge=0, description="0 keeps the base vocoder as it is")
    steps_per_minute: float | None = Field(
        default=None, gt=0, description="steps for each minute of training clips, at most max_steps; null: max_steps"
    )
    batch_size: int = Field(default=8, gt=0, description="segments")
    segment_frames: int = Field(default=32, gt=0, description="mel frames of a training segment (0.37 s)")
    learning_rate: float = Field(
        default=1e-5, gt=0, description="constant; fine-tuning on aligned mels is customary at 1e-5"
    )
    betas: tuple[float, float] = (0.8, 0.99)
    mel_loss_scale: float = Field(
        default=45.0, ge=0, description="weight of the mel distance beside the adversarial losses"
    )


class RuntimeVocoderConfig(_Settings):
    """The vocoder of the exported graph: an iSTFT vocoder that is tuned to the speaker.

    The weights with the lowest loss on held-out clips are kept, at worst the base's own.
    """

    base_weights: str | None = Field(
        default=None, description="id on the weights allowlist; null: the graph has the same vocoder as NeMo"
    )
    max_steps: int = Field(default=0, ge=0, description="0 keeps the base as it is")
    batch_size: int = Field(default=8, gt=0, description="segments")
    segment_frames: int = Field(default=48, gt=0, description="mel frames of a segment (0.56 s)")
    learning_rate: float = Field(default=2e-4, gt=0)
    adversarial: bool = Field(default=True, description="with the base's discriminators, where its file has them")
    adversarial_ramp: int = Field(default=50, gt=0, description="steps until their losses have full weight")
    check_interval: int = Field(default=25, gt=0, description="steps between losses on held-out clips")
    patience: int = Field(default=3, gt=0, description="checks without a lower loss after which the tuning ends")
    clips: int = Field(default=40, gt=0, description="training clips at most, spread evenly")


class TrainingConfig(_Settings):
    """One training run of a voice."""

    preset: str
    audio: AudioConfig = AudioConfig()
    acoustic: AcousticConfig = AcousticConfig()
    vocoder: VocoderConfig = VocoderConfig()
    runtime_vocoder: RuntimeVocoderConfig = RuntimeVocoderConfig()
    seed: int = Field(default=1, ge=0)
    threads: int = Field(default=0, ge=0, description="CPU threads of torch; 0 takes as many as the machine gives")
    training_pages: int = Field(
        default=5, ge=0, description="times that the training report is drawn while FastPitch trains; 0: never"
    )
    checkpoint_interval: int = Field(default=100, gt=0, description="steps between checkpoints to resume from")
    quality: QualityLimits = Field(default=QualityLimits(), description="limits of the clips that are trained on")
    evaluation: EvaluationSettings = Field(default=EvaluationSettings(), description="tests and limits of the voice")
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="arithmetic of a step; weights stay float32. auto: bfloat16 where the device has units for it",
    )
    devices: int = Field(default=1, gt=0, description="training processes on each machine; each takes a batch a step")
    nodes: int = Field(default=1, gt=0, description="machines that train together")

    @model_validator(mode="after")
    def _check_search(self) -> TrainingConfig:
        if self.acoustic.optimiser.find_learning_rate and self.devices * self.nodes > 1:
            raise ValueError("the learning rate is searched in one process: devices and nodes have to be 1")
        return self

    def with_learning_rate(self, rate: float) -> TrainingConfig:
        """These settings with another highest learning rate of FastPitch."""
        optimiser = self.acoustic.optimiser.model_copy(update={"learning_rate": rate})
        return self.model_copy(update={"acoustic": self.acoustic.model_copy(update={"optimiser": optimiser})})

    def for_audio(self, seconds: float) -> TrainingConfig:
        """These settings with the numbers of steps for this much training audio, see `steps_per_minute`.

        The end of the schedule and the warm-up of the binary alignment are relative to the number of steps.
        """
        acoustic = _budget(self.acoustic.max_steps, self.acoustic.steps_per_minute, seconds)
        vocoder = _budget(self.vocoder.max_steps, self.vocoder.steps_per_minute, seconds)
        return self.model_copy(
            update={
                "acoustic": self.acoustic.model_copy(update={"max_steps": acoustic}),
                "vocoder": self.vocoder.model_copy(update={"max_steps": vocoder}),
            }
        )


def _budget(most: int, per_minute: float | None, seconds: float) -> int:
    return most if per_minute is None else min(most, max(1, round(per_minute * seconds / 60)))


def has_own_tokenizer(base: Path | None) -> bool:
    """Whether a voice that starts from `base` has our tokenizer and its dataset's lexicon, not those of a `.nemo`.

    A base of weights alone is a `.safetensors`, see `training.fastpitch_weights`.
    """
    return base is None or base.suffix == ".safetensors"


def load_config(path: Path, preset: str, overrides: Mapping[str, object] | None = None) -> TrainingConfig:
    """Read the base file, merge the preset and the overrides over it, and check the result.

    Args:
        path: the base YAML file; presets lie in `presets/<name>.yaml` beside it.
        preset: name of a preset.
        overrides: nested mapping merged last, for example `{"acoustic": {"max_steps": 20}}`.

    Raises:
        ConfigError: a file is missing or not YAML, the preset is unknown, a key is unknown, or a value does not fit.
    """
    tree = merge(merge(read_layers(path, preset), overrides or {}), {"preset": preset})
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "configuration"
        raise ConfigError(
            f"The training configuration (preset {preset}) is wrong at {where}: {first['msg']}.",
            reason=f"config_invalid:{where}",
            hint=f"Compare {path.name} and presets/{preset}.yaml with the settings in voicemill/training/config.py.",
        ) from error
