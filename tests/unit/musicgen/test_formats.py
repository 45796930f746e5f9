from __future__ import annotations

import json

import jsonschema

from voicemill import files
from voicemill.settings import REPOSITORY
from voicemill.verify import schemas
from voicemill_musicgen.dataset import SCHEMA_MODELS
from voicemill_musicgen.status import VoiceTrainStatusFile


def validator(name, version=1):
    path = REPOSITORY / schemas.FOLDER / f"{name}-{version}.schema.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def test_the_committed_schemas_are_those_of_the_models():
    assert schemas.problems(REPOSITORY, [schemas.Format.of(*each) for each in SCHEMA_MODELS.items()]) == []


def test_a_real_status_is_valid_and_never_promotable(tmp_path):
    VoiceTrainStatusFile(tmp_path / "s.json", "tts_voice_train").complete(
        loss=1.5, checkpoint="a.pt", checkpoint_sha256="0" * 64
    )
    status = files.read_json(tmp_path / "s.json")
    validator("tts-voice-train-status", 2).validate(status)
    for change in ({"promotable": True}, {"loss": "nan"}, {"state": "fine"}, {"typo": 1}):
        assert not validator("tts-voice-train-status", 2).is_valid(status | change)
