from __future__ import annotations

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicemill.bundle.contents import check_paths
from voicemill.bundle.manifest import consent, load_manifest, meets, parse_manifest, synthetic_recordings, unmarked
from voicemill.bundle.promote import check_consent, source_date
from voicemill.errors import BundleError, BundleFileError, UsageError, VoicemillError


def edit(training, change, *, rehash: bool = True) -> None:
    """Change the production manifest; its artifact_sha256 follows unless told otherwise."""
    from voicemill.bundle.manifest import artifact_sha256

    path = training.out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    if rehash:
        manifest["artifact_sha256"] = artifact_sha256(manifest)
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True))


def reason(training, **options) -> str:
    with pytest.raises(VoicemillError) as caught:
        training.promote(**options)
    assert caught.value.hint
    assert not (training.root / "bundles/anna/voice_bundle").exists()
    return caught.value.reason


def test_promotion_copies_everything_and_says_where_it_came_from(training):
    built = training.build()
    promoted = training.promote()
    assert promoted.root == training.root / "bundles/anna/voice_bundle"
    manifest = json.loads(promoted.manifest_path.read_text(encoding="utf-8"))
    source = json.loads(built.manifest_path.read_text(encoding="utf-8"))
    assert manifest["files"] == source["files"]
    for entry in manifest["files"]:
        assert hashlib.sha256((promoted.root / entry["path"]).read_bytes()).hexdigest() == entry["sha256"]
    provenance = manifest["provenance"]
    assert manifest["bundle_version"] == "voice_bundle/1"
    assert (manifest["voice_profile_id"], manifest["display_name"]) == ("anna", "Anna")
    assert manifest["created_at"] == "2026-02-24T00:00:00Z"
    assert provenance["source_manifest_path"] == "checkpoints/prod_tts_voice_bundle/manifest.json"
    assert provenance["source_manifest_sha256"] == built.manifest_sha256
    for name in (
        "bundle_version",
        "commit",
        "config_sha256",
        "dataset_sha256",
        "weights_refs",
        "artifact_sha256",
        "files",
    ):
        assert provenance[f"source_{name}"] == source[name]
    assert load_manifest(promoted.root).artifact_sha256_ok


def test_same_inputs_same_bytes_and_time_only_when_not_given(training):
    training.build()
    first = training.promote().manifest_path.read_bytes()
    assert training.promote().manifest_path.read_bytes() == first
    assert training.promote(created_at=None).manifest.created_at.endswith("Z")


def test_the_old_bundle_is_replaced_whole(training):
    training.build()
    target = training.promote().root
    (target / "left_over.txt").write_text("x")
    training.change(vocoder="griffin-lim", artifacts=training.status.artifacts[::2])
    training.build()
    training.promote()
    assert not (target / "left_over.txt").exists()
    assert not (target / "hifigan.nemo").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../b",
        "a\\b",
        "C:x",
        "",
        ".",
        "./fastpitch.nemo",
        "a//b",
        "manifest.json",
        "MANIFEST.JSON",
        "a\u0301.nemo",
        "x\x00y",
        "x\ny",
        "FASTPITCH.NEMO",
        "fastpitch.nemo/x",
        "sample.wav:x",
        "NUL",
        "a.",
        "a ",
        "a\u202egpj.exe",
    ],
)
def test_unsafe_paths(training, path):
    training.build()
    edit(training, lambda manifest: manifest["files"].append(manifest["files"][0] | {"path": path}))
    assert reason(training, strict=False).startswith(("unsafe_path", "manifest_invalid"))


@pytest.mark.parametrize("strict", [True, False])
def test_wrong_files(training, strict):
    training.build()
    (training.out / "sample.wav").write_bytes(b"RIFF,,,,WAVE")
    assert reason(training, strict=strict) == "checksum_mismatch:sample.wav"
    (training.out / "sample.wav").write_bytes(b"RIFF")
    assert reason(training, strict=strict) == "bytes_mismatch:sample.wav"
    (training.out / "sample.wav").unlink()
    assert reason(training, strict=strict) == "required_file_missing:sample.wav"
    shutil.copy(training.root / "checkpoints/prod_tts/sample.wav", training.root / "elsewhere.wav")
    (training.out / "sample.wav").symlink_to(training.root / "elsewhere.wav")
    assert reason(training, strict=strict) == "not_a_regular_file:sample.wav"
    (training.out / "sample.wav").unlink()
    os.mkfifo(training.out / "sample.wav")
    assert reason(training, strict=strict) == "not_a_regular_file:sample.wav"


def test_a_link_to_a_folder_on_the_way_is_refused(training):
    training.build()
    (training.root / "outside").mkdir()
    (training.root / "outside/x.txt").write_bytes(b"x")
    (training.out / "inner").symlink_to(training.root / "outside")
    edit(
        training,
        lambda m: m["files"].append({"path": "inner/x.txt", "bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}),
    )
    assert reason(training, strict=False) == "not_a_regular_file:inner/x.txt"


def test_a_refusal_leaves_the_promoted_bundle_untouched(training):
    training.build()
    target = training.promote().root
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    (training.out / "sample.wav").write_bytes(b"other")
    with pytest.raises(BundleFileError):
        training.promote()
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before
    assert [path.name for path in target.parent.iterdir()] == ["voice_bundle"]


@pytest.mark.parametrize("version", ["prod_tts_voice_bundle/2", "voice_bundle/1", None, 1, [], {}])
def test_unknown_versions(training, version):
    training.build()
    edit(training, lambda manifest: manifest.update(bundle_version=version))
    assert reason(training, strict=False).startswith("manifest_invalid")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": [], "files": []}', '{"a": NaN}', "[" * 200_000, '{"a": ' + "9" * 5000 + "}"]
)
def test_manifests_that_are_no_json(training, text):
    training.build()
    (training.out / "manifest.json").write_text(text)
    assert reason(training).startswith("manifest_invalid")


@pytest.mark.parametrize(
    "change",
    [
        {"bytes": -1},
        {"bytes": 1.5},
        {"bytes": "3"},
        {"bytes": True},
        {"sha256": "x"},
        {"bytes": 2**60},
        {"sha256": None},
        {"path": None},
    ],
)
def test_senseless_entries(training, change):
    training.build()
    edit(training, lambda manifest: manifest["files"][0].update(change))
    assert reason(training, strict=False).startswith("manifest_invalid")


def test_a_missing_manifest(training):
    assert reason(training).startswith("manifest_missing")
    training.build()
    (training.out / "manifest.json").unlink()
    assert reason(training).startswith("manifest_missing")


def test_strict_promotion_refuses_what_the_entry_point_only_records(training):
    training.build()
    edit(training, lambda manifest: manifest.update(commit="forged"), rehash=False)
    assert reason(training) == "artifact_sha256_mismatch"
    assert training.promote(strict=False).manifest.provenance.source_commit == "forged"
    shutil.rmtree(training.root / "bundles")
    edit(training, lambda manifest: manifest["weights_refs"].pop("license_url"))
    assert reason(training) == "weights_refs_incomplete"
    assert training.promote(strict=False).root.is_dir()
    shutil.rmtree(training.root / "bundles")
    edit(
        training,
        lambda manifest: manifest.update(
            weights_refs={
                "id": "x",
                "weights_license": "MIT",
                "code_license": "MIT",
                "license_url": "https://x.example",
            }
        ),
    )
    assert reason(training) == "allowlist_rejected:selected_weights_not_listed"
    training.build()
    (training.out / "notes.txt").write_text("x")
    assert reason(training) == "unlisted_file:notes.txt"
    assert not (training.promote(strict=False).root / "notes.txt").exists()


def test_a_manifest_of_an_older_producer(training):
    """Without artifact_sha256, dry_run and licences, written without a trailing newline."""
    training.build()

    def strip(manifest):
        for name in ("artifact_sha256", "dry_run", "objective_status", "vocoder"):
            del manifest[name]
        manifest["weights_refs"] = {"id": None, "weights_license": None, "code_license": None, "license_url": None}

    edit(training, strip, rehash=False)
    provenance = json.loads(training.promote(strict=False).manifest_path.read_text())["provenance"]
    assert provenance["source_artifact_sha256"] is None
    assert provenance["source_weights_refs"] == {
        "id": None,
        "weights_license": None,
        "code_license": None,
        "license_url": None,
    }
    assert not load_manifest(training.root / "bundles/anna/voice_bundle").artifact_sha256_ok


@pytest.mark.parametrize("profile", ["../x", "a/b", "a\\b", "..", "", ".hidden", "x" * 65, "a..b", "a b"])
def test_profile_ids(training, profile):
    training.build()
    assert reason(training, profile=profile) == "invalid_voice_profile_id"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_display_names(training, name):
    training.build()
    assert reason(training, display_name=name) == "invalid_display_name"


def test_a_dry_run_never_replaces_a_real_bundle(training):
    training.build()
    training.promote()
    training.change(dry_run=True)
    training.build()
    with pytest.raises(VoicemillError) as caught:
        training.promote()
    assert (caught.value.reason, caught.value.exit_code) == ("dry_run_would_replace_real:anna", 2)
    assert training.promote(profile="trial").manifest.dry_run
    assert training.promote(profile="trial").manifest.dry_run
    training.change(dry_run=False)
    training.build()
    assert not training.promote(profile="trial").manifest.dry_run


def test_source_date():
    assert source_date(None) is None
    assert source_date("1771891200") == datetime(2026, 2, 24, tzinfo=UTC)
    for bad in ("x", "-1", "1.5", "9" * 12, "\u0661"):
        with pytest.raises(UsageError):
            source_date(bad)


def code_of(function, argument) -> str:
    try:
        function(argument)
    except BundleFileError as error:
        return error.code
    return ""


@given(st.lists(st.text(max_size=12), max_size=5))
def test_any_list_of_paths_ends_in_an_answer(paths):
    assert code_of(check_paths, paths) in ("", "unsafe_path")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789.eE-abcdefilnrstu\\ ', max_size=200).map(str.encode)
)
def test_any_bytes_are_a_manifest_or_not(data):
    assert code_of(parse_manifest, data) in ("", "manifest_invalid")


def test_a_voice_that_is_unmarked_by_decision_says_so(training):
    from voicemill.bundle.manifest import load_manifest
    from voicemill.bundle.origins import manifest_origin
    from voicemill.verify.certificate import bundle_metrics
    from voicemill.verify.checklist import lines, verify_bundle

    reason = "an announcer for a model railway"
    production = training.build(unmarked=reason)
    promoted = training.promote()
    for root in (production.root, promoted.root):
        raw = json.loads((root / "manifest.json").read_text())
        assert load_manifest(root).artifact_sha256_ok
        assert manifest_origin(raw, "0" * 64, root) is None
        verification = verify_bundle(root, training.allowlist)
        assert any("Marks" in line and f"off: {reason}" in line for line in lines(verification))
        assert bundle_metrics(verification.check, verification.rows)["marking.unmarked"] == reason


def test_a_voice_is_marked_unless_it_was_decided_otherwise(training):
    from voicemill.bundle.origins import manifest_origin
    from voicemill.verify.certificate import bundle_metrics
    from voicemill.verify.checklist import verify_bundle

    root = training.build().root
    raw = json.loads((root / "manifest.json").read_text())
    assert "unmarked" not in raw
    assert manifest_origin(raw, "0" * 64, root) is not None
    verification = verify_bundle(root, training.allowlist)
    assert "marking.unmarked" not in bundle_metrics(verification.check, verification.rows)


def test_what_counts_as_consent():
    digest = "a" * 64
    written, recorded = {"statement_sha256": digest}, {"statement_sha256": digest, "recording_sha256": digest}
    for stated, kinds in ((None, ()), (written, ("any",)), (recorded, ("any", "recorded"))):
        for required in ("any", "recorded"):
            assert meets(stated, required) == (required in kinds)
            if required in kinds:
                check_consent(stated, required)
                continue
            with pytest.raises(BundleError) as caught:
                check_consent(stated, required)
            assert caught.value.reason == "bundle_without_consent"
            assert ("recorded consent" in str(caught.value)) == (required == "recorded")
    assert consent({"consent": written}) == written
    assert consent({"provenance": {"source_consent": recorded}}) == recorded
    assert consent({"provenance": {}, "consent": written}) is None, "a promoted bundle states that of its source"
    for wrong in (
        {},
        {"consent": []},
        {"consent": {"statement_sha256": "A" * 64}},
        {"consent": {"statement_sha256": digest[1:]}},
    ):
        assert consent(wrong) is None
    assert (unmarked({"unmarked": "a reason"}), unmarked({"provenance": {"source_unmarked": ""}})) == ("a reason", None)
    assert synthetic_recordings({"provenance": {"source_synthetic_recordings": "a voice"}}) == "a voice"
    assert synthetic_recordings({}) is None


def test_the_origins_of_promoted_voices(voice):
    from voicemill.bundle.origins import PromotedOrigins, known_origins

    root = voice.publish()
    bundles = voice.root / "bundles"
    (found,) = PromotedOrigins(bundles)
    assert (found.voice, found.certificate) == ("anna", None)
    assert found.manifest_sha256 == hashlib.sha256((root / "manifest.json").read_bytes()).hexdigest()
    assert found.model_sha256 == hashlib.sha256((root / "fastpitch.nemo").read_bytes()).hexdigest()
    for name, text in (("broken", "{"), ("list", "[]"), ("empty", "{}")):
        (bundles / name / "voice_bundle").mkdir(parents=True)
        (bundles / name / "voice_bundle/manifest.json").write_text(text)
    assert [place for place, _ in known_origins(sorted(bundles.glob("*/voice_bundle")))] == [root]
    assert list(PromotedOrigins(bundles / "none")) == []
