"""What `torch.save` writes, a stored zip: its one pickle, and how large each storage is. Nothing is unpacked."""

from __future__ import annotations

from typing import BinaryIO

from voicemill.weights import plain_zip
from voicemill.weights.plain_tar import Member
from voicemill.weights.state_dict import MAX_PICKLE_BYTES
from voicemill.weights.unsafe import unsafe

_OTHER_ENTRIES = frozenset(
    {"data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"}
)


def read(handle: BinaryIO, member: Member) -> tuple[bytes, dict[str, int]]:
    """The bytes of `data.pkl`, and the bytes of each storage by its key.

    Raises:
        GateError: `unsafe_archive:` with what `plain_zip` refuses, `unexpected_entry:<name>`, `pickle_invalid`.
    """
    entries = plain_zip.entries(handle, member)
    storages: dict[str, int] = {}
    for name, entry in entries.items():
        folder, _, key = name.partition("/")
        if folder == "data" and key.isascii() and key.isdigit():
            storages[key] = entry.size
        elif name not in _OTHER_ENTRIES:
            raise unsafe(f"unexpected_entry:{name}", f"The checkpoint holds {name!r}, which its weights do not need.")
    pickled = entries.get("data.pkl")
    if pickled is None or pickled.size > MAX_PICKLE_BYTES:
        raise unsafe("pickle_invalid", "The checkpoint has no pickle of a plausible size.")
    handle.seek(pickled.offset)
    data = handle.read(pickled.size)
    if len(data) != pickled.size:
        raise unsafe("weights_not_a_plain_zip", "The checkpoint is cut short.")
    return data, storages
