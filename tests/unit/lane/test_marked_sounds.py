"""Sounds of the lane's pages and the sample of a promoted bundle carry the marks of the voice."""

from __future__ import annotations

import base64
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import c2pa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tests.unit.conftest import Voice

from voicemill.evaluation.report_sentences import ReportSounds, sentences_within_budget
from voicemill.lane import bundling
from voicemill.lane.marked_sounds import MarkedPlayer
from voicemill.settings import Settings
from voicemill.verify.audio_marks import inspect_audio
from voicemill_marks.detector import detect
from voicemill_marks.origin import Origin
from voicemill_runtime.sound_files import sound_bytes

RATE = 22_050
ORIGIN = Origin("anna", "ab" * 32, "cd" * 32)


@dataclass(frozen=True)
class Clip:
    id: str
    text: str
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    chosen_vocoder: str = "istft"
    sentences: tuple[object, ...] = ()


def file_of(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def test_a_player_carries_watermark_comments_and_signed_metadata(
    talk: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    player = pickle.loads(pickle.dumps(MarkedPlayer(ORIGIN, tmp_path / "marks")))  # noqa: S301 - our own bytes
    data = file_of(player(talk(seconds=6.0), RATE))
    with c2pa.Reader("audio/flac", io.BytesIO(data)) as reader:
        assert reader.get_validation_state() == "Valid"
        assert "cd" * 32 in reader.json()
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.artist == "anna"
        assert detect(file.read(dtype="float32"), RATE).payload == ORIGIN.payload


def test_a_report_marks_the_voice_and_not_the_recording(
    talk: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    sounds = ReportSounds(
        sample_rate=RATE,
        references=[Clip("a", "Hello.", talk(seconds=6.0, seed=1))],
        spoken={name: {"a": talk(seconds=6.0, seed=2)} for name in ("istft", "hifigan")},
        synthetic_uri=MarkedPlayer(ORIGIN, tmp_path / "marks"),
    )
    (sentence,) = sentences_within_budget(sounds, Measured())
    found = {}
    for take in sentence.takes:
        samples, rate = soundfile.read(io.BytesIO(file_of(take.audio)), dtype="float32")
        found[take.label] = detect(samples, rate, speeds=False).marked
    assert found == {"Recording": False, "istft": True, "hifigan": True}


def test_a_voice_that_is_unmarked_by_decision_has_unmarked_players(
    talk: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    settings = Settings.from_environment({"VOICEMILL_UNMARKED": "a test", "CACHE_DIR": str(tmp_path)})
    player = MarkedPlayer.of_training(settings, "anna")
    data = file_of(player(talk(seconds=6.0), RATE))
    assert b"c2pa" not in data
    assert not detect(soundfile.read(io.BytesIO(data), dtype="float32")[0], RATE, speeds=False).marked


@pytest.mark.parametrize("changed", [False, True])
def test_the_sample_of_a_promoted_bundle_has_its_metadata_beside_the_bundle(
    changed: bool, promoted_sample: Path
) -> None:
    if changed:
        data = bytearray(promoted_sample.read_bytes())
        data[-1000] ^= 1
        promoted_sample.write_bytes(data)
    root = promoted_sample.parent
    report = inspect_audio(promoted_sample, [root])
    assert report.credentials is not None
    assert report.credentials.valid is not changed
    if not changed:
        manifest = json.loads((root / "manifest.json").read_text())
        assert report.credentials.claims["voice"] == manifest["voice_profile_id"]
        assert [each.evidence for each in report.voices] == ["claimed"]


@pytest.fixture
def promoted_sample(voice: Voice, tmp_path: Path, talk: Callable[..., NDArray[np.float32]]) -> Path:
    (tmp_path / "sample.wav").write_bytes(sound_bytes(talk(seconds=2.0), RATE, ".wav"))
    settings = Settings.from_environment({"WORK_DIR": str(tmp_path), "CACHE_DIR": str(tmp_path / "cache")})
    voice.publish()
    root = bundling.promote(settings, "anna", "Anna", manifest=tmp_path / "built/manifest.json")
    bundling.sign_sample(settings, root)
    return root.root / "sample.wav"


def test_the_metadata_of_the_bundle_before_is_removed(voice: Voice, tmp_path: Path) -> None:
    settings = Settings.from_environment({"WORK_DIR": str(tmp_path), "CACHE_DIR": str(tmp_path / "cache")})
    voice.publish()
    beside = tmp_path / "bundles/anna/sample.c2pa"
    beside.write_bytes(b"of another bundle")
    bundling.promote(settings, "anna", "Anna", manifest=tmp_path / "built/manifest.json")
    assert not beside.exists()
