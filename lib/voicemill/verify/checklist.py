"""Verification of a bundle: its differences and the promotion checklist (docs/operator-contract.md, section 8).

The checklist judges by the shipped allowlist, not by the list of the run, and reports fields that older producers
leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill.bundle.differences import BundleCheck, compare
from voicemill.bundle.manifest import LoadedManifest, ProductionManifest, source_manifest
from voicemill.casimir.packs import SHIPPED_PACKS
from voicemill.protocol import one_line
from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus
from voicemill.variables import RequiredConsent
from voicemill.verify import certificate
from voicemill.verify.rows import (
    ChecklistRow,
    Demand,
    allowlist_row,
    archives_row,
    complete_row,
    consent_row,
    files_row,
    marks_row,
    recordings_row,
    reproducible_row,
    signature_row,
    status_row,
)
from voicemill.weights.allowlist import load_allowlist


@dataclass(frozen=True)
class Verification:
    """Differences and checklist of one bundle.

    Attributes:
        ok: the bundle is sound: nothing differs and every row is GO, except rows that only certification needs.
        certifiable: every row is GO.
    """

    check: BundleCheck
    rows: tuple[ChecklistRow, ...]
    dry_run: bool

    @property
    def ok(self) -> bool:
        return self.check.ok and all(row.go or row.certification_only for row in self.rows)

    @property
    def certifiable(self) -> bool:
        return self.check.ok and all(row.go for row in self.rows)

    @property
    def demands(self) -> tuple[ChecklistRow, ...]:
        """The rows that a certificate is based on."""
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
    require_consent: RequiredConsent | None = None,
) -> Verification:
    """Compare a bundle of either kind with its manifest and go through the checklist.

    Args:
        root: folder of a production or a promoted bundle.
        allowlist: the shipped list.
        status: the training status, if available; by default the bundle's own record of it is judged.
        packs: folder of the constraint packs that a certificate is recomputed with.
        signature: how a signature is to be checked; None asks for none.
        require_consent: of the speaker; None asks for none.

    Raises:
        UsageError: there is no such folder.
        GateError: the shipped allowlist itself is missing or invalid.
        ConfigError: the constraint packs are missing or invalid.
    """
    listed = load_allowlist(allowlist)
    check = compare(root)
    if check.loaded is None:
        first = check.differences[0]
        rows: tuple[ChecklistRow, ...] = (
            ChecklistRow("files", "Bundle manifest and files", False, first.detail or first.code),
            certificate.casimir_row(check, (), packs),
        )
        return Verification(check, rows, dry_run=False)
    source = _source(check.loaded)
    dry_run = bool(check.loaded.manifest.dry_run or source.get("dry_run"))
    rows = (
        allowlist_row(check.loaded, source, listed),
        status_row(source, dry_run, status),
        files_row(check),
        complete_row(check, check.loaded, source, listed, dry_run),
        archives_row(check, dry_run),
        reproducible_row(source),
        marks_row(source),
        consent_row(check.loaded, require_consent),
        *([synthetic] if (synthetic := recordings_row(source)) else []),
    )
    rows = (*rows, certificate.casimir_row(check, rows, packs))
    if signature is not None:
        rows = (*rows, signature_row(check, signature))
    return Verification(check, rows, dry_run)


def _source(loaded: LoadedManifest) -> dict[str, Any]:
    """The production manifest's fields, from the manifest itself or from the provenance."""
    return loaded.raw if isinstance(loaded.manifest, ProductionManifest) else source_manifest(loaded.raw["provenance"])


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
