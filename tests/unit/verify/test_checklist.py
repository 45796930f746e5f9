from __future__ import annotations

import hashlib
import json

import pytest
from tests.unit.verify.conftest import speaking

from voicemill.verify.certificate import bundle_metrics
from voicemill.verify.checklist import lines, verify_bundle


def verdicts(verification) -> dict[str, str]:
    return {row.key: row.verdict for row in verification.rows}


def test_a_sound_bundle_is_acceptable_and_waits_for_casimir(voice):
    for root in (voice.publish(), voice.root / "built"):
        verification = verify_bundle(root, voice.shipped)
        assert verification.ok
        assert verification.reason == "none"
        assert not verification.certifiable
        assert [key for key, verdict in verdicts(verification).items() if verdict == "NO-GO"] == ["casimir"]
        json.dumps(verification.as_dict())
        text = list(lines(verification))
        assert text[-2:] == ["bundle: OK reason=none", "certification: NO-GO"]


@pytest.mark.parametrize(
    ("changes", "row", "reason"),
    [
        ({"dry_run": True}, "status", "dry_run_not_promotable"),
        ({"artifacts": ("fastpitch.nemo", "hifigan.nemo")}, "complete", "verification_failed"),
        ({"artifacts": ("fastpitch.nemo", "sample.wav")}, "complete", "verification_failed"),
    ],
)
def test_rows_that_say_no(voice, changes, row, reason):
    verification = verify_bundle(voice.publish(**changes), voice.shipped)
    assert not verification.ok
    assert verdicts(verification)[row] == "NO-GO"
    assert verification.reason == reason


def test_griffin_lim_needs_no_neural_vocoder(voice):
    root = voice.publish(vocoder="griffin-lim", artifacts=("fastpitch.nemo", "sample.wav"))
    assert verify_bundle(root, voice.shipped).ok


LISTED = ("fastpitch.nemo", "hifigan.nemo", "sample.wav")


def test_a_bundle_with_a_graph_and_its_dictionary(voice):
    speaking(voice)
    root = voice.publish(artifacts=(*LISTED, "voice.onnx", "lexicon.txt"), weights_used=())
    assert verify_bundle(root, voice.shipped).ok
    assert "Carnegie Mellon" in (root / "ATTRIBUTION.txt").read_text()


def test_a_graph_with_a_vocoder_that_nemo_does_not_know(voice):
    speaking(voice, vocoder="istft")
    files = (*LISTED, "voice.onnx", "lexicon.txt")
    root = voice.publish(artifacts=files, weights_used=("voicemill/base-en-people-istft",))
    verification = verify_bundle(root, voice.shipped)
    assert verification.ok
    assert "CC-BY-4.0" in next(row.detail for row in verification.rows if row.key == "allowlist")
    assert "istft in its graph and hifigan in NeMo" in next(
        row.detail for row in verification.rows if row.key == "complete"
    )
    assert "Vassil Panayotov" in (root / "ATTRIBUTION.txt").read_text()


@pytest.mark.parametrize("in_graph", ["hifigan", "istft"])
def test_the_vocoder_of_the_graph_is_the_stated_one(voice, in_graph):
    speaking(voice, vocoder=in_graph)
    used = ("voicemill/base-en-people-istft",) if in_graph == "hifigan" else ()
    verification = verify_bundle(
        voice.publish(artifacts=(*LISTED, "voice.onnx", "lexicon.txt"), weights_used=used), voice.shipped
    )
    assert verdicts(verification)["archives"] == "NO-GO"


@pytest.mark.parametrize("artifact", ["voice.onnx", "lexicon.txt"])
def test_a_graph_needs_its_dictionary(voice, artifact):
    speaking(voice)
    verification = verify_bundle(voice.publish(artifacts=(*LISTED, artifact)), voice.shipped)
    assert not verification.ok
    assert verdicts(verification)["complete"] == "NO-GO"


@pytest.mark.parametrize(
    "change",
    [{"data": b"not a graph"}, {"data": b""}, {"vocoder": "griffin-lim"}],
)
def test_a_graph_that_is_not_the_voices(voice, change):
    speaking(voice, **change)
    verification = verify_bundle(voice.publish(artifacts=(*LISTED, "voice.onnx", "lexicon.txt")), voice.shipped)
    assert not verification.ok
    assert verdicts(verification)["archives"] == "NO-GO"


def test_the_notice_of_the_dictionary_must_be_in_the_attribution(voice):
    speaking(voice)
    voice.publish(artifacts=(*LISTED, "voice.onnx", "lexicon.txt"))
    root = voice.root / "built"
    text = (root / "ATTRIBUTION.txt").read_text().split("-" * 78)
    assert sum("cmusphinx" in block for block in text) == 1
    shortened = ("-" * 78).join(block for block in text if "cmusphinx" not in block)
    (root / "ATTRIBUTION.txt").write_text(shortened)
    rewrite(
        root,
        lambda manifest: manifest.update(
            files=[
                entry
                | (
                    {
                        "bytes": len(shortened.encode()),
                        "sha256": hashlib.sha256(shortened.encode()).hexdigest(),
                    }
                    if entry["path"] == "ATTRIBUTION.txt"
                    else {}
                )
                for entry in manifest["files"]
            ]
        ),
    )
    row = next(row for row in verify_bundle(root, voice.shipped).rows if row.key == "complete")
    assert not row.go
    assert "cmusphinx" in row.detail


def test_an_unknown_commit_only_keeps_it_from_certification(voice):
    verification = verify_bundle(voice.publish(commit="unknown"), voice.shipped)
    assert verification.ok
    assert verdicts(verification)["reproducibility"] == "NO-GO"


def test_an_unsafe_archive_is_no_go(voice):
    (voice.root / "hifigan.nemo").write_bytes(b"not an archive")
    verification = verify_bundle(voice.publish(), voice.shipped)
    assert not verification.ok
    assert verdicts(verification)["archives"] == "NO-GO"
    assert verification.check.ok


def rewrite(root, change) -> None:
    path = root / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True))


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (lambda m: m["provenance"].update(source_commit="forged"), "files"),
        (lambda m: m["provenance"].update(source_artifact_sha256=None), "files"),
        (lambda m: m["provenance"]["source_weights_refs"].update(weights_license="MIT"), "allowlist"),
        (lambda m: m["provenance"]["source_weights_refs"].update(license_url=None), "allowlist"),
        (lambda m: m["provenance"].update(source_weights_refs=None), "allowlist"),
        (lambda m: m["provenance"]["source_weights_refs"].update(id="x/y"), "allowlist"),
        (lambda m: m["provenance"]["source_weights_refs"]["vocoder"].update(id="x/y"), "allowlist"),
        (lambda m: m["provenance"].update(source_dataset_sha256="missing"), "reproducibility"),
        (lambda m: m["provenance"].update(source_config_sha256=None), "reproducibility"),
        (lambda m: m["provenance"].pop("source_objective_status"), "status"),
        (lambda m: m["provenance"].update(source_objective_status="blocked"), "status"),
        (lambda m: m["provenance"].update(source_dry_run=True), "status"),
        (lambda m: m.update(vocoder="griffin-lim"), "files"),
        (lambda m: m["provenance"]["source_files"].pop(), "files"),
    ],
)
def test_forged_or_incomplete_provenance(voice, change, row):
    root = voice.publish()
    rewrite(root, change)
    verification = verify_bundle(root, voice.shipped)
    assert not verification.ok
    assert verdicts(verification)[row] == "NO-GO"


def test_a_swapped_file_with_a_forged_entry_does_not_pass_for_the_source(voice):

    root = voice.publish()
    (root / "sample.wav").write_bytes(b"forged")

    def forge(manifest):
        entry = next(entry for entry in manifest["files"] if entry["path"] == "sample.wav")
        entry.update(bytes=6, sha256=hashlib.sha256(b"forged").hexdigest())

    rewrite(root, forge)
    verification = verify_bundle(root, voice.shipped)
    assert verification.check.ok
    assert not verification.ok
    assert verdicts(verification)["files"] == "NO-GO"


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_bundle_that_another_program_made_by_the_contract(voice, dry_run):
    """Its manifests have the contract's fields and none of ours."""
    from voicemill.bundle.manifest import artifact_sha256

    root = voice.publish()
    source = json.loads((voice.root / "built/manifest.json").read_text())
    source = {key: value for key, value in source.items() if key not in ("objective_status", "vocoder")} | {
        "dry_run": dry_run
    }

    def strip(manifest):
        for name in ("dry_run", "vocoder"):
            del manifest[name]
        for name in ("source_dry_run", "source_vocoder", "source_objective_status"):
            del manifest["provenance"][name]
        manifest["provenance"]["source_artifact_sha256"] = artifact_sha256(source)

    rewrite(root, strip)
    verification = verify_bundle(root, voice.shipped)
    assert verdicts(verification)["files"] == "GO"
    assert verification.ok is not dry_run
    assert verification.dry_run is dry_run
    assert verdicts(verification)["status"] == "NO-GO"
    assert verdicts(verify_bundle(root, voice.shipped, status=voice.status))["status"] == ("NO-GO" if dry_run else "GO")


def test_the_status_itself_decides_when_it_is_given(voice):
    root = voice.publish()
    assert verify_bundle(root, voice.shipped, status=voice.status).ok
    blocked = voice.status.model_copy(update={"status": "blocked"})
    assert not verify_bundle(root, voice.shipped, status=blocked).ok
    other = voice.status.model_copy(update={"config_sha256": "d" * 64})
    assert not verify_bundle(root, voice.shipped, status=other).ok


def test_a_bundle_without_a_manifest(voice):
    root = voice.publish()
    (root / "manifest.json").unlink()
    verification = verify_bundle(root, voice.shipped)
    assert (verification.ok, verification.reason) == (False, "verification_failed")
    assert "manifest_missing" in "\n".join(lines(verification))


def test_what_a_bundle_says_cannot_forge_a_line_of_the_answer(voice):
    root = voice.publish()

    def forge(manifest):
        manifest["provenance"]["source_weights_refs"]["id"] = "x\nGO     Casimir gate\x1b[2J"
        manifest["provenance"]["source_commit"] = "a\nGO\x1b[1m"

    rewrite(root, forge)
    shown = list(lines(verify_bundle(root, voice.shipped)))
    assert all(line.isprintable() for line in shown)
    assert not any(line.startswith("GO     Casimir") for line in shown)


def test_a_certificate_has_the_figures_of_a_recorded_consent(voice) -> None:
    stated = {"statement_sha256": "a" * 64, "recording_sha256": "b" * 64}
    figures = {"word_errors_permille": 125, "speaker_similarity_permille": 905}
    verification = verify_bundle(voice.publish(consent=stated | figures), voice.shipped)
    metrics = bundle_metrics(verification.check, verification.demands)
    found = {name: value for name, value in metrics.items() if name.startswith("consent.")}
    assert found == {
        "consent.recording_sha256": "b" * 64,
        "consent.word_errors": 0.125,
        "consent.speaker_similarity": 0.905,
    }
    written = verify_bundle(voice.publish(consent=stated | {"recording_sha256": None}), voice.shipped)
    assert not any(name.startswith("consent.") for name in bundle_metrics(written.check, written.demands))
