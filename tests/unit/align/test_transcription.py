"""Recognisers are loaded from a private copy of exactly the files that were hashed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from voicemill.align import transcription
from voicemill.align.transcription import RecogniserModel
from voicemill.errors import GateError
from voicemill.files import sha256_bytes

FILES = {"model.bin": b"weights", "config.json": b"{}"}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bytes]]:
    """What faster-whisper finds in the folder that it is given, once for each model."""
    seen: list[dict[str, bytes]] = []

    class WhisperModel:
        def __init__(self, folder: str, **_: object) -> None:
            seen.append({path.name: path.read_bytes() for path in Path(folder).iterdir()})

    module = types.ModuleType("faster_whisper")
    module.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    transcription.load.cache_clear()
    return seen


@pytest.fixture
def whisper(tmp_path: Path) -> RecogniserModel:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    pins = tuple((name, sha256_bytes(data)) for name, data in FILES.items())
    return RecogniserModel("faster-whisper", "somebody/whisper", tmp_path, "0" * 64, pins)


def test_only_pinned_files_are_loaded(whisper: RecogniserModel, loaded: list[dict[str, bytes]]) -> None:
    (whisper.path / "tokenizer_config.py").write_text("import os")
    transcription.load(whisper)
    assert loaded == [FILES]


@pytest.mark.parametrize("name", FILES)
def test_a_file_exchanged_after_the_check_is_not_loaded(
    name: str, whisper: RecogniserModel, loaded: list[dict[str, bytes]]
) -> None:
    (whisper.path / name).write_bytes(b"other")
    with pytest.raises(GateError) as caught:
        transcription.load(whisper)
    assert (caught.value.reason, loaded) == (f"weights_checksum_mismatch:{name}", [])


def test_a_file_that_is_gone_has_a_reason(whisper: RecogniserModel, loaded: list[dict[str, bytes]]) -> None:
    (whisper.path / "model.bin").unlink()
    with pytest.raises(GateError) as caught:
        transcription.load(whisper)
    assert (caught.value.reason, loaded) == ("weights_unavailable:model.bin", [])
