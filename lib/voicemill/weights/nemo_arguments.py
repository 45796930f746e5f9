"""The arguments that the classes of a `.nemo` configuration may have, and the sizes that its tensors justify.

`nemo_config` decides which classes may be named. Here each class has a list of arguments: components that write files
have no argument for a place, paths are members of the archive, and sizes are bound before anything is built. Sections
of datasets are not judged: a restored model never builds them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from voicemill.weights.archive_bytes import unsafe
from voicemill.weights.checkpoint import Tensor

DATASET_SECTIONS = frozenset({"train_ds", "validation_ds", "test_ds"})
MEMBER = "nemo:"
"""Prefix of a value that names a member of the archive."""
_SPECTRUM = (
    "sample_rate window_size window_stride n_window_size n_window_stride window normalize n_fft preemph lowfreq "
    "highfreq log log_zero_guard_type log_zero_guard_value dither pad_to frame_splicing exact_pad pad_value mag_power "
    "rng nb_augmentation_prob nb_max_freq mel_norm stft_exact_pad stft_conv max_duration"
)
_TRANSFORMER = "n_layer n_head d_model d_head d_inner kernel_size dropout dropatt dropemb pre_lnorm condition_types"
_TOKENIZER = "punct non_default_punct_list space silence apostrophe oov sep add_blank_at pad_with_space"
_G2P = "phoneme_dict heteronyms mapping_file apply_to_oov_word ignore_ambiguous_words phoneme_probability"
_CONFORMER = (
    "feat_in n_layers d_model feat_out causal_downsampling subsampling subsampling_factor "
    "subsampling_conv_chunking_factor subsampling_conv_channels reduction reduction_position reduction_factor "
    "ff_expansion_factor self_attention_model n_heads att_context_size att_context_probs att_chunk_context_size "
    "att_context_style xscaling untie_biases pos_emb_max_len conv_kernel_size conv_norm_type conv_context_size "
    "conv_context_style use_bias dropout dropout_pre_encoder dropout_emb dropout_att stochastic_depth_drop_prob "
    "stochastic_depth_mode stochastic_depth_start_layer global_tokens global_tokens_spacing global_attn_separate "
    "use_pytorch_sdpa use_pytorch_sdpa_backends sync_max_audio_length"
)
ARGUMENTS: dict[str, frozenset[str]] = {
    name: frozenset(arguments.split())
    for name, arguments in {
        "AudioToMelSpectrogramPreprocessor": f"{_SPECTRUM} features use_torchaudio",
        "FilterbankFeatures": f"{_SPECTRUM} nfilt use_grads",
        "FFTransformerEncoder": f"{_TRANSFORMER} n_embed d_embed padding_idx cond_input",
        "FFTransformerDecoder": f"{_TRANSFORMER} cond_input",
        "AlignmentEncoder": "n_mel_channels n_text_channels n_att_channels temperature condition_types dist_type",
        "TemporalPredictor": "input_size filter_size kernel_size dropout n_layers condition_types",
        "Generator": (
            "resblock upsample_rates upsample_kernel_sizes upsample_initial_channel resblock_kernel_sizes "
            "resblock_dilation_sizes initial_input_size apply_weight_init_conv_pre"
        ),
        "EnglishPhonemesTokenizer": f"{_TOKENIZER} g2p stresses chars",
        "EnglishCharsTokenizer": _TOKENIZER,
        "IPATokenizer": f"{_TOKENIZER} g2p locale locale_specific_punct fixed_vocab",
        "EnglishG2p": f"{_G2P} encoding",
        "IpaG2p": f"{_G2P} locale use_chars use_stresses grapheme_case grapheme_prefix",
        "Normalizer": "input_case lang deterministic whitelist",
        "Adam": "lr betas eps weight_decay amsgrad",
        "AdamW": "lr betas eps weight_decay amsgrad",
        "SpectrogramAugmentation": (
            "freq_masks time_masks freq_width time_width rect_masks rect_time rect_freq mask_value"
        ),
        "ConvASREncoder": (
            "jasper activation feat_in normalization_mode residual_mode norm_groups conv_mask frame_splicing init_mode"
        ),
        "ConformerEncoder": _CONFORMER,
        "ConvASRDecoder": "feat_in num_classes init_mode vocabulary add_blank",
    }.items()
}
"""Class -> the arguments that a configuration may give it. `Normalizer` has no `cache_dir`, where it would write."""
PATHS = frozenset(
    {"phoneme_dict", "heteronyms", "mapping_file", "whitelist", "model_path", "vocab_path", "vocab_file"}
    | {"spe_tokenizer_vocab", "cache_dir"}
)
"""Arguments that name files; their value is a member of the archive or null."""
_SIZED = frozenset(
    {"FFTransformerEncoder", "FFTransformerDecoder", "AlignmentEncoder", "TemporalPredictor", "Generator"}
    | {"ConvASREncoder", "ConformerEncoder", "ConvASRDecoder"}
)
"""Classes whose integers are dimensions of their tensors."""
_COUNTS = frozenset({"n_layer", "n_layers", "num_layers", "n_head", "n_heads", "repeat"})
_NO_DIMENSIONS = frozenset({"pos_emb_max_len", "padding_idx", "stochastic_depth_start_layer"})
_MOST = {
    "n_fft": 65_536, "n_window_size": 65_536, "features": 1024, "nfilt": 1024, "n_mel_channels": 1024,
    "n_mels": 1024, "frame_splicing": 16, "pad_to": 1024, "pos_emb_max_len": 20_000, "sample_rate": 384_000,
    "pitch_embedding_kernel_size": 1025, "energy_embedding_kernel_size": 1025,
}  # fmt: skip
"""Largest values of numbers that decide over memory and are no dimensions of a tensor."""
_SMALLEST_TENSOR = 1 << 16
_SLACK = 8
"""Two dimensions of a layer may multiply to this many times the largest tensor in the archive."""
_FEW_TENSORS = 64


def check_arguments(config: Mapping[str, Any], members: Collection[str]) -> None:
    """Refuse unknown arguments, and paths that are not members.

    Args:
        config: a configuration that `nemo_config.check_config` accepted.
        members: names of the archive's members.

    Raises:
        GateError: `unsafe_archive:` with `config_argument:<class>.<name>`, `config_path:<key>`.
    """
    for section in _sections(config):
        kind = _kind(section)
        known = ARGUMENTS.get(kind)
        for name, value in section.items():
            if known is not None and name not in known and name not in ("_target_", "cls", "target"):
                raise unsafe(
                    f"config_argument:{kind}.{name}",
                    f"The archive's configuration gives {kind} the argument {name!r}, which is not allowed.",
                )
            # A tokenizer's training folder is not read where its model is a member.
            unread = name == "dir" and str(section.get("model_path", "")).startswith(MEMBER)
            if not unread:
                _check_paths(name, value, members)


def _check_paths(name: str, value: Any, members: Collection[str]) -> None:
    if isinstance(value, list):
        for each in value:
            _check_paths(name, each, members)
        return
    if not isinstance(value, str) or (len(value) == 1 and name not in PATHS):
        if name in PATHS and value is not None:
            raise unsafe(f"config_path:{name}", f"The archive's configuration has no member at {name!r}.")
        return
    path_like = any(mark in value for mark in ("/", "\\", "\0")) or value.startswith(("~", MEMBER))
    if (name in PATHS or path_like) and not (value.startswith(MEMBER) and value.removeprefix(MEMBER) in members):
        raise unsafe(
            f"config_path:{name}",
            f"The archive's configuration names the file {value!r} at {name!r}, which is not a member of the archive.",
        )


def check_sizes(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Refuse sizes that the archive's own tensors do not justify; building the model would fill memory or never end.

    Raises:
        GateError: `unsafe_archive:config_size:<key>`.
    """
    largest = max((tensor.numel for tensor in tensors.values()), default=0)
    area = _SLACK * max(largest, _SMALLEST_TENSOR)
    count = max(len(tensors), _FEW_TENSORS)
    _check_area("n_speakers", [config.get("n_speakers"), config.get("symbols_embedding_dim")], area)
    for section in _sections(config):
        sized = _kind(section) in _SIZED
        dimensions = []
        for name, value in _numbers("", section) if sized else section.items():
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                continue
            most = count if sized and name in _COUNTS else _MOST.get(name, area if sized else float("inf"))
            if not abs(value) <= most:
                raise unsafe(f"config_size:{name}", f"The archive's configuration sets {name!r} to {value}.")
            if sized and name not in _NO_DIMENSIONS:
                dimensions.append(value)
        if sized:
            lists = [value for value in section.values() if isinstance(value, list)]
            if any(len(each) > max(count, 100_000 if "vocabulary" in section else 0) for each in lists):
                raise unsafe("config_size:list", "The archive's configuration has more layers than tensors.")
            _check_area(_kind(section), dimensions, area)


def _check_area(name: str, values: Collection[Any], most: int) -> None:
    numbers = sorted((abs(value) for value in values if isinstance(value, (int, float))), reverse=True)
    if len(numbers) >= 2 and not numbers[0] * numbers[1] <= most:
        raise unsafe(
            f"config_size:{name}",
            f"The archive's configuration gives {name} dimensions that none of its tensors has.",
        )


def _kind(section: Mapping[str, Any]) -> str:
    named = section.get("_target_", section.get("cls", ""))
    return str(named).rpartition(".")[2]


def _sections(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping of a configuration but those of datasets."""
    if isinstance(value, Mapping):
        yield value
        for name, inner in value.items():
            if name not in DATASET_SECTIONS:
                yield from _sections(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sections(inner)


def _numbers(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf below a section, with the name of its argument."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(name, inner)
    else:
        yield name, value
