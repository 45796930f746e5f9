"""Recorded consent: words and voice of recordings of people, and what bundles and lanes do with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.unit.conftest import Voice

from voicemill import files
from voicemill.bundle.origins import manifest_origin
from voicemill.dataset import recorded_consent
from voicemill.dataset.recorded_consent import RecordedConsent
from voicemill.errors import (
    AudioError,
    BundleError,
    DatasetError,
    DependencyError,
    NotAcceptableError,
    UsageError,
)
from voicemill.lane import first_checks
from voicemill.lane.consent import record_consent
from voicemill.metrics.judges import Judges
from voicemill.settings import REPOSITORY, Settings
from voicemill.variables import RequiredConsent
from voicemill.verify.certificate import bundle_metrics
from voicemill.verify.checklist import verify_bundle
from voicemill.weights.allowlist import SHIPPED

PEOPLE = REPOSITORY / "tests/data/people"
STATEMENT = next(
    line.split("|")[1] for line in (PEOPLE / "lj/metadata.csv").read_text("utf-8").splitlines() if "0013" in line
)
"""What LJ001-0013 says; it stands for a statement of consent."""
ACCEPTED = RecordedConsent(
    dataset_sha256="ab" * 32,
    statement="I, Ann Lee, agree that my voice is made into a synthetic voice.",
    statement_sha256="cd" * 32,
    recording_sha256="ef" * 32,
    seconds=5.0,
    recognised="i ann lee agree",
    recogniser="openai/whisper-tiny.en",
    word_errors=0.1,
    speaker_model="resemble-ai/voice-encoder",
    speaker_similarity=0.91,
    recorded_at="2026-11-30T10:00:00Z",
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A prepared voice, ann, whose clips are recordings of LJ; the models are those of the environment."""
    root = tmp_path / "work/datasets/ann"
    root.mkdir(parents=True)
    clips = sorted((PEOPLE / "lj").glob("*.flac"))[:-1]
    for clip in clips:
        shutil.copyfile(clip, root / clip.name)

    @dataclass(frozen=True)
    class Entry:
        audio_filepath: str

    @dataclass(frozen=True)
    class Description:
        dataset_sha256: str = "ab" * 32

    monkeypatch.setattr("voicemill.lane.consent.read_entries", lambda path: [Entry(clip.name) for clip in clips])
    monkeypatch.setattr("voicemill.dataset.description.read", lambda root: Description() if root.is_dir() else None)
    return Settings.from_environment({**os.environ, "WORK_DIR": str(tmp_path / "work")})


def test_the_speaker_reads_the_statement(settings: Settings) -> None:
    recording = PEOPLE / "lj/LJ001-0013.flac"
    target, found = record_consent(settings, "ann", recording, STATEMENT)
    assert found.word_errors <= 0.2
    assert found.speaker_similarity > recorded_consent.LEAST_SIMILARITY
    assert found.recording_sha256 == files.sha256_file(recording)
    manifest = target.parent / "manifest.jsonl"
    assert recorded_consent.of_manifest(manifest, "ab" * 32) == found
    assert recorded_consent.of_manifest(manifest, "00" * 32) is None


@pytest.mark.parametrize(
    ("recording", "text", "reason"),
    [
        ("lj/LJ001-0011.flac", STATEMENT, "consent_words_differ"),
        ("austen/austen-0870.flac", "austen/austen-0870.txt", "consent_other_speaker"),
    ],
)
def test_other_words_and_other_people_are_refused(recording: str, text: str, reason: str, settings: Settings) -> None:
    statement = (PEOPLE / text).read_text("utf-8") if text.endswith(".txt") else text
    with pytest.raises(NotAcceptableError) as caught:
        record_consent(settings, "ann", PEOPLE / recording, statement)
    assert caught.value.code == reason
    assert not (settings.workspace.dataset("ann") / recorded_consent.NAME).exists()


def test_a_short_statement_and_an_unknown_voice_are_refused(settings: Settings) -> None:
    with pytest.raises(UsageError) as caught:
        record_consent(settings, "ann", PEOPLE / "lj/LJ001-0013.flac", "I agree.")
    assert caught.value.code == "consent_statement_short"
    with pytest.raises(DatasetError) as missing:
        record_consent(settings, "bob", PEOPLE / "lj/LJ001-0013.flac", STATEMENT)
    assert missing.value.code == "dataset_not_found"


def test_a_long_recording_is_refused(settings: Settings, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000 * 62).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", noise, 8_000)
    with pytest.raises(AudioError) as caught:
        record_consent(settings, "ann", tmp_path / "long.wav", STATEMENT)
    assert caught.value.code == "consent_recording_long"


def test_without_the_models_nothing_is_accepted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicemill.lane.consent.shipped_judges", lambda settings: Judges())
    with pytest.raises(DependencyError) as caught:
        record_consent(settings, "ann", PEOPLE / "lj/LJ001-0013.flac", STATEMENT)
    assert caught.value.code == "consent_judges_missing"


WRITTEN: dict[str, object] = {"statement_sha256": "cd" * 32}


@pytest.mark.parametrize(
    ("stated", "required", "accepted", "shown"),
    [
        (None, None, True, "none is stated"),
        (None, "any", False, "none is stated"),
        (WRITTEN, "any", True, "written, sha256 cdcdcd"),
        (WRITTEN, "recorded", False, "written, sha256 cdcdcd"),
        (ACCEPTED.entry(), "recorded", True, "recorded, sha256 efefef"),
        ({"statement_sha256": "x"}, "any", False, "none is stated"),
    ],
)
def test_a_bundle_states_its_consent(
    stated: dict[str, object] | None, required: RequiredConsent | None, accepted: bool, shown: str, voice: Voice
) -> None:
    root = voice.publish(consent=stated)
    verification = verify_bundle(root, REPOSITORY / SHIPPED, require_consent=required)
    row = next(row for row in verification.rows if row.key == "consent")
    assert shown in row.detail
    assert row.go is accepted
    assert ("bundle_without_consent" in row.detail) is not accepted
    assert next(row for row in verification.rows if row.key == "files").go
    if not accepted:
        with pytest.raises(BundleError) as caught:
            voice.publish(consent=stated, require_consent=required)
        assert caught.value.code == "bundle_without_consent"


def test_certificate_and_signed_metadata_name_the_recording(voice: Voice) -> None:
    root = voice.publish(consent=ACCEPTED.entry())
    verification = verify_bundle(root, REPOSITORY / SHIPPED)
    metrics = bundle_metrics(verification.check, verification.rows)
    assert metrics["consent.recording_sha256"] == "ef" * 32
    assert metrics["consent.speaker_similarity"] == 0.91
    manifest = json.loads((root / "manifest.json").read_text())
    origin = manifest_origin(manifest, "00" * 32, root)
    assert origin is not None
    assert origin.claims()["consent_sha256"] == "ef" * 32


def test_a_bundle_without_consent_has_no_metric_of_it(voice: Voice) -> None:
    verification = verify_bundle(voice.publish(), REPOSITORY / SHIPPED)
    assert not [name for name in bundle_metrics(verification.check, verification.rows) if name.startswith("consent")]


def test_a_training_is_refused_in_its_first_second(tmp_path: Path) -> None:
    argv = [sys.executable, "apps/voice-train-prod/voice-train-prod.py", "--require-consent", "recorded"]
    environ = {**os.environ, "WORK_DIR": str(tmp_path / "work")}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environ, check=False)
    assert done.returncode == 2
    assert "voice_without_consent:dottie_default" in done.stderr
    assert not (tmp_path / "work/datasets").exists()


def test_the_check_is_one_of_the_first() -> None:
    assert first_checks.check_consent in first_checks.CHECKS
