"""The promotion checklist (operator contract, section 8): one row per demand, each GO or NO-GO with its why.

It judges by the shipped allowlist, whatever list the run was given, and reports what older producers left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill.bundle.attribution import NAME as ATTRIBUTION
from voicemill.bundle.build import EVALUATION
from voicemill.bundle.contents import open_unchanged
from voicemill.bundle.differences import BundleCheck, compare
from voicemill.bundle.manifest import (
    FileEntry,
    LoadedManifest,
    ProductionManifest,
    PromotedManifest,
    WeightsReference,
    source_manifest,
)
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.errors import BundleFileError, GateError
from voicemill.protocol import one_line
from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus, is_digest
from voicemill.verify import certificate
from voicemill.verify.rows import Row
from voicemill.verify.signature import Demand, signature_row
from voicemill.weights import archive, gate
from voicemill.weights.allowlist import LoadedAllowlist
from voicemill.weights.allowlist import load as load_allowlist

ALWAYS_NEEDED = ("fastpitch.nemo", EVALUATION, "sample.wav", ATTRIBUTION)
NEURAL_VOCODER = "hifigan.nemo"


@dataclass(frozen=True)
class Verification:
    """Differences and checklist of one bundle.

    Attributes:
        ok: the bundle is sound: nothing differs and every row is GO but for those that only certification needs.
        certifiable: every row is GO.
    """

    check: BundleCheck
    rows: tuple[Row, ...]
    dry_run: bool

    @property
    def ok(self) -> bool:
        return self.check.ok and all(row.go or row.certification_only for row in self.rows)

    @property
    def certifiable(self) -> bool:
        return self.check.ok and all(row.go for row in self.rows)

    @property
    def demands(self) -> tuple[Row, ...]:
        """The rows that a certificate is issued on: all but its own."""
        return tuple(row for row in self.rows if row.key not in ("casimir", "signature"))

    @property
    def reason(self) -> str:
        """`none`, or the stable reason of the refusal."""
        if self.ok:
            return "none"
        if self.dry_run and self.check.ok:
            return "dry_run_not_promotable"
        return "verification_failed"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        loaded = self.check.loaded
        return {
            "bundle": self.check.root.as_posix(),
            "ok": self.ok,
            "certifiable": self.certifiable,
            "reason": self.reason,
            "bundle_version": loaded.manifest.bundle_version if loaded else None,
            "manifest_sha256": loaded.sha256 if loaded else None,
            "dry_run": self.dry_run,
            "differences": [
                {"path": d.path, "kind": d.kind, "code": d.code, "detail": d.detail} for d in self.check.differences
            ],
            "checklist": [
                {
                    "key": r.key,
                    "title": r.title,
                    "verdict": r.verdict,
                    "detail": r.detail,
                    "certification_only": r.certification_only,
                }
                for r in self.rows
            ],
        }


def verify_bundle(
    root: Path,
    allowlist: Path,
    *,
    status: TrainingStatus | None = None,
    packs: Path = REPOSITORY / SHIPPED_PACKS,
    signature: Demand | None = None,
) -> Verification:
    """Compare a bundle of either kind with its manifest and go through the checklist.

    Args:
        root: folder of a production or a promoted bundle.
        allowlist: the shipped list.
        status: the training status, where it is at hand; else the bundle's own record of it is judged.
        packs: folder of the constraint packs that a certificate is recomputed with.
        signature: how a signature is to be checked; None asks for none.

    Raises:
        UsageError: there is no such folder.
        GateError: the shipped allowlist itself is missing or invalid.
        ConfigError: the constraint packs are missing or invalid.
    """
    listed = load_allowlist(allowlist)
    check = compare(root)
    if check.loaded is None:
        rows: tuple[Row, ...] = (
            Row("files", "Bundle manifest and files", False, check.differences[0].detail or check.differences[0].code),
            certificate.casimir_row(check, (), packs),
        )
        return Verification(check, rows, dry_run=False)
    source = _source(check.loaded)
    dry_run = bool(check.loaded.manifest.dry_run or source.get("dry_run"))
    rows = (
        _allowlist_row(source, listed),
        _status_row(source, dry_run, status),
        _files_row(check),
        _complete_row(check.loaded, dry_run),
        _archives_row(check, dry_run),
        _reproducible_row(source),
    )
    rows = (*rows, certificate.casimir_row(check, rows, packs))
    if signature is not None:
        rows = (*rows, signature_row(check, signature))
    return Verification(check, rows, dry_run)


def _source(loaded: LoadedManifest) -> dict[str, Any]:
    """The production manifest's fields, from the manifest itself or from the provenance."""
    return loaded.raw if isinstance(loaded.manifest, ProductionManifest) else source_manifest(loaded.raw["provenance"])


def _allowlist_row(source: dict[str, Any], listed: LoadedAllowlist) -> Row:
    title = "Allowlist gate: weights and code licences"
    references = source.get("weights_refs")
    parsed = WeightsReference.model_validate(references) if isinstance(references, dict) else None
    if parsed is None or not parsed.complete:
        return Row("allowlist", title, False, "weights_refs are incomplete")
    vocoder = references.get("vocoder") if isinstance(references, dict) else None
    named = [parsed, *([WeightsReference.model_validate(vocoder)] if isinstance(vocoder, dict) else [])]
    for reference in named:
        problem = _reference_problem(reference, listed)
        if problem:
            return Row("allowlist", title, False, f"{reference.id or 'weights'}: {problem}")
    return Row("allowlist", title, True, ", ".join(f"{each.id} ({each.weights_license})" for each in named))


def _reference_problem(reference: WeightsReference, listed: LoadedAllowlist) -> str:
    try:
        entry = gate.select(reference.id or "", listed).entry
    except GateError as error:
        return error.reason
    for name in ("weights_license", "code_license", "license_url"):
        if getattr(reference, name) != getattr(entry, name):
            return f"the bundle states another {name} than the shipped allowlist"
    return ""


def _status_row(source: dict[str, Any], dry_run: bool, status: TrainingStatus | None) -> Row:
    title = "Training status: ready_for_bundle, ok, not a dry run"
    if dry_run:
        return Row("status", title, False, "dry_run_not_promotable: this bundle comes from a dry run")
    if status is not None:
        same = status.config_sha256 == source.get("config_sha256") and status.dataset_sha256 == source.get(
            "dataset_sha256"
        )
        if not same:
            return Row("status", title, False, "the status belongs to another run: its config or dataset hash differs")
        return Row(
            "status", title, status.bundleable and not status.dry_run, f"{status.objective_status}, {status.status}"
        )
    recorded = source.get("objective_status")
    if recorded is None or "dry_run" not in source:
        why = "the bundle does not record its training status; give it with --status"
        return Row("status", title, False, why, certification_only=True)
    return Row("status", title, recorded == "ready_for_bundle", f"{recorded}, as the bundle records it")


def _files_row(check: BundleCheck) -> Row:
    title = "Bundle manifest: every file matches, nothing unlisted"
    if not check.ok:
        return Row("files", title, False, f"{len(check.differences)} differences")
    if check.loaded is None or not check.loaded.artifact_sha256_ok:
        return Row("files", title, False, "artifact_sha256 is missing or does not recompute")
    manifest = check.loaded.manifest
    if isinstance(manifest, PromotedManifest):
        source = manifest.provenance
        repeated = source.source_vocoder in (None, manifest.vocoder) and source.source_dry_run in (
            None,
            manifest.dry_run,
        )
        if sorted(map(_as_tuple, manifest.files)) != sorted(map(_as_tuple, source.source_files)) or not repeated:
            return Row("files", title, False, "the bundle is not the one that its provenance describes")
    return Row("files", title, True, f"{len(manifest.files)} files, artifact_sha256 recomputes")


def _as_tuple(entry: FileEntry) -> tuple[str, int, str]:
    return entry.path, entry.bytes, entry.sha256


def _complete_row(loaded: LoadedManifest, dry_run: bool) -> Row:
    title = "Usable alone: models, evaluation, sample, attribution"
    if dry_run:
        return Row("complete", title, False, "a dry run holds placeholders")
    manifest = loaded.manifest
    needed = [*ALWAYS_NEEDED, *([NEURAL_VOCODER] if manifest.vocoder == "hifigan" else [])]
    listed = {entry.path for entry in manifest.files}
    missing = sorted(set(needed) - listed)
    if missing:
        return Row("complete", title, False, f"not in the bundle: {', '.join(missing)}")
    return Row("complete", title, True, f"speaks through {manifest.vocoder}")


def _archives_row(check: BundleCheck, dry_run: bool) -> Row:
    title = "Model archives are safe to load"
    if dry_run:
        return Row("archives", title, False, "a dry run holds placeholders")
    differing = {difference.path for difference in check.differences}
    paths = (
        [entry.path for entry in check.loaded.manifest.files if entry.path.endswith(".nemo")] if check.loaded else []
    )
    for path in paths:
        try:
            if path not in differing:
                with open_unchanged(check.root, check.digests[path]) as handle:
                    archive.inspect_open(handle)
        except (GateError, BundleFileError) as error:
            return Row("archives", title, False, f"{path}: {error.reason}")
    return Row("archives", title, bool(paths), ", ".join(paths) or "there is no model in the bundle")


def _reproducible_row(source: dict[str, Any]) -> Row:
    title = "Reproducibility: commit, config hash, dataset hash"
    bad = [name for name in ("config_sha256", "dataset_sha256") if not is_digest(str(source.get(name) or ""))]
    commit = source.get("commit")
    if bad or not isinstance(commit, str) or not commit:
        return Row("reproducibility", title, False, f"missing: {', '.join([*bad, *([] if commit else ['commit'])])}")
    if commit == "unknown":
        return Row(
            "reproducibility", title, False, "built outside a checkout: the commit is unknown", certification_only=True
        )
    return Row("reproducibility", title, True, f"commit {commit[:12]}")


def lines(verification: Verification) -> Iterator[str]:
    """The answer as plain text: differences first, then the checklist, then the sum."""
    for difference in verification.check.differences:
        yield f"{difference.kind:<8} {difference.code:<22} {difference.path}" + (
            f"  {difference.detail}" if difference.detail else ""
        )
    for row in verification.rows:
        yield f"{row.verdict:<6} {row.title:<52} {one_line(row.detail, 300)}"
    yield f"bundle: {'OK' if verification.ok else 'NOT ACCEPTABLE'} reason={verification.reason}"
    yield f"certification: {'GO' if verification.certifiable else 'NO-GO'}"
