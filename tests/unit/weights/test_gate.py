from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from voicemill.errors import GateError
from voicemill.settings import REPOSITORY
from voicemill.weights import gate
from voicemill.weights.allowlist import SHIPPED, load_allowlist, pin

ENTRY = {
    "id": "a/b",
    "provider": "A",
    "source": "https://a.example",
    "weights_license": "CC-BY-4.0",
    "code_license": "Apache-2.0",
    "commercial_use_allowed": True,
    "redistribution_allowed": True,
    "attribution_required": True,
    "license_url": "https://a.example/license",
}


def write(tmp_path: Path, *entries: object, **top: object) -> Path:
    path = tmp_path / "list.json"
    path.write_text(
        json.dumps(
            {"version": "prod_tts_allowlist/1", "updated_at": "2026-02-24T00:00:00Z", "weights": list(entries)} | top
        )
    )
    return path


def reason(path: Path, weights_id: str = "a/b") -> str:
    with pytest.raises(GateError) as caught:
        gate.select(weights_id, path)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.reason


def test_an_allowed_entry_passes_with_the_digest_of_its_list(tmp_path):
    import hashlib

    path = write(tmp_path, ENTRY)
    selection = gate.select("a/b", path)
    assert selection.entry.id == "a/b"
    assert selection.allowlist_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_refusals_in_order(tmp_path):
    assert reason(tmp_path / "none.json") == f"allowlist_missing:{(tmp_path / 'none.json').as_posix()}"
    path = tmp_path / "list.json"
    for text in ("", "{", "[]", '{"weights": {}}', '{"weights": [], "weights": []}', '{"weights": [NaN]}'):
        path.write_text(text)
        assert reason(path).startswith("allowlist_invalid:")
    path.write_text('{"version": "prod_tts_allowlist/1"}')
    assert reason(path) == "allowlist_invalid:weights_not_array"
    assert reason(write(tmp_path, ENTRY), "other") == "allowlist_rejected:selected_weights_not_listed"
    assert reason(
        write(tmp_path, ENTRY | {"weights_license": "", "license_url": None, "commercial_use_allowed": False})
    ) == ("allowlist_missing_license_metadata:weights_license,license_url")
    bare = {"id": "a/b"}
    assert reason(write(tmp_path, bare)) == (
        "allowlist_missing_license_metadata:weights_license,code_license,commercial_use_allowed,license_url"
    )
    assert reason(write(tmp_path, ENTRY | {"commercial_use_allowed": False})) == "allowlist_commercial_rejected"


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_license": "CC-BY-NC-4.0"},
        {"weights_license": "unknown"},
        {"weights_license": "other"},
        {"code_license": "CC-BY-NC-4.0"},
        {"code_license": "unknown"},
        {"weights_license": "CPML"},
    ],
)
def test_licences_are_judged_apart_whatever_the_flag_says(tmp_path, changes):
    assert reason(write(tmp_path, ENTRY | changes)) == "allowlist_commercial_rejected"


@pytest.mark.parametrize(
    "changes",
    [
        {"commercial_use_allowed": "yes"},
        {"commercial_use_allowed": 1},
        {"id": "../x"},
        {"id": ""},
        {"kind": "toaster"},
        {"typo": 1},
        {"files": [{"path": "../x"}]},
        {"files": [{"path": "x", "sha256": "00"}]},
        {"files": [{"path": "x", "url": "http://x"}]},
        {"files": [{"path": "x", "location": "package"}]},
    ],
)
def test_invalid_entries(tmp_path, changes):
    assert reason(write(tmp_path, ENTRY | changes)).startswith("allowlist_invalid:")


def test_invalid_lists(tmp_path):
    assert reason(write(tmp_path, ENTRY, ENTRY)).startswith("allowlist_invalid:")
    assert reason(write(tmp_path, ENTRY, version="2")).startswith("allowlist_invalid:")


def test_an_entry_that_nobody_selected_may_lack_licences(tmp_path):
    assert gate.select("a/b", write(tmp_path, {"id": "c"}, ENTRY)).entry.id == "a/b"


REFUSED = {"adefossez/htdemucs", "facebook/musicgen-small"}
"""On a list of their own, so that the evidence is on record and a user learns why: they are for research only."""


def test_the_shipped_list_names_what_the_toolbox_loads_and_every_entry_passes():
    listed = load_allowlist(REPOSITORY / SHIPPED)
    ids = [entry.id for entry in listed.allowlist.weights]
    for needed in (
        "nvidia/nemo-tts-fastpitch-en",
        "nvidia/nemo-tts-hifigan-en",
        "voicemill/from-scratch",
        "voicemill/base-en-small-hifigan",
        *gate.TOOL_WEIGHTS,
    ):
        assert needed in ids
    assert all(entry.commercial_use_allowed is True for entry in listed.allowlist.weights)
    assert {entry.id for entry in listed.refused.weights} == REFUSED
    for refused in REFUSED:
        assert reason(REPOSITORY / SHIPPED, refused) == "allowlist_commercial_rejected"
        assert listed.find(refused).evidence
    assert [entry.id for entry in listed.of_kind("separation")] == ["rikorose/deepfilternet3", "adefossez/htdemucs"]
    for selection in gate.select_all(ids, listed):
        assert selection.entry.evidence
        assert selection.entry.attribution
        assert bool(selection.entry.files) == (selection.entry.kind != "none")
    scratch = listed.allowlist.find("voicemill/from-scratch")
    assert (scratch.kind, scratch.weights_license) == ("none", "LicenseRef-own-data")


def test_the_experimental_weights_are_refused_for_their_licence():
    listed = load_allowlist(REPOSITORY / SHIPPED)
    assert reason(REPOSITORY / SHIPPED, "facebook/musicgen-small") == "allowlist_commercial_rejected"
    entry = listed.find("facebook/musicgen-small")
    flattered = dataclasses.replace(entry, commercial_use_allowed=True)
    with pytest.raises(GateError) as caught:
        gate.check_entry(flattered)
    assert caught.value.reason == "allowlist_commercial_rejected", "the licence itself says no, whatever the flag says"


def test_pin_records_digest_and_size(tmp_path):
    path = write(tmp_path, ENTRY | {"files": [{"path": "model.nemo"}]})
    (tmp_path / "m").write_bytes(b"abc")
    digest = pin(path, "a/b", "model.nemo", tmp_path / "m")
    item = load_allowlist(path).allowlist.find("a/b").files[0]
    assert (item.sha256, item.bytes) == (digest, 3)
    with pytest.raises(GateError):
        pin(path, "a/b", "other.nemo", tmp_path / "m")
