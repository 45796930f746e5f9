from __future__ import annotations

import json
import typing

import jsonschema
import pytest
from pydantic import BaseModel, Field

from voicemill.settings import REPOSITORY
from voicemill.verify import schemas
from voicemill.weights.allowlist import SHIPPED


def test_the_committed_schemas_are_those_of_the_models():
    assert schemas.problems(REPOSITORY) == []


@pytest.mark.parametrize("path", [each.path for each in schemas.FORMATS], ids=str)
def test_each_is_a_schema(path):
    document = json.loads((REPOSITORY / path).read_text(encoding="utf-8"))
    assert document["$schema"] == schemas.DIALECT
    jsonschema.Draft202012Validator.check_schema(document)


def validator(name: str) -> jsonschema.Draft202012Validator:
    path = next(each.path for each in schemas.FORMATS if each.name == name)
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


class Part(BaseModel):
    """A part."""

    size: int


class Record(BaseModel):
    """A record."""

    part: Part
    title: str


class Element(BaseModel):
    """The same part under another name."""

    size: int


class Renamed(BaseModel):
    """The same fields, other words."""

    part: Element
    title: str = Field(description="The name on the label.")


class Changed(BaseModel):
    """A record with one more field."""

    part: Part
    title: str
    colour: str = "red"


def test_write_brings_missing_schemas_back(tmp_path):
    assert schemas.write(tmp_path) == [place for each in schemas.FORMATS for place in each.places]
    assert schemas.write(tmp_path) == []
    older = [each.path_of(version) for each in schemas.FORMATS for version in range(1, each.version)]
    assert schemas.problems(tmp_path) == [f"{path} is missing: restore it." for path in older]


def test_wording_may_change_within_a_version(tmp_path):
    schemas.write(tmp_path, [schemas.Format("record", 1, Record)])
    renamed = [schemas.Format("record", 1, Renamed)]
    (sentence,) = schemas.problems(tmp_path, renamed)
    assert "make schemas" in sentence
    assert schemas.write(tmp_path, renamed) == [renamed[0].path]
    assert schemas.problems(tmp_path, renamed) == []


def test_a_change_of_a_model_needs_a_version_and_a_reader_for_the_one_before(tmp_path):
    schemas.write(tmp_path, [schemas.Format("record", 1, Record)])
    first = (tmp_path / schemas.FOLDER / "record-1.schema.json").read_bytes()

    silent = [schemas.Format("record", 1, Changed)]
    assert schemas.write(tmp_path, silent) == []
    assert "raise the version" in schemas.problems(tmp_path, silent)[0]

    for older in ({}, {1: Changed}):
        forgetful = [schemas.Format("record", 2, Changed, older)]
        schemas.write(tmp_path, forgetful)
        assert "has no reader" in schemas.problems(tmp_path, forgetful)[0]

    honest = [schemas.Format("record", 2, Changed, {1: Record})]
    assert schemas.problems(tmp_path, honest) == []
    assert (tmp_path / schemas.FOLDER / "record-1.schema.json").read_bytes() == first
    (tmp_path / schemas.FOLDER / "record-1.schema.json").unlink()
    assert "restore" in schemas.problems(tmp_path, honest)[0]


def test_a_property_called_title_is_no_wording():
    class Untitled(BaseModel):
        part: Part

    assert schemas.structure(schemas.schema(Untitled)) != schemas.structure(schemas.schema(Record))


def test_the_version_in_a_file_is_the_version_of_its_schema():
    for each in schemas.FORMATS:
        fields = getattr(each.model, "model_fields", {})
        for name in ("version", "bundle_version", "eval_version", "certificate_version"):
            if name in fields:
                (constant,) = typing.get_args(fields[name].annotation)
                assert constant.rpartition("/")[2] == str(each.version), each.name
