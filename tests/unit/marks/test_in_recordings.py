"""Preparation warns about recordings that are marked as synthetic speech and says whose they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemill.dataset import recording_warnings
from voicemill.dataset.pool import ClipPool
from voicemill_marks.credentials import sidecar, signed
from voicemill_marks.detector import detect_in_file
from voicemill_marks.origin import Origin
from voicemill_marks.signer import MarkSigner
from voicemill_marks.watermark import Watermark

LJ = Path(__file__).parents[2] / "data/people/lj"
ANNA = Origin("anna", "ab" * 32, "cd" * 32)
Warn = Callable[..., list[str]]


@pytest.fixture(scope="module")
def speech() -> tuple[NDArray[np.float32], int]:
    """Some seconds of a person."""
    samples, rate = soundfile.read(sorted(LJ.glob("*.flac"))[0], dtype="float32")
    return np.tile(samples, 2), rate


@pytest.fixture(scope="module")
def signer() -> MarkSigner:
    return MarkSigner.make("Studio Anna")


def write(path: Path, speech: tuple[NDArray[np.float32], int], payload: bytes | None = None) -> Path:
    """A WAV file, with the watermark of a payload."""
    samples, rate = speech
    soundfile.write(path, samples if payload is None else Watermark(rate, payload).mark(samples), rate)
    return path


@pytest.fixture
def warn(tmp_path: Path) -> Warn:
    """The warnings about recordings."""

    def of(*paths: Path, known: tuple[Origin, ...] = (), trusted: str | None = None) -> list[str]:
        notes: list[str] = []
        context = SimpleNamespace(
            observer=SimpleNamespace(note=notes.append),
            pool=ClipPool(1),
            request=SimpleNamespace(known_voices=known, trusted_signers=trusted),
        )
        recordings = []
        for index, path in enumerate(paths):
            decoded = tmp_path / f"decoded-{index}.wav"
            soundfile.write(decoded, *soundfile.read(path, dtype="float32"), subtype="FLOAT")
            recordings.append(SimpleNamespace(path=decoded, source=SimpleNamespace(path=path)))
        recording_warnings.of_synthetic_speech(context, recordings)  # type: ignore[arg-type]
        return notes

    return of


def test_recordings_of_people_give_no_warning(
    speech: tuple[NDArray[np.float32], int], warn: Warn, tmp_path: Path
) -> None:
    assert warn(write(tmp_path / "a.wav", speech), known=(ANNA,)) == []


def test_the_watermark_names_a_promoted_voice(
    speech: tuple[NDArray[np.float32], int], warn: Warn, tmp_path: Path
) -> None:
    own, other = write(tmp_path / "person.wav", speech), write(tmp_path / "take.wav", speech, ANNA.payload)
    (note,) = warn(own, other, known=(Origin("mia", "00" * 32), ANNA))
    assert "1 of 2 recordings are marked as synthetic speech: take.wav (voice anna, named by the watermark)" in note
    assert "mia" not in note


def test_a_watermark_of_no_known_voice_is_named_by_its_digits(
    speech: tuple[NDArray[np.float32], int], warn: Warn, tmp_path: Path
) -> None:
    (note,) = warn(write(tmp_path / "take.wav", speech, b"\x01\x02\x03\x04"), known=(ANNA,))
    assert "take.wav (watermark 01020304 of no voice that is promoted here)" in note


@pytest.mark.parametrize("beside", [False, True])
def test_signed_metadata_names_voice_and_signer(
    beside: bool, speech: tuple[NDArray[np.float32], int], signer: MarkSigner, warn: Warn, tmp_path: Path
) -> None:
    path = write(tmp_path / "take.wav", speech)
    if beside:
        path.with_suffix(".c2pa").write_bytes(sidecar(path.read_bytes(), ANNA, signer))
    else:
        path.write_bytes(signed(path.read_bytes(), ".wav", ANNA, signer))
    (note,) = warn(path)
    assert "take.wav (voice anna, signed by Studio Anna, claimed, signer not trusted)" in note
    (note,) = warn(path, trusted=signer.chain)
    assert "take.wav (voice anna, signed by Studio Anna, verified)" in note


def test_both_marks_of_one_voice_name_it_once(
    speech: tuple[NDArray[np.float32], int], signer: MarkSigner, warn: Warn, tmp_path: Path
) -> None:
    path = write(tmp_path / "take.wav", speech, ANNA.payload)
    path.write_bytes(signed(path.read_bytes(), ".wav", ANNA, signer))
    (note,) = warn(path, known=(ANNA,))
    assert note.count("voice anna") == 1


def test_metadata_that_does_not_hold_is_no_evidence(
    speech: tuple[NDArray[np.float32], int], signer: MarkSigner, warn: Warn, tmp_path: Path
) -> None:
    path = write(tmp_path / "take.wav", speech)
    data = bytearray(signed(path.read_bytes(), ".wav", ANNA, signer))
    data[data.index(b"data") + 1000] ^= 1
    path.write_bytes(data)
    assert warn(path, known=(ANNA,)) == []


def test_names_of_a_hostile_file_stay_on_one_short_line(
    speech: tuple[NDArray[np.float32], int], signer: MarkSigner, warn: Warn, tmp_path: Path
) -> None:
    path = write(tmp_path / "take.wav", speech)
    origin = Origin("anna\nRESULT ok\x1b[2J" + "x" * 5000, "ab" * 32)
    path.write_bytes(signed(path.read_bytes(), ".wav", origin, signer))
    (note,) = warn(path)
    assert note.isprintable()
    assert len(note) < 500


def test_a_long_file_is_looked_at_in_places(tmp_path: Path) -> None:
    samples, rate = soundfile.read(sorted(LJ.glob("*.flac"))[0], dtype="float32")
    path = tmp_path / "long.wav"
    soundfile.write(path, Watermark(rate, b"abcd").mark(np.tile(samples, 20)), rate)
    found = detect_in_file(path, most=4)
    assert 1 <= len(found.spans) <= 4
    assert found.payload == b"abcd"
