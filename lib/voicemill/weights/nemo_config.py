"""`model_config.yaml` of a `.nemo`, read so that it can do nothing: no tag, alias, interpolation, unknown class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from voicemill import yaml_text
from voicemill.weights.archive_bytes import unsafe

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
    try:
        config = yaml_text.parse(data)
    except yaml_text.InvalidYamlError as error:
        raise unsafe(f"config_{error.kind}", f"The archive's configuration cannot be used: {error}.") from error
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
