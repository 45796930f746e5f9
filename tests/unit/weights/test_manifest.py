from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.settings import REPOSITORY
from voicemill.weights.manifest import WeightsManifest, validate, validate_file

GOOD = {
    "model_id": "m",
    "source_url": "https://example.com/model",
    "code_license": "Apache-2.0",
    "weights_license": "CC-BY-4.0",
    "commercial_use_allowed": True,
    "attribution_required": True,
    "evidence_links": ["https://example.com/license"],
    "checksum": "sha256:" + "1" * 64,
    "created_at": "2026-02-24T00:00:00Z",
}


def test_example_and_good_manifest_pass():
    verdict = validate_file(REPOSITORY / "configs/voice/weights-manifest.example.json")
    assert (verdict.line, verdict.exit_code) == ("[weights-manifest] status=ok", 0)
    assert validate(GOOD).manifest == WeightsManifest(**GOOD)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_each_field_is_required(name):
    verdict = validate({key: value for key, value in GOOD.items() if key != name})
    assert (verdict.line, verdict.exit_code) == (f"[weights-manifest] error=missing_field field={name}", 4)


@pytest.mark.parametrize(
    ("changes", "line", "code"),
    [
        ({"commercial_use_allowed": "true"}, "error=invalid_type field=commercial_use_allowed expected=bool", 5),
        ({"commercial_use_allowed": 1}, "error=invalid_type field=commercial_use_allowed expected=bool", 5),
        ({"attribution_required": None}, "error=invalid_type field=attribution_required expected=bool", 6),
        ({"evidence_links": []}, "error=invalid_field field=evidence_links expected=non_empty_array", 7),
        ({"evidence_links": "x"}, "error=invalid_field field=evidence_links expected=non_empty_array", 7),
        ({"created_at": "2026-02-24"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": "yesterday"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": "2026-02-24 00:00:00Z"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": "2026-02-30T00:00:00Z"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": "2026-02-24T00:60:00Z"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": "2026-02-24T00:00:00+01:60"}, "error=invalid_field field=created_at expected=rfc3339", 8),
        ({"created_at": 5}, "error=invalid_field field=created_at expected=rfc3339", 8),
        (
            {"commercial_use_allowed": False},
            "error=commercial_use_required field=commercial_use_allowed expected=true",
            9,
        ),
        ({"model_id": ""}, "error=invalid_field field=model_id expected=non_empty_string", 10),
        ({"weights_license": " "}, "error=invalid_field field=weights_license expected=non_empty_string", 10),
        ({"source_url": "nowhere"}, "error=invalid_field field=source_url expected=http_url", 10),
        ({"checksum": "1" * 64}, "error=invalid_field field=checksum expected=sha256:<64_hex>", 10),
        ({"checksum": "sha256:" + "G" * 64}, "error=invalid_field field=checksum expected=sha256:<64_hex>", 10),
        ({"evidence_links": [1]}, "error=invalid_field field=evidence_links expected=array_of_non_empty_strings", 10),
        ({"surprise": 1}, "error=invalid_field field=surprise expected=no_such_property", 10),
        ({"weights_license": "CC-BY-NC-4.0"}, "error=license_not_commercial field=weights_license", 11),
        ({"weights_license": "unknown"}, "error=license_not_commercial field=weights_license", 11),
        ({"weights_license": "other"}, "error=license_not_commercial field=weights_license", 11),
        ({"weights_license": "CPML"}, "error=license_not_commercial field=weights_license", 11),
        ({"weights_license": "research-only"}, "error=license_not_commercial field=weights_license", 11),
        ({"code_license": "CC-BY-NC-4.0"}, "error=license_not_commercial field=code_license", 11),
    ],
)
def test_each_fault_has_its_line_and_code(changes, line, code):
    verdict = validate(GOOD | changes)
    assert (verdict.line, verdict.exit_code) == (f"[weights-manifest] {line}", code)
    assert verdict.manifest is None


@pytest.mark.parametrize(
    "moment", ["2026-02-24T00:00:00+01:00", "2026-02-24t00:00:00.123456789z", "2016-12-31T23:59:60Z"]
)
def test_times_of_rfc3339(moment):
    assert validate(GOOD | {"created_at": moment}).ok


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "NaN", '{"a": 1, "a": 2}', '{"a": NaN}', "[" * 200_000, "9" * 5000, "\x00", "\ufeff"],
)
def test_files_that_are_not_the_json_we_accept(tmp_path, text):
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    verdict = validate_file(path)
    assert verdict.exit_code == 3
    assert verdict.line.startswith("[weights-manifest] error=invalid_json detail=")
    assert "\n" not in verdict.line


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        verdict = validate_file(path)
        assert (verdict.line, verdict.exit_code) == (
            f"[weights-manifest] error=manifest_not_found path={path.as_posix()}",
            2,
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "other"]), json_values))
def test_any_object_ends_in_one_line(changes):
    verdict = validate(GOOD | changes)
    assert verdict.line.startswith("[weights-manifest] ")
    assert verdict.line.isprintable()
    assert verdict.ok == (verdict.exit_code == 0)


SHIPPED_SCHEMA = REPOSITORY / "configs/voice/weights-manifest.schema.json"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"commercial_use_allowed": False},
        {"commercial_use_allowed": "x"},
        {"evidence_links": []},
        {"evidence_links": [1]},
        {"checksum": "x"},
        {"model_id": ""},
        {"model_id": " "},
        {"extra": 1},
        {"created_at": "x"},
        {"source_url": "x"},
    ],
)
def test_schema_and_validator_agree(changes):
    import jsonschema

    schema = json.loads(SHIPPED_SCHEMA.read_text(encoding="utf-8"))
    valid = jsonschema.Draft202012Validator(schema).is_valid(GOOD | changes)
    assert valid == validate(GOOD | changes).ok


def test_texts_and_files_have_a_bound(tmp_path):
    """The bounds are 4096 characters for a text, 1 MiB for a file and 300 characters for what is shown of it."""
    assert validate(GOOD | {"model_id": "m" * 4096}).ok
    assert validate(GOOD | {"model_id": "m" * 4097}).exit_code == 10
    address = "https://example.com/"
    assert validate(GOOD | {"source_url": address + "a" * (4096 - len(address))}).ok
    assert validate(GOOD | {"source_url": address + "a" * (4097 - len(address))}).exit_code == 10
    path = tmp_path / "m.json"
    text = json.dumps(GOOD)
    path.write_text(text + " " * ((1 << 20) - len(text)))
    assert validate_file(path).ok
    path.write_text(text + " " * ((1 << 20) + 1 - len(text)))
    assert validate_file(path).exit_code == 3
    verdict = validate(GOOD | {"x" * 1000: 1})
    assert verdict.line == f"[weights-manifest] error=invalid_field field={'x' * 300} expected=no_such_property"


def test_a_source_needs_a_host():
    for address in ("ftp://example.com/a", "https:///a", "https://[::1", "example.com", "http:// a"):
        assert validate(GOOD | {"source_url": address}).exit_code == 10
    assert validate(GOOD | {"source_url": "http://example.com"}).ok
