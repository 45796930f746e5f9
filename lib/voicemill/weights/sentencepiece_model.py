"""The outline of a SentencePiece model, the tokenizer inside a recogniser's archive, before SentencePiece parses it.

A model is one protocol buffer, `ModelProto` of sentencepiece_model.proto: fields 1 (a piece, many times) to 5, each of
them a nested message. Wire format: protobuf's encoding guide.
"""

from __future__ import annotations

from voicemill.weights.archive_bytes import unsafe

MAX_BYTES = 8 * 1024 * 1024
"""Of English models with 128 to 1024 pieces, which have some 250 kB."""
MAX_PIECES = 300_000
_NESTED = {number << 3 | 2 for number in range(1, 6)}


def check(data: bytes) -> None:
    """Refuse data that is not such a message from its first to its last byte.

    Raises:
        GateError: `unsafe_archive:tokenizer_invalid`.
    """
    position, pieces = 0, 0
    while position < len(data) <= MAX_BYTES and pieces <= MAX_PIECES and data[position] in _NESTED:
        pieces += data[position] == 10
        size, position = _varint(data, position + 1)
        position += size
    if position != len(data) or not 0 < pieces <= MAX_PIECES:
        raise unsafe("tokenizer_invalid", "The archive's tokenizer is not a SentencePiece model.")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of at most four bytes, and where it ends."""
    value = 0
    for count, byte in enumerate(data[position : position + 4]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    return len(data) + 1, position
