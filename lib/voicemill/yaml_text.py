"""YAML as plain data: no tags, anchors, merged or repeated keys, and bounds on size, depth and number of nodes.

The event stream is checked before any object is made of it, so that what is refused costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from voicemill import files

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000
MAX_KEYS = 1000
"""Keys of one mapping. Python gives many integers the same hash, which makes a large mapping of them quadratic."""
MAX_PLAIN_SCALAR = 1000
"""Characters. A long plain scalar may be a sexagesimal number, which takes quadratic time to read."""

Kind = Literal["invalid", "alias", "tag"]


class InvalidYamlError(ValueError):
    """The text is not acceptable YAML; `kind` is `alias`, `tag` or `invalid`."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


def parse(data: bytes) -> Any:
    """The value of one YAML document.

    Raises:
        InvalidYamlError: syntax, encoding, tags, anchors, repeated keys, or more than one of the bounds allows.
    """
    import yaml

    if len(data) > MAX_BYTES:
        raise InvalidYamlError("invalid", f"more than {MAX_BYTES} bytes")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode("utf-8-sig")
        _check_events(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, C or Python
    except InvalidYamlError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidYamlError("invalid", _first_line(error)) from error


def read(path: Path) -> Any:
    """`parse` of a file, never reading more than the limit.

    Raises:
        InvalidYamlError: see `parse`.
        OSError: it cannot be read, or is no regular file.
    """
    return parse(files.read_bounded(path, MAX_BYTES))


def _check_events(events: Iterator[Any]) -> None:
    import yaml

    keys: list[set[str] | None] = []
    expecting_key: list[bool] = []
    for count, event in enumerate(events):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise InvalidYamlError("alias", "anchors and aliases are not accepted")
        if getattr(event, "tag", None) is not None:
            raise InvalidYamlError("tag", f"the tag {event.tag!r} is not accepted")
        long = isinstance(event, yaml.ScalarEvent) and not event.style and len(event.value) > MAX_PLAIN_SCALAR
        if count > MAX_NODES or len(keys) > MAX_DEPTH or long:
            raise InvalidYamlError("invalid", "larger or deeper than any real configuration")
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            keys.pop()
            expecting_key.pop()
        if isinstance(event, (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)) and keys:
            _check_key(event, keys[-1], expecting_key)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            keys.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            expecting_key.append(True)


def _check_key(event: Any, keys: set[str] | None, expecting_key: list[bool]) -> None:
    """In a mapping every other node is a key: it must be a scalar and come once."""
    if keys is None:
        return
    if expecting_key[-1]:
        value = getattr(event, "value", None)
        if value is None or value in keys or value == "<<":
            raise InvalidYamlError("invalid", f"a key is repeated, merged or nested: {str(value)[:80]!r}")
        if len(keys) == MAX_KEYS:
            raise InvalidYamlError("invalid", f"a mapping has more than {MAX_KEYS} keys")
        keys.add(value)
    expecting_key[-1] = not expecting_key[-1]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
