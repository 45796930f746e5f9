from __future__ import annotations

import io

import pytest
import sentencepiece

from voicemill.errors import GateError
from voicemill.weights import sentencepiece_model
from voicemill.weights.sentencepiece_model import check


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    """A real model of word pieces."""
    out = io.BytesIO()
    lines = iter(["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"] * 5)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=out, vocab_size=40, model_type="bpe", minloglevel=2
    )
    return out.getvalue()


def test_a_real_tokenizer_passes(tokenizer: bytes) -> None:
    check(tokenizer)
    assert sentencepiece.SentencePieceProcessor(model_proto=tokenizer).get_piece_size() == 40


def test_what_is_none_does_not(tokenizer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        b"",
        b"\x80\x02}.",
        b"PK\x03\x04",
        tokenizer + b"\x00",
        tokenizer[:-1],
        b"\x0a\xff\xff\xff\xff\xff",
        b"\x12\x00",
    ]
    for data in many:
        with pytest.raises(GateError) as caught:
            check(data)
        assert caught.value.reason == "unsafe_archive:tokenizer_invalid"
    monkeypatch.setattr(sentencepiece_model, "MAX_BYTES", len(tokenizer) - 1)
    with pytest.raises(GateError):
        check(tokenizer)
