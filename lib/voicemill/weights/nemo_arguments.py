"""The arguments that the classes of a `.nemo` configuration may have, and the sizes that its tensors justify.

`nemo_config` decides which classes may be named. Here each class has a list of arguments: components that write files
have no argument for a place, paths are members of the archive, and sizes are bound before anything is built. The
model's own sections of datasets are not judged: a restored model never builds them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from voicemill.weights.archive_bytes import unsafe
from voicemill.weights.checkpoint import Tensor
from voicemill.weights.nemo_config import TARGET_KEYS

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
_WHOLE = frozenset(
    {"n_layer", "n_layers", "n_head", "n_heads", "d_model", "d_head", "d_inner", "d_embed", "n_embed", "kernel_size"}
    | {"input_size", "filter_size", "n_mel_channels", "n_text_channels", "n_att_channels", "upsample_initial_channel"}
    | {"initial_input_size", "n_fft", "n_window_size", "n_window_stride", "features", "nfilt", "frame_splicing"}
    | {"feat_in", "num_classes", "subsampling_factor", "conv_kernel_size", "pos_emb_max_len"}
    | {"freq_masks", "time_masks", "rect_masks"}
)
"""Arguments that are whole numbers or null."""
_LISTS = frozenset(
    {"upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes", "resblock_dilation_sizes", "condition_types"}
    | {"vocabulary", "non_default_punct_list", "jasper"}
)
"""Arguments that are lists or null."""
PATHS = frozenset(
    {"phoneme_dict", "heteronyms", "mapping_file", "whitelist", "model_path", "vocab_path", "vocab_file"}
    | {"spe_tokenizer_vocab", "cache_dir"}
)
"""Arguments that name files; their value is a member of the archive or null."""
_PATH_NAME = re.compile(r"(?:\A|_)(?:paths?|files?|filepaths?|dirs?|folders?|caches?|lexicon|kenlm)\Z")
"""The end of a name that says that the value is a place."""
_EXPONENT = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+")
_MISSING = "???"
"""What OmegaConf writes for a value that was left open."""
MODELS = frozenset({"FastPitchModel", "HifiGanModel", "EncDecCTCModel", "EncDecCTCModelBPE"})
"""Classes that only the configuration itself may name; every other one has its arguments above."""
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
    "pitch_embedding_kernel_size": 1025, "energy_embedding_kernel_size": 1025, "symbols_embedding_dim": 16_384,
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
        GateError: `unsafe_archive:` with `config_target:<class>`, `config_argument:<class>.<name>`,
            `config_path:<key>`.
    """
    for section in _sections(config):
        kind = _check_target(section, whole=section is config)
        known = ARGUMENTS.get(kind)
        for name, value in section.items():
            if known is not None and name not in known and name not in TARGET_KEYS:
                raise unsafe(
                    f"config_argument:{kind}.{name}",
                    f"The archive's configuration gives {kind} the argument {name!r}, which is not allowed.",
                )
            # A tokenizer's training folder is not read where its model is a member.
            unread = name == "dir" and str(section.get("model_path", "")).startswith(MEMBER)
            if not unread:
                _check_paths(str(name), value, members)


def _check_target(section: Mapping[str, Any], *, whole: bool) -> str:
    """The class of a section, without its package: a model for the whole configuration, else one with arguments."""
    named = [str(section[key]) for key in sorted(TARGET_KEYS & section.keys())]
    kinds = [name.rpartition(".")[2] for name in named]
    known: Collection[str] = MODELS if whole else ARGUMENTS
    for name, kind in zip(named, kinds, strict=True):
        if kind not in known or len(named) > 1:
            raise unsafe(
                f"config_target:{name}",
                f"The archive's configuration names the class {name!r} in a place where it is not allowed.",
            )
    return kinds[0] if kinds else ""


def _check_paths(name: str, value: Any, members: Collection[str]) -> None:
    if isinstance(value, list):
        for each in value:
            _check_paths(name, each, members)
        return
    place = name in PATHS or (_PATH_NAME.search(name) is not None and value != _MISSING)
    if not isinstance(value, str) or (len(value) == 1 and not place):
        if name in PATHS and value is not None:
            raise unsafe(f"config_path:{name}", f"The archive's configuration has no member at {name!r}.")
        return
    path_like = any(mark in value for mark in ("/", "\\", "\0")) or value.startswith(("~", MEMBER))
    if (place or path_like) and not (value.startswith(MEMBER) and value.removeprefix(MEMBER) in members):
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
    _check_area("n_speakers", [_number(config.get(name)) for name in ("n_speakers", "symbols_embedding_dim")], area)
    for section in _sections(config):
        sized = _kind(section) in _SIZED
        dimensions = []
        for name, leaf in _numbers("", section) if sized else section.items():
            value = _number(leaf)
            if value is None:
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


def check_types(config: Mapping[str, Any]) -> None:
    """Refuse a number where a list belongs, and something else where a whole number does.

    Raises:
        GateError: `unsafe_archive:config_type:<class>.<name>`.
    """
    for section in _sections(config):
        kind = _kind(section)
        for name, value in section.items() if kind in ARGUMENTS else ():
            whole = isinstance(value, int) and not isinstance(value, bool)
            wrong = (name in _WHOLE and not whole) or (name in _LISTS and not isinstance(value, list))
            if wrong and value is not None:
                raise unsafe(
                    f"config_type:{kind}.{name}",
                    f"The archive's configuration gives {kind} a {type(value).__name__} as {name!r}.",
                )


def _check_area(name: str, values: Collection[int | float | None], most: int) -> None:
    numbers = sorted((abs(value) for value in values if value is not None), reverse=True)
    if len(numbers) >= 2 and not numbers[0] * numbers[1] <= most:
        raise unsafe(
            f"config_size:{name}",
            f"The archive's configuration gives {name} dimensions that none of its tensors has.",
        )


def _number(value: Any) -> int | float | None:
    """A number, also where only OmegaConf takes a text for one: `1e9` is a text in YAML 1.1."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value.replace("_", ""))
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _kind(section: Mapping[str, Any]) -> str:
    return next((str(section[key]).rpartition(".")[2] for key in sorted(TARGET_KEYS & section.keys())), "")


def _sections(value: Any, *, top: bool = True) -> Iterator[Mapping[str, Any]]:
    """Every mapping of a configuration but those of the model's datasets, which stand at its top."""
    if isinstance(value, Mapping):
        yield value
        for name, inner in value.items():
            if not (top and name in DATASET_SECTIONS):
                yield from _sections(inner, top=False)
    elif isinstance(value, list):
        for inner in value:
            yield from _sections(inner, top=False)


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
