"""A safetensors file, looked at before its digest is pinned.

The format holds numbers and texts alone, so there is nothing to run. A file of that name may still be something else:
the pointer that git leaves without LFS, an error page, half of a download.
"""

from __future__ import annotations

from pathlib import Path

from voicemill.weights.archive_bytes import unsafe


def inspect_tensors(path: Path) -> int:
    """The number of tensors in a file.

    Raises:
        GateError: `unsafe_archive:not_safetensors`.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            count = len(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise unsafe("not_safetensors", f"{path.name} is not a whole safetensors file: {error}.") from error
    if not count:
        raise unsafe("not_safetensors", f"{path.name} holds no tensor.")
    return count
