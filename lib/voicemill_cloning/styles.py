"""Styles: sentences that tell a model how to speak, under a name; and texts that look as if they told it, too."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import yaml_text
from voicemill.errors import ConfigError, UsageError

SHIPPED = Path("configs/voice/styles.yaml")
"""Below the repository."""
_TEXTS = ("instruct", "instruction")
_STAGE_DIRECTIONS = (
    re.compile(r"^\s*(?:\[[^\]]{1,80}\]|\([^)]{1,80}\)|\{[^}]{1,80}\}|<[^>]{1,80}>)"),
    re.compile(r"^\s*(?:【[^】]{1,80}】|\uff08[^\uff09]{1,80}\uff09|\uff3b[^\uff3d]{1,80}\uff3d)"),
    re.compile(r"^\s*(?:style|tone|emotion|mood|voice)\s*[:=]", re.IGNORECASE),
    re.compile(r"\bin the style of\b", re.IGNORECASE),
    re.compile(r"\b(?:speak|read|say)\s+(?:(?:this|it|that)\s+)?(?:in an?|with an?|like an?)\b", re.IGNORECASE),
    re.compile(r"(?:^|[.!?:;,]|\bplease)\s*(?:speak|read|say)\s+(?:this|it|that)\s+(?:in|with)\b", re.IGNORECASE),
    re.compile(r"^\s*\*[^*\n]{1,60}\*"),
)


@dataclass(frozen=True)
class Instruction:
    """How to speak.

    Attributes:
        text: the sentence for the model; None where there is none.
        source: `explicit`, `style_template:<name>`, `tone:<name>`, `default` or None.
        style: name of the style, where one was named.
    """

    text: str | None = None
    source: str | None = None
    style: str | None = None


def load_styles(path: Path) -> dict[str, str]:
    """Sentence of each style.

    A style is a sentence, or a mapping with `instruct` or `instruction`; a file of an earlier toolbox may have `prefix`
    and `suffix` instead, which are joined.

    Raises:
        ConfigError: `styles_invalid:<name>`.
    """
    try:
        value = yaml_text.read(path)
        if not isinstance(value, dict):
            raise yaml_text.InvalidYamlError("invalid", "not a mapping of names")
        return {str(name): _sentence(str(name), each) for name, each in value.items()}
    except (OSError, yaml_text.InvalidYamlError) as error:
        raise ConfigError(
            f"The styles in {path} cannot be read: {error}.",
            reason=f"styles_invalid:{path.name}",
            hint="Write a name and a sentence a line.",
        ) from error


def _sentence(name: str, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, dict):
        texts = [value[key] for key in _TEXTS if isinstance(value.get(key), str)]
        texts = texts or [" ".join(value[key] for key in ("prefix", "suffix") if isinstance(value.get(key), str))]
        if texts[0].strip():
            return str(texts[0]).strip()
    raise yaml_text.InvalidYamlError("invalid", f"the style {name} has no sentence")


def find_instruction(text: str | None, style: str | None, styles: Path) -> Instruction:
    """The instruction that options name.

    Args:
        text: the sentence itself.
        style: name of a style.
        styles: file of the styles.

    Raises:
        UsageError: both are given; the sentence is empty; `unknown_style:<name>`, with names that are near it.
        ConfigError: `styles_invalid:<name>`.
    """
    if text is not None and style is not None:
        raise UsageError("A sentence and a style are two instructions; choose one.")
    if text is not None:
        if not text.strip():
            raise UsageError("The instruction is empty.", hint="Give a sentence, or leave the option out.")
        return Instruction(text.strip(), "explicit")
    if style is None:
        return Instruction()
    known = load_styles(styles)
    if style not in known:
        raise unknown("style", style, known, reason=f"unknown_style:{style[:60]}")
    return Instruction(known[style], f"style_template:{style}", style)


def unknown(what: str, name: str, known: Iterable[str], *, reason: str) -> UsageError:
    """The refusal of a style, tone or profile that does not exist, with the names that are near it."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 3)
    return UsageError(
        f"There is no {what} {name[:60]!r}.",
        reason=reason,
        hint=f"Did you mean {' or '.join(near)}?" if near else f"Known are: {', '.join(names) or 'none'}.",
    )


def looks_like_direction(text: str) -> bool:
    """Whether a text seems to begin with a stage direction, or to say how it is to be read: it would be spoken."""
    return any(pattern.search(text) for pattern in _STAGE_DIRECTIONS)
