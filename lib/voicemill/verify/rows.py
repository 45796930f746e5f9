"""The rows of the promotion checklist: one demand each, GO or NO-GO with the cause."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from voicemill.bundle.build import ATTRIBUTION, EVALUATION
from voicemill.bundle.contents import open_unchanged
from voicemill.bundle.differences import BundleCheck
from voicemill.bundle.manifest import FileEntry, LoadedManifest, PromotedManifest, WeightsReference
from voicemill.bundle.statements import check_signature, signature_path
from voicemill.errors import BundleFileError, GateError, NotAcceptableError, UsageError
from voicemill.training_status import TrainingStatus, is_digest
from voicemill.weights import archive, gate
from voicemill.weights.allowlist import LoadedAllowlist

ALWAYS_NEEDED = ("fastpitch.nemo", EVALUATION, "sample.wav", ATTRIBUTION)
NEURAL_VOCODER = "hifigan.nemo"


@dataclass(frozen=True)
class ChecklistRow:
    """One row of the checklist.

    Attributes:
        key: stable name, `snake_case`.
        go: the demand is met.
        detail: the cause, in plain words.
        certification_only: a NO-GO here keeps the voice from being certified, but is not a fault of the bundle.
    """

    key: str
    title: str
    go: bool
    detail: str
    certification_only: bool = False

    @property
    def verdict(self) -> Literal["GO", "NO-GO"]:
        return "GO" if self.go else "NO-GO"


def allowlist_row(source: dict[str, Any], listed: LoadedAllowlist) -> ChecklistRow:
    title = "Allowlist gate: weights and code licences"
    references = source.get("weights_refs")
    parsed = WeightsReference.model_validate(references) if isinstance(references, dict) else None
    if parsed is None or not parsed.complete:
        return ChecklistRow("allowlist", title, False, "weights_refs are incomplete")
    vocoder = references.get("vocoder") if isinstance(references, dict) else None
    named = [parsed, *([WeightsReference.model_validate(vocoder)] if isinstance(vocoder, dict) else [])]
    for reference in named:
        problem = _reference_problem(reference, listed)
        if problem:
            return ChecklistRow("allowlist", title, False, f"{reference.id or 'weights'}: {problem}")
    return ChecklistRow("allowlist", title, True, ", ".join(f"{each.id} ({each.weights_license})" for each in named))


def _reference_problem(reference: WeightsReference, listed: LoadedAllowlist) -> str:
    try:
        entry = gate.select(reference.id or "", listed).entry
    except GateError as error:
        return error.reason
    for name in ("weights_license", "code_license", "license_url"):
        if getattr(reference, name) != getattr(entry, name):
            return f"the bundle states another {name} than the shipped allowlist"
    return ""


def status_row(source: dict[str, Any], dry_run: bool, status: TrainingStatus | None) -> ChecklistRow:
    title = "Training status: ready_for_bundle, ok, not a dry run"
    if dry_run:
        return ChecklistRow("status", title, False, "dry_run_not_promotable: this bundle comes from a dry run")
    if status is not None:
        hashes = (source.get("config_sha256"), source.get("dataset_sha256"))
        if (status.config_sha256, status.dataset_sha256) != hashes:
            why = "the status belongs to another run: its config or dataset hash differs"
            return ChecklistRow("status", title, False, why)
        return ChecklistRow(
            "status", title, status.bundleable and not status.dry_run, f"{status.objective_status}, {status.status}"
        )
    recorded = source.get("objective_status")
    if recorded is None or "dry_run" not in source:
        why = "the bundle does not record its training status; give it with --status"
        return ChecklistRow("status", title, False, why, certification_only=True)
    return ChecklistRow("status", title, recorded == "ready_for_bundle", f"{recorded}, as the bundle records it")


def files_row(check: BundleCheck) -> ChecklistRow:
    title = "Bundle manifest: every file matches, nothing unlisted"
    if not check.ok:
        return ChecklistRow("files", title, False, f"{len(check.differences)} differences")
    if check.loaded is None or not check.loaded.artifact_sha256_ok:
        return ChecklistRow("files", title, False, "artifact_sha256 is missing or does not recompute")
    manifest = check.loaded.manifest
    if isinstance(manifest, PromotedManifest):
        source = manifest.provenance
        repeated = source.source_vocoder in (None, manifest.vocoder) and source.source_dry_run in (
            None,
            manifest.dry_run,
        )
        if sorted(map(_as_tuple, manifest.files)) != sorted(map(_as_tuple, source.source_files)) or not repeated:
            return ChecklistRow("files", title, False, "the bundle is not the one that its provenance describes")
    return ChecklistRow("files", title, True, f"{len(manifest.files)} files, artifact_sha256 recomputes")


def _as_tuple(entry: FileEntry) -> tuple[str, int, str]:
    return entry.path, entry.bytes, entry.sha256


def complete_row(loaded: LoadedManifest, dry_run: bool) -> ChecklistRow:
    title = "Usable alone: models, evaluation, sample, attribution"
    if dry_run:
        return ChecklistRow("complete", title, False, "a dry run holds placeholders")
    manifest = loaded.manifest
    needed = [*ALWAYS_NEEDED, *([NEURAL_VOCODER] if manifest.vocoder == "hifigan" else [])]
    listed = {entry.path for entry in manifest.files}
    missing = sorted(set(needed) - listed)
    if missing:
        return ChecklistRow("complete", title, False, f"not in the bundle: {', '.join(missing)}")
    return ChecklistRow("complete", title, True, f"speaks through {manifest.vocoder}")


def archives_row(check: BundleCheck, dry_run: bool) -> ChecklistRow:
    title = "Model archives are safe to load"
    if dry_run:
        return ChecklistRow("archives", title, False, "a dry run holds placeholders")
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
            return ChecklistRow("archives", title, False, f"{path}: {error.reason}")
    return ChecklistRow("archives", title, bool(paths), ", ".join(paths) or "there is no model in the bundle")


def reproducible_row(source: dict[str, Any]) -> ChecklistRow:
    title = "Reproducibility: commit, config hash, dataset hash"
    bad = [name for name in ("config_sha256", "dataset_sha256") if not is_digest(str(source.get(name) or ""))]
    commit = source.get("commit")
    if bad or not isinstance(commit, str) or not commit:
        missing = [*bad, *([] if commit else ["commit"])]
        return ChecklistRow("reproducibility", title, False, f"missing: {', '.join(missing)}")
    if commit == "unknown":
        return ChecklistRow(
            "reproducibility", title, False, "built outside a checkout: the commit is unknown", certification_only=True
        )
    return ChecklistRow("reproducibility", title, True, f"commit {commit[:12]}")


@dataclass(frozen=True)
class Demand:
    """The signature that the caller demands.

    Attributes:
        public_key: the key of the expected signer.
        signature: the signature file, if it is not beside the bundle.
        required: whether a missing signature is refused.
    """

    public_key: Path | None
    signature: Path | None = None
    required: bool = False


def signature_row(check: BundleCheck, demand: Demand) -> ChecklistRow:
    """Check the signature; files that `check` hashed are not hashed again.

    Raises:
        UsageError: a signature is required and no key is given, or the key cannot be used.
    """
    if demand.public_key is None:
        raise UsageError("--require-signature needs --public-key.", hint="Give the signer's public key.")
    path = demand.signature or signature_path(check.root)
    if not os.path.lexists(path) and not demand.required:
        return ChecklistRow("signature", "Signature", False, f"there is none at {path}", certification_only=True)
    try:
        check_signature(check.root, path, demand.public_key, check.digests)
    except NotAcceptableError as error:
        return ChecklistRow("signature", "Signature", False, f"{error.reason}: {error}")
    return ChecklistRow("signature", "Signature", True, f"by the key {demand.public_key.name}")
