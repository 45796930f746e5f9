from __future__ import annotations

import json

import jsonschema
import pytest

from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus
from voicemill.verify import schemas
from voicemill.weights.allowlist import SHIPPED


def test_the_committed_schemas_are_those_of_the_models():
    assert schemas.outdated(REPOSITORY) == [], "run: python scripts/voice/generate_schemas.py"


@pytest.mark.parametrize("path", sorted(schemas.MODELS), ids=str)
def test_each_is_a_schema(path):
    document = json.loads((REPOSITORY / path).read_text(encoding="utf-8"))
    assert document["$schema"] == schemas.DIALECT
    jsonschema.Draft202012Validator.check_schema(document)


def validator(name: str) -> jsonschema.Draft202012Validator:
    path = next(path for path in schemas.MODELS if path.name == f"{name}.schema.json")
    return jsonschema.Draft202012Validator(json.loads((REPOSITORY / path).read_text(encoding="utf-8")))


def test_real_files_are_valid(voice):
    root = voice.publish()
    validator("voice-bundle").validate(json.loads((root / "manifest.json").read_text()))
    validator("prod-tts-voice-bundle").validate(json.loads((voice.root / "built/manifest.json").read_text()))
    validator("prod-tts-train-status").validate(json.loads((voice.root / "status.json").read_text()))
    validator("weights-allowlist").validate(json.loads((REPOSITORY / SHIPPED).read_text(encoding="utf-8")))


def test_broken_files_are_not(voice):
    manifest = json.loads((voice.publish() / "manifest.json").read_text())
    for change in (
        {"files": []},
        {"bundle_version": "x"},
        {"created_at": 5},
        {"files": [{"path": "a", "bytes": -1, "sha256": "x"}]},
    ):
        assert not validator("voice-bundle").is_valid(manifest | change)


def test_write_brings_missing_schemas_back(tmp_path):
    assert schemas.write(tmp_path) == list(schemas.MODELS)
    assert schemas.write(tmp_path) == []
    assert TrainingStatus.model_json_schema()
