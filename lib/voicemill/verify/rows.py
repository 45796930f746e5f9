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
class Row:
    """One row of the checklist.

    Attributes:
        key: stable name, `snake_case`.
        go: the demand is met.
        detail: why, in plain words.
        certification_only: a NO-GO here keeps the voice from being certified, but is no fault of the bundle.
    """

    key: str
    title: str
    go: bool
    detail: str
    certification_only: bool = False

    @property
    def verdict(self) -> Literal["GO", "NO-GO"]:
        return "GO" if self.go else "NO-GO"


def allowlist_row(source: dict[str, Any], listed: LoadedAllowlist) -> Row:
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


def status_row(source: dict[str, Any], dry_run: bool, status: TrainingStatus | None) -> Row:
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


def files_row(check: BundleCheck) -> Row:
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


def complete_row(loaded: LoadedManifest, dry_run: bool) -> Row:
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


def archives_row(check: BundleCheck, dry_run: bool) -> Row:
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


def reproducible_row(source: dict[str, Any]) -> Row:
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


@dataclass(frozen=True)
class Demand:
    """How a signature is to be checked.

    Attributes:
        public_key: of whoever should have signed.
        signature: the file, if not beside the bundle.
        required: no signature is no less a refusal than a wrong one.
    """

    public_key: Path | None
    signature: Path | None = None
    required: bool = False


def signature_row(check: BundleCheck, demand: Demand) -> Row:
    """Check the signature; files that `check` hashed are not hashed again.

    Raises:
        UsageError: a signature is required and no key is given, or the key cannot be used.
    """
    if demand.public_key is None:
        raise UsageError("--require-signature needs --public-key.", hint="Give the signer's public key.")
    path = demand.signature or signature_path(check.root)
    if not os.path.lexists(path) and not demand.required:
        return Row("signature", "Signature", False, f"there is none at {path}", certification_only=True)
    try:
        check_signature(check.root, path, demand.public_key, check.digests)
    except NotAcceptableError as error:
        return Row("signature", "Signature", False, f"{error.reason}: {error}")
    return Row("signature", "Signature", True, f"by the key {demand.public_key.name}")
