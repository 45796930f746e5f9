"""YAML as plain data: everything that is refused is refused at once, with a reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from voicemill import layers, yaml_text
from voicemill.errors import ConfigError
from voicemill.launch import managed_job
from voicemill.yaml_text import InvalidYamlError

COLLIDING = b"".join(b"%d: 0\n" % (number * (2**61 - 1)) for number in range(24_000))
"""Integers with one hash: a mapping of them takes quadratic time."""
HOSTILE = {
    "colliding": COLLIDING,
    "colliding_flow": b"{" + b", ".join(COLLIDING.split(b"\n")[:-1]) + b"}",
    "deep": b"a: " + b"[" * 100_000,
    "deep_mapping": b"a: " + b"{a: " * 100_000,
    "deep_keys": b"? " * 100_000,
    "alias": b"a: &a [1]\nb: *a\n",
    "bomb": b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 120)),
    "self": b"a: &a {b: *a}\n",
    "merge": b"<<: {a: 1}\n",
    "tag": b"a: !!python/object/apply:os.system [id]\n",
    "repeated": b"a: 1\na: 2\n",
    "nested_key": b"{a: 1}: 2\n",
    "sexagesimal": b"a: " + b"1:" * 200_000 + b"1\n",
    "digits": b"a: " + b"1" * 200_000,
    "not_utf_8": b"a: \xff\n",
    "null_bytes": bytes(1000),
    "two_documents": b"a: 1\n---\nb: 2\n",
    "large": b"#" * (yaml_text.MAX_BYTES + 1),
    "many": b"a: [" + b"1, " * 60_000 + b"]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_at_once(name: str) -> None:
    start = time.process_time()
    with pytest.raises(InvalidYamlError):
        yaml_text.parse(HOSTILE[name])
    assert time.process_time() - start < 2.0


def test_good_yaml() -> None:
    text = b"\xef\xbb\xbfa: 1\nb: [x, 'y', 2.5, true, null]\nc:\n  d: |\n    lines\n    of text\n"
    assert yaml_text.parse(text) == {"a": 1, "b": ["x", "y", 2.5, True, None], "c": {"d": "lines\nof text\n"}}
    assert yaml_text.parse(b"") is None


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_configuration_has_a_reason(name: str, tmp_path: Path) -> None:
    base = tmp_path / "mine.yaml"
    base.write_bytes(HOSTILE[name])
    with pytest.raises(ConfigError) as caught:
        layers.read_layers(base, "demo")
    assert caught.value.reason == "config_invalid:mine.yaml"
    with pytest.raises(ConfigError) as caught:
        managed_job._read(base)
    assert caught.value.reason == "managed_job_invalid:unreadable"


@pytest.mark.parametrize("kind", ["zero", "pipe", "folder", "absent"])
def test_a_configuration_that_is_no_file_is_not_read(kind: str, tmp_path: Path) -> None:
    base = tmp_path / "mine.yaml"
    if kind == "zero":
        base.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(base)
    elif kind == "folder":
        base.mkdir()
    with pytest.raises(ConfigError) as caught:
        layers.read_layers(base, "demo")
    assert caught.value.reason == f"config_missing:{base}"
