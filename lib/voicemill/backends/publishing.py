"""The last two steps of a lane, alone or within it: a production bundle from the statuses, and its promotion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemill.backends import results
from voicemill.bundle import promote as promotion
from voicemill.bundle.build import BuiltBundle, build_bundle
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.promote import PromotedBundle, source_date
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.training_status import read_training_status

DEMO_NOTICE = Path("data/demo/LICENSE.flite.txt")


def build(
    settings: Settings,
    *,
    status: Path | None = None,
    evaluation: Path | None = None,
    output: Path | None = None,
    base: Path | None = None,
    commit: str | None = None,
    extra_files: Sequence[Path] = (),
    data_notice: str = "",
) -> BuiltBundle:
    """Build the production bundle of the last training; what is not given is where the settings say.

    Raises:
        BundleError, GateError, StorageError: see `voicemill.bundle.build`.
    """
    status = status or results.status_path(settings)
    if not data_notice and read_training_status(status).demo_recording:
        data_notice = (settings.repository / DEMO_NOTICE).read_text(encoding="utf-8")
    return build_bundle(
        status,
        evaluation or results.eval_path(settings),
        output or production_bundle(settings),
        allowlist=settings.allowlist,
        base=base or settings.work_dir,
        commit=commit,
        extra_files=extra_files,
        data_notice=data_notice,
    )


def promote(
    settings: Settings,
    voice: str | None = None,
    display_name: str | None = None,
    *,
    manifest: Path | None = None,
    root: Path | None = None,
    strict: bool = True,
) -> PromotedBundle:
    """Promote the production bundle; what is not given is where the settings say.

    Args:
        settings: the environment.
        voice: voice profile id.
        display_name: what people see.
        manifest: of the production bundle.
        root: where promoted bundles live.
        strict: refuse faults in the source's record instead of only recording them.

    Raises:
        BundleError, GateError, UsageError: see `voicemill.bundle.promote`.
    """
    return promotion.promote(
        manifest or production_bundle(settings) / MANIFEST,
        root or settings.promoted_bundle_root or settings.workspace.bundles,
        voice or settings.voice_profile_id,
        display_name or settings.voice_display_name,
        strict=strict,
        allowlist=settings.allowlist,
        base=settings.work_dir if manifest is None else None,
        created_at=source_date(settings.source_date_epoch),
    )


def production_bundle(settings: Settings) -> Path:
    """Folder of the production bundle."""
    return settings.bundle_dir or settings.workspace.production_bundle


def show_built(protocol: Protocol, built: BuiltBundle) -> None:
    """A built bundle as STATS and ARTIFACT."""
    protocol.stats(
        {
            "status": "ok",
            "bundle_dir": protocol.shown(built.root),
            "files": len(built.manifest.files),
            "manifest_sha256": built.manifest_sha256,
        }
    )
    protocol.artifact(built.manifest_path)


def show_promoted(protocol: Protocol, promoted: PromotedBundle) -> None:
    """A promoted bundle as STATS and ARTIFACT."""
    protocol.stats(
        {
            "status": "ok",
            "profile": promoted.manifest.voice_profile_id,
            "files": len(promoted.manifest.files),
            "manifest_sha256": promoted.manifest_sha256,
        }
    )
    protocol.artifact(promoted.manifest_path)
