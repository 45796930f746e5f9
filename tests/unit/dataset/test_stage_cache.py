from __future__ import annotations

from pathlib import Path

import pytest

from voicemill import text
from voicemill.audio import pitch, pitch_viterbi
from voicemill.dataset import stage_cache


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    path = stage_cache.entry(tmp_path, "pitch", "abcd", ".bin")
    made: list[Path] = []

    def make(target: Path) -> None:
        made.append(target)
        target.write_bytes(b"x")

    assert [stage_cache.remember(path, make) for _ in range(2)] == [False, True]
    assert len(made) == 1
    assert path.read_bytes() == b"x"


def test_a_failed_entry_leaves_nothing(tmp_path: Path) -> None:
    path = stage_cache.entry(tmp_path, "pitch", "abcd", ".bin")

    def fail(target: Path) -> None:
        target.write_bytes(b"half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stage_cache.remember(path, fail)
    assert list(path.parent.iterdir()) == []


def test_code_is_part_of_a_key() -> None:
    assert stage_cache.code_digest(pitch) != stage_cache.code_digest(pitch_viterbi)
    assert stage_cache.code_digest(text) == stage_cache.code_digest(text)
    assert len(stage_cache.code_digest(text)) == 64
