"""`model_config.yaml` of a `.nemo`, read so that it can do nothing: no tag, alias, interpolation, unknown class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voicemill.weights.archive_bytes import unsafe

MAX_CONFIG_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000
MAX_PLAIN_SCALAR = 1000
"""Characters. A long plain scalar may be a sexagesimal number, which takes quadratic time to read."""
TARGET_KEYS = frozenset({"_target_", "target", "cls", "class", "class_path"})
"""Keys whose value NeMo or Hydra imports and calls."""

ALLOWED_TARGETS = frozenset(
    {
        "nemo.collections.tts.models.FastPitchModel",
        "nemo.collections.tts.models.fastpitch.FastPitchModel",
        "nemo.collections.tts.models.HifiGanModel",
        "nemo.collections.tts.models.hifigan.HifiGanModel",
        "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "nemo.collections.asr.modules.audio_preprocessing.AudioToMelSpectrogramPreprocessor",
        "nemo.collections.asr.parts.preprocessing.features.FilterbankFeatures",
        "nemo.collections.tts.modules.transformer.FFTransformerEncoder",
        "nemo.collections.tts.modules.transformer.FFTransformerDecoder",
        "nemo.collections.tts.modules.aligner.AlignmentEncoder",
        "nemo.collections.tts.modules.fastpitch.TemporalPredictor",
        "nemo.collections.tts.modules.hifigan_modules.Generator",
        "nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers.EnglishPhonemesTokenizer",
        "nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers.EnglishCharsTokenizer",
        "nemo.collections.common.tokenizers.text_to_speech.tts_tokenizers.IPATokenizer",
        "nemo.collections.tts.g2p.models.en_us_arpabet.EnglishG2p",
        "nemo.collections.tts.g2p.models.i18n_ipa.IpaG2p",
        "nemo.collections.tts.data.dataset.TTSDataset",
        "nemo.collections.tts.data.dataset.VocoderDataset",
        "nemo.collections.tts.data.dataset.MelAudioDataset",
        "nemo_text_processing.text_normalization.normalize.Normalizer",
        # Names of the same classes in archives that earlier NeMo releases saved.
        "nemo.collections.tts.torch.data.TTSDataset",
        "nemo.collections.tts.torch.data.VocoderDataset",
        "nemo.collections.tts.torch.g2ps.EnglishG2p",
        "nemo.collections.tts.torch.tts_tokenizers.EnglishPhonemesTokenizer",
        "nemo.collections.tts.data.datalayers.MelAudioDataset",
        "nemo.collections.tts.data.datalayers.AudioDataset",
        "torch.optim.Adam",
        "torch.optim.AdamW",
    }
)


RECOGNITION_TARGETS = frozenset(
    {
        "nemo.collections.asr.models.EncDecCTCModel",
        "nemo.collections.asr.models.ctc_models.EncDecCTCModel",
        "nemo.collections.asr.models.EncDecCTCModelBPE",
        "nemo.collections.asr.models.ctc_bpe_models.EncDecCTCModelBPE",
        "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "nemo.collections.asr.modules.audio_preprocessing.AudioToMelSpectrogramPreprocessor",
        "nemo.collections.asr.modules.SpectrogramAugmentation",
        "nemo.collections.asr.modules.ConvASREncoder",
        "nemo.collections.asr.modules.ConformerEncoder",
        "nemo.collections.asr.modules.ConvASRDecoder",
    }
)
"""Classes of a speech recogniser with a CTC head; what the TTS list names has no business in one, and the other way."""


def check_config(data: bytes, targets: frozenset[str] = ALLOWED_TARGETS) -> dict[str, Any]:
    """Parse and check the configuration of a model archive; `targets` are the classes that it may name.

    Raises:
        GateError: `unsafe_archive:` with `config_invalid`, `config_alias`, `config_tag`, `config_interpolation`,
            `config_target:<name>`.
    """
    import yaml

    if len(data) > MAX_CONFIG_BYTES:
        raise unsafe("config_invalid", "The archive's configuration is larger than any real one.")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode("utf-8")
        _check_events(yaml.parse(text, Loader=loader))
        config = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, C or Python
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise unsafe("config_invalid", f"The archive's configuration cannot be read: {_first_line(error)}.") from error
    if not isinstance(config, dict):
        raise unsafe("config_invalid", "The archive's configuration is no mapping.")
    for key, value in _scalars("", config):
        if isinstance(value, str) and "${" in value:
            raise unsafe("config_interpolation", f"The archive's configuration interpolates at {key!r}.")
        if key.rpartition(".")[2] in TARGET_KEYS and value not in targets:
            raise unsafe(
                f"config_target:{value}",
                f"The archive's configuration names the class {value!r}, which is not allowed.",
            )
    return config


def _check_events(events: Iterator[Any]) -> None:
    """Look at the stream before any object is made of it: an alias bomb never gets to expand."""
    import yaml

    depth = 0
    keys: list[set[str] | None] = []
    expecting_key: list[bool] = []
    for count, event in enumerate(events):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise unsafe("config_alias", "The archive's configuration uses anchors or aliases.")
        if getattr(event, "tag", None) is not None:
            raise unsafe("config_tag", f"The archive's configuration uses the tag {event.tag!r}.")
        long = isinstance(event, yaml.ScalarEvent) and not event.style and len(event.value) > MAX_PLAIN_SCALAR
        if count > MAX_NODES or depth > MAX_DEPTH or long:
            raise unsafe("config_invalid", "The archive's configuration is larger or deeper than any real one.")
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
            keys.pop()
            expecting_key.pop()
        if isinstance(event, (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)) and keys:
            _check_key(event, keys[-1], expecting_key)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            expecting_key.append(True)


def _check_key(event: Any, keys: set[str] | None, expecting_key: list[bool]) -> None:
    """In a mapping every other node is a key: it must be a scalar and come once."""
    if keys is None:
        return
    if expecting_key[-1]:
        value = getattr(event, "value", None)
        if value is None or value in keys or value == "<<":
            raise unsafe("config_invalid", f"The archive's configuration repeats, merges or nests a key: {value!r}.")
        keys.add(value)
    expecting_key[-1] = not expecting_key[-1]


def _scalars(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every key and every leaf, with its dotted path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.(key)", key
            if key in TARGET_KEYS and not isinstance(inner, str):
                yield f"{path}.{key}", repr(inner)
            yield from _scalars(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _scalars(f"{path}[{index}]", inner)
    else:
        yield path, value


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
