"""The last two steps of a lane, alone or within it: a production bundle from the statuses, and its promotion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voicemill.bundle import promote as promotion
from voicemill.bundle.build import BuiltBundle, build_bundle
from voicemill.bundle.manifest import MANIFEST
from voicemill.bundle.promote import PromotedBundle, source_date
from voicemill.dataset import rights
from voicemill.lane import results
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.training_status import TrainingStatus, read_training_status

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
    status, base = status or results.status_path(settings), base or settings.work_dir
    return build_bundle(
        status,
        evaluation or results.eval_path(settings),
        output or production_bundle(settings),
        allowlist=settings.allowlist,
        base=base,
        commit=commit,
        extra_files=extra_files,
        data_notice=recordings_notice(read_training_status(status), settings.repository, base, data_notice),
    )


def recordings_notice(status: TrainingStatus, repository: Path, base: Path, given: str = "") -> str:
    """What ATTRIBUTION.txt says of the recordings: their notice, then licence and consent as the operator stated them.

    Args:
        status: of the training.
        repository: has the notice of the bundled recording.
        base: what the status's paths are relative to.
        given: a notice that comes instead of that of the bundled recording.
    """
    if not given and status.demo_recording:
        given = (repository / DEMO_NOTICE).read_text(encoding="utf-8")
    held = None
    if status.dataset_manifest and status.dataset_sha256:
        held = rights.of_manifest(base / status.dataset_manifest, status.dataset_sha256)
    parts = [given.strip(), held.notice if held else ""]
    if status.init_from:
        before = status.init_from
        parts.append(f"It began with the voice {before.voice}, whose own notices are:\n\n{before.notice.strip()}")
    return "\n\n".join(part for part in parts if part)


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
