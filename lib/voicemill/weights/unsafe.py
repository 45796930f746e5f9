"""How a refused archive is reported."""

from __future__ import annotations

from voicemill.errors import GateError


def unsafe(why: str, sentence: str) -> GateError:
    """A refusal with reason `unsafe_archive:<why>`.

    Args:
        why: stable `snake_case` code, optionally `:<detail>`.
        sentence: one plain sentence.
    """
    return GateError(
        printable(sentence),
        reason=f"unsafe_archive:{printable(why)}",
        hint="Do not load this archive; fetch it again from a source that you trust.",
    )


def printable(text: str) -> str:
    """`text` on one line, at most 300 characters, control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode("ascii") for c in text[:300])
