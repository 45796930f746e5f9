"""The certificate beside a bundle, and what the checklist says without one."""

from __future__ import annotations

import json

import pytest
from tests.records import measured
from tests.unit.verify.conftest import certify

from voicemill import files
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import write_evaluation
from voicemill.settings import REPOSITORY
from voicemill.verify import certificate
from voicemill.verify.checklist import verify_bundle


def detail(verification, key: str) -> str:
    return next(row.detail for row in verification.rows if row.key == key)


def test_a_certificate_is_named_by_its_first_digits(voice):
    write_evaluation(voice.root / "eval.json", measured())
    root = voice.publish()
    certify(root)
    verification = verify_bundle(root, voice.shipped)
    outcome = certificate.judge_bundle(verification.check, verification.demands, REPOSITORY / SHIPPED_PACKS)
    assert detail(verification, "casimir") == f"PASS, certificate {outcome.recomputed[:12]}, recomputed"
    assert "in its graph" not in detail(verification, "complete"), "one vocoder is named once"


def test_a_verdict_that_is_no_pass_names_the_constraints(voice):
    write_evaluation(voice.root / "eval.json", measured(cer=0.9))
    root = voice.publish()
    verification = verify_bundle(root, voice.shipped)
    packs, target = REPOSITORY / SHIPPED_PACKS, certificate.certificate_path(root)
    outcome, answer = certificate.certify(verification.check, verification.demands, packs, target)
    with pytest.raises(NotAcceptableError) as caught:
        certificate.require(outcome, answer, "The bundle")
    failing = [entry.id for entry in outcome.entries if entry.status != "pass" and entry.severity == "HARD"]
    assert failing
    assert str(caught.value) == f"The bundle is not certified: {', '.join(failing)}."
    assert not target.exists()


def test_an_evaluation_of_the_first_version_is_judged_by_the_first_pack(voice):
    write_evaluation(voice.root / "eval.json", measured())
    document = json.loads((voice.root / "eval.json").read_text())
    for name in ("judges", "other_people"):
        document.pop(name, None)
    for name in ("median_f0_shift", "speaker_confusion", "speaker_similarity_ratio"):
        document["figures"].pop(name)
    files.write_json(voice.root / "eval.json", document | {"eval_version": "prod_tts_eval/1"})
    root = voice.publish()
    check = verify_bundle(root, voice.shipped).check
    assert certificate._evaluation(check)[1] == 1
    (root / "prod_tts_eval.json").unlink()
    assert certificate._evaluation(verify_bundle(root, voice.shipped).check) == (None, 2)


def test_a_folder_without_a_manifest_says_what_is_missing(tmp_path):
    verification = verify_bundle(tmp_path, REPOSITORY / "configs/voice/prod_tts/weights_allowlist.json")
    first = verification.check.differences[0]
    assert first.detail
    assert detail(verification, "files") == first.detail
    assert not verification.ok
