"""How a refused archive is reported."""

from __future__ import annotations

from voicemill.errors import GateError
from voicemill.protocol import one_line


def unsafe(why: str, sentence: str) -> GateError:
    """A refusal with reason `unsafe_archive:<why>`.

    Args:
        why: stable `snake_case` code, optionally `:<detail>`.
        sentence: one plain sentence.
    """
    return GateError(
        one_line(sentence, 300),
        reason=f"unsafe_archive:{one_line(why, 300)}",
        hint="Do not load this archive; fetch it again from a source that you trust.",
    )
