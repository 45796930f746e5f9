"""Archives of recognisers: another list of classes, and one binary member."""

from __future__ import annotations

import pytest

from voicemill.errors import GateError
from voicemill.weights.archive import inspect_archive
from voicemill.weights.nemo_config import ALLOWED_TARGETS, RECOGNITION_TARGETS

CONFIG = """\
target: nemo.collections.asr.models.ctc_bpe_models.EncDecCTCModelBPE
encoder:
  _target_: nemo.collections.asr.modules.ConformerEncoder
decoder:
  _target_: nemo.collections.asr.modules.ConvASRDecoder
tokenizer:
  type: bpe
  model_path: nemo:1_tokenizer.model
"""
TOKENIZER = b"\x0a\x03\x0a\x01a"  # one piece


def test_a_recogniser_is_no_voice_and_a_voice_no_recogniser(archives, member):
    path = archives.write(config=CONFIG, extra=[member("1_tokenizer.model", TOKENIZER)])
    assert inspect_archive(path, RECOGNITION_TARGETS).target.endswith("EncDecCTCModelBPE")
    for config, targets in ((CONFIG, ALLOWED_TARGETS), (None, RECOGNITION_TARGETS)):
        with pytest.raises(GateError) as caught:
            inspect_archive(archives.write(config=config) if config else archives.write(), targets)
        assert caught.value.reason.startswith("unsafe_archive:config_target:")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("1_tokenizer.model", b"\x80\x02}.", "tokenizer_invalid"),
        ("tokenizer.model", b"PK\x03\x04", "tokenizer_invalid"),
        ("tokenizer.model.pkl", b"\x80\x02}.", "member_not_text"),
        ("vocab.bin", TOKENIZER + b"\xff\xff", "member_not_text"),
    ],
)
def test_no_other_binary_member_comes_along(archives, member, name, data, reason):
    path = archives.write(config=CONFIG, extra=[member(name, data)])
    with pytest.raises(GateError) as caught:
        inspect_archive(path, RECOGNITION_TARGETS)
    assert caught.value.reason == f"unsafe_archive:{reason}"
    honest = archives.write(config=CONFIG, extra=[member("1_tokenizer.model", b"\x80\x02}.")])
    with pytest.raises(GateError) as caught:
        inspect_archive(honest)
    assert caught.value.code == "unsafe_archive"
