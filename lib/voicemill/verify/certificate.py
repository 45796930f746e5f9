"""The Casimir gate on a bundle: its metrics, the verdict of the pack `voice-promotion`, and the certificate.

The sha256 of the bundle's manifest is one of the metrics that the certificate's hash is taken over, so a certificate
is bound to one bundle. A certificate is verified by measuring again and recomputing it; the file is never trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from voicemill import __version__, files
from voicemill.bundle.build import EVALUATION
from voicemill.bundle.contents import CERTIFICATE, open_unchanged
from voicemill.bundle.differences import BundleCheck
from voicemill.bundle.manifest import consent, is_recorded, synthetic_recordings, unmarked
from voicemill.casimir.answer import answer_of, refusal
from voicemill.casimir.evaluator import PackOutcome, evaluate
from voicemill.casimir.javascript import Value
from voicemill.casimir.packs import PACK_FILES, load_packs
from voicemill.errors import BundleError, NotAcceptableError
from voicemill.evaluation.model import Evaluation, parse_evaluation
from voicemill.verify.rows import ChecklistRow
from voicemill.verify.stability_figures import read_stability

PACK = "voice-promotion"
FIRST_PACK = "voice-promotion-1.json"
"""Version 1 of the pack, for bundles whose evaluation is of version 1: it has no judges, so nothing of likeness."""
NAME = CERTIFICATE
TITLE = "Casimir gate: PASS, certificate hash, integrityOk"

_DEMANDS = {
    "licence.gate": "allowlist",
    "status.ready": "status",
    "bundle.integrity": "files",
    "bundle.complete": "complete",
    "bundle.archives_safe": "archives",
    "reproducibility.fields": "reproducibility",
}
"""Metric -> row of the checklist that decides it."""
_FIGURES = {
    "evaluation.cer": "cer",
    "evaluation.cer_real": "cer_real",
    "evaluation.cer_ratio": "cer_ratio",
    "evaluation.mcd_db": "mcd",
}
_FIGURES_OF_JUDGES = {
    "speaker.similarity_ratio": "speaker_similarity_ratio",
    "speaker.confusion": "speaker_confusion",
    "evaluation.median_f0_shift_cents": "median_f0_shift",
}
"""Hashed after all others, and only from version 2 on."""


class VoiceCertificate(BaseModel):
    """certificate.json: the verdict on one bundle. `answer.certificate.certificateHash` is the sha256 of `facts`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate_version: Literal["voice_certificate/1"] = "voice_certificate/1"
    bundle_manifest_sha256: str
    pack: str
    pack_version: int
    facts: str
    answer: dict[str, Any]
    issued_at: str
    issued_by: str


def certificate_path(root: Path) -> Path:
    """Path of the certificate of the bundle folder `root`."""
    return root.resolve().parent / NAME


def bundle_metrics(check: BundleCheck, rows: Sequence[ChecklistRow]) -> dict[str, Value]:
    """The metrics of a bundle, in the order in which they are hashed.

    Args:
        check: differences between folder and manifest.
        rows: the checklist without the Casimir row.
    """
    decided = {row.key: row.go for row in rows}
    metrics: dict[str, Value] = {"bundle.manifest_sha256": check.loaded.sha256 if check.loaded else None}
    metrics |= {name: decided.get(key) for name, key in _DEMANDS.items()}
    metrics["bundle.dry_run"] = bool(check.loaded.manifest.dry_run) if check.loaded else None
    found, version = _evaluation(check)
    metrics["training.loss_finite"] = found.final_loss is not None if found else None
    metrics |= {name: _value(found, figure) for name, figure in _FIGURES.items()}
    made, real = metrics["evaluation.cer"], metrics["evaluation.cer_real"]
    both = isinstance(made, float) and isinstance(real, float)
    metrics["evaluation.cer_excess"] = round(made - real, 6) if both else None  # type: ignore[operator]
    metrics["speaker.own_nearest"] = found.own_speaker_nearest if found else None
    if version > 1:
        metrics |= {name: _value(found, figure) for name, figure in _FIGURES_OF_JUDGES.items()}
    if stable := read_stability(check.root, check.loaded.sha256 if check.loaded else None):
        metrics["stability.sentences"], metrics["stability.failed"] = stable.count, stable.failed
    if check.loaded and (reason := unmarked(check.loaded.raw)):
        metrics["marking.unmarked"] = reason
    agreed = consent(check.loaded.raw) if check.loaded else None
    if agreed is not None and is_recorded(agreed):
        metrics["consent.recording_sha256"] = str(agreed["recording_sha256"])
        for name in ("word_errors", "speaker_similarity"):
            value = agreed.get(f"{name}_permille")
            metrics[f"consent.{name}"] = value / 1000 if isinstance(value, int) else None
    if check.loaded and (stated := synthetic_recordings(check.loaded.raw)):
        metrics["recordings.synthetic"] = stated
    return metrics


def _value(found: Evaluation | None, figure: str) -> float | None:
    known = found.figures.get(figure) if found else None
    return known.value if known else None


def judge_bundle(check: BundleCheck, rows: Sequence[ChecklistRow], packs: Path) -> PackOutcome:
    """The embedded evaluator's verdict on a bundle; nothing is supplied and nothing overridden."""
    files_read = PACK_FILES if _evaluation(check)[1] > 1 else (FIRST_PACK,)
    return evaluate({"id": PACK, "metrics": bundle_metrics(check, rows)}, load_packs(packs, files_read))


def certify(
    check: BundleCheck, rows: Sequence[ChecklistRow], packs: Path, target: Path
) -> tuple[PackOutcome, dict[str, Value]]:
    """Judge a bundle and, when it passes, write its certificate; a certificate of another verdict is removed.

    Returns:
        The outcome and the answer; the caller decides the exit code by `refusal_of`.

    Raises:
        ConfigError: the packs are missing or invalid.
        StorageError: the certificate cannot be written.
    """
    outcome = judge_bundle(check, rows, packs)
    answer = answer_of(outcome, None)
    if refusal_of(outcome, answer) is None:
        record = VoiceCertificate(
            bundle_manifest_sha256=str(outcome.metrics["bundle.manifest_sha256"]),
            pack=outcome.pack.id,
            pack_version=outcome.pack.version,
            facts=outcome.facts,
            answer=answer,
            issued_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            issued_by=f"voicemill {__version__}",
        )
        files.write_json(target, record.model_dump(mode="json"))
    else:
        target.unlink(missing_ok=True)
    return outcome, answer


def refusal_of(outcome: PackOutcome, answer: dict[str, Value]) -> str | None:
    """The reason why the embedded verdict is not a PASS, or None."""
    return refusal(answer, outcome.pack, trace_id=None, expected_hash=outcome.recomputed)


def casimir_row(check: BundleCheck, rows: Sequence[ChecklistRow], packs: Path) -> ChecklistRow:
    """The row of the certificate beside the bundle, compared with the metrics measured now."""
    path = certificate_path(check.root)

    def no(why: str) -> ChecklistRow:
        return ChecklistRow("casimir", TITLE, False, why, certification_only=True)

    if not path.is_file():
        return no("not certified: voice-verify certify measures the bundle and writes its certificate")
    try:
        record = VoiceCertificate.model_validate(files.read_json(path))
    except (files.InvalidJsonError, ValidationError, OSError) as error:
        return no(f"{NAME} cannot be used: {str(error).splitlines()[0]}")
    outcome = judge_bundle(check, rows, packs)
    if check.loaded is None or record.bundle_manifest_sha256 != check.loaded.sha256:
        return no(f"{NAME} belongs to another bundle")
    why = refusal(record.answer, outcome.pack, trace_id=None, expected_hash=outcome.recomputed)
    if why is None and not _agrees(record, outcome):
        why = "casimir_integrity"
    if why is None and not outcome.certified:
        why = f"casimir_fail:{outcome.first_fail.id if outcome.first_fail else 'unknown'}"
    if why is not None:
        return no(f"{NAME} does not hold: {why}")
    return ChecklistRow("casimir", TITLE, True, f"PASS, certificate {outcome.recomputed[:12]}, recomputed")


def _agrees(record: VoiceCertificate, outcome: PackOutcome) -> bool:
    """Whether the certificate agrees with the recomputed verdict in every field; issuer and time are remarks."""
    stated = (record.pack, record.pack_version, record.facts, record.answer)
    trace = record.answer.get("traceId")
    if not isinstance(trace, str):
        return False
    return stated == (outcome.pack.id, outcome.pack.version, outcome.facts, answer_of(outcome, trace))


def require(outcome: PackOutcome, answer: dict[str, Value], what: str) -> None:
    """Raise unless the verdict is a PASS.

    Raises:
        NotAcceptableError: with the reason of `casimir.answer.refusal`.
    """
    why = refusal_of(outcome, answer)
    if why is not None:
        failing = ", ".join(
            entry.id for entry in outcome.entries if entry.status != "pass" and entry.severity == "HARD"
        )
        raise NotAcceptableError(
            f"{what} is not certified" + (f": {failing}." if failing else "."),
            reason=why,
            hint="voice-verify bundle shows the checklist; configs/casimir holds the limits.",
        )


def _evaluation(check: BundleCheck) -> tuple[Evaluation | None, int]:
    """The evaluation of a bundle that is whole, and its version; figures of a changed file do not count."""
    current = 2
    if check.loaded is None or not check.ok or EVALUATION not in {entry.path for entry in check.loaded.manifest.files}:
        return None, current
    try:
        with open_unchanged(check.root, check.digests[EVALUATION]) as handle:
            document = files.parse_json(handle.read(files.MAX_JSON_BYTES + 1))
        found = parse_evaluation(document)
    except (BundleError, files.InvalidJsonError, ValidationError):
        return None, current
    return found, 1 if document.get("eval_version") == "prod_tts_eval/1" else current
