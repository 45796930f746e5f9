"""Builds the production bundle of a training and promotes it, with every path at its default from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill import files
from voicemill.bundle import promote as promotion
from voicemill.bundle.contents import SAMPLE, SAMPLE_CREDENTIALS
from voicemill.bundle.manifest import MANIFEST, load_manifest
from voicemill.bundle.promote import PromotedBundle, check_consent, source_date
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill.variables import RequiredConsent

if TYPE_CHECKING:
    from voicemill.bundle.build import BuiltBundle
    from voicemill.lane.reporter import LaneReporter
    from voicemill.training_status import TrainingStatus

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
    require_consent: RequiredConsent | None = None,
) -> BuiltBundle:
    """Build the production bundle of the last training; a path that is not given is the one of the settings.

    Raises:
        BundleError, GateError, StorageError: see `voicemill.bundle.build`.
    """
    from voicemill.bundle.build import build_bundle
    from voicemill.dataset import teacher
    from voicemill.training_status import read_training_status

    status, base = status or settings.paths.training_status, base or settings.workspace.work
    trained = read_training_status(status)
    consent = stated_consent(trained, base)
    if required := require_consent or settings.voice.require_consent:
        check_consent(consent, required)
    return build_bundle(
        status,
        evaluation or settings.paths.evaluation,
        output or settings.paths.production_bundle,
        allowlist=settings.weights.allowlist,
        base=base,
        commit=commit,
        extra_files=extra_files,
        data_notice=recordings_notice(trained, settings.repository, base, data_notice),
        unmarked=settings.voice.unmarked,
        synthetic=teacher.sentence(_taught(trained, base)),
        consent=consent,
    )


def stated_consent(status: TrainingStatus, base: Path) -> dict[str, Any] | None:
    """The consent for the dataset of a training, for the manifest: recorded, else written; None without one."""
    from voicemill.dataset import recorded_consent, rights

    if not (status.dataset_manifest and status.dataset_sha256):
        return None
    manifest = base / status.dataset_manifest
    if recorded := recorded_consent.of_manifest(manifest, status.dataset_sha256):
        return recorded.entry()
    held = rights.of_manifest(manifest, status.dataset_sha256)
    return {"statement_sha256": held.consent_sha256} if held and held.consent_sha256 else None


def recordings_notice(status: TrainingStatus, repository: Path, base: Path, given: str = "") -> str:
    """The part of ATTRIBUTION.txt about the recordings: their notice, then their licence and the speaker's consent.

    Args:
        status: of the training.
        repository: has the notice of the demo recording.
        base: folder that the paths in the status are relative to.
        given: a notice to use instead of the one of the demo recording.
    """
    from voicemill.dataset import rights, teacher

    if not given and status.demo_recording:
        given = (repository / DEMO_NOTICE).read_text(encoding="utf-8")
    held = None
    if status.dataset_manifest and status.dataset_sha256:
        held = rights.of_manifest(base / status.dataset_manifest, status.dataset_sha256)
    parts = [given.strip(), teacher.notice(_taught(status, base)), held.notice if held else ""]
    if status.init_from:
        voice, notice = status.init_from.voice, status.init_from.notice.strip()
        parts.append(f"Its training started from the voice {voice}, whose notices are:\n\n{notice}")
    return "\n\n".join(part for part in parts if part)


def _taught(status: TrainingStatus, base: Path) -> dict[str, str]:
    """What spoke the recordings of a training, where they are synthetic speech."""
    from voicemill.dataset import teacher

    if not status.dataset_manifest or not status.dataset_sha256:
        return {}
    return teacher.of_manifest(base / status.dataset_manifest, status.dataset_sha256)


def promote(
    settings: Settings,
    voice: str | None = None,
    display_name: str | None = None,
    *,
    manifest: Path | None = None,
    root: Path | None = None,
    strict: bool = True,
    require_consent: RequiredConsent | None = None,
) -> PromotedBundle:
    """Promote the production bundle; a path or name that is not given is the one of the settings.

    Args:
        settings: the environment.
        voice: voice profile id.
        display_name: name for people.
        manifest: of the production bundle.
        root: folder of promoted bundles.
        strict: refuse faults in the source's record; False only records them.
        require_consent: of the speaker; by default that of the settings.

    Raises:
        BundleError, GateError, UsageError: see `voicemill.bundle.promote`.
    """
    promoted = promotion.promote(
        manifest or settings.paths.production_bundle / MANIFEST,
        root or settings.paths.promoted_bundles,
        voice or settings.voice.profile_id,
        display_name or settings.voice.display_name,
        strict=strict,
        allowlist=settings.weights.allowlist,
        base=settings.workspace.work if manifest is None else None,
        require_consent=require_consent or settings.voice.require_consent,
        created_at=source_date(settings.source_date_epoch),
    )
    (promoted.root.parent / SAMPLE_CREDENTIALS).unlink(missing_ok=True)  # those of the bundle that was replaced
    return promoted


def sign_sample(settings: Settings, promoted: PromotedBundle) -> Path | None:
    """Write the signed metadata of a promoted bundle's sample beside the bundle.

    The sample itself must be the same in every build, and a signature differs each time.

    Returns:
        The file; None for a dry run, and for a voice that is unmarked by decision.

    Raises:
        UsageError: the key of the environment cannot be used, see `MarkSigner.find`.
        StorageError: it cannot be written.
    """
    from voicemill.bundle.origins import manifest_origin
    from voicemill_marks.credentials import sidecar
    from voicemill_marks.signer import MarkSigner

    raw = load_manifest(promoted.root).raw
    origin = None if promoted.manifest.dry_run else manifest_origin(raw, promoted.manifest_sha256, promoted.root)
    sample, target = promoted.root / SAMPLE, promoted.root.parent / SAMPLE_CREDENTIALS
    if origin is None or not sample.is_file():
        return None
    signer = MarkSigner.find(settings.workspace.marks)
    files.write_bytes(target, sidecar(sample.read_bytes(), origin, signer))
    return target


def show_built(lines: Protocol | LaneReporter, built: BuiltBundle) -> None:
    """Write a built bundle as STATS and ARTIFACT lines; in a lane, in its status file too."""
    lines.stats({"bundle_dir": lines.shown(built.root), **built.stats})
    lines.artifact(built.manifest_path)


def show_promoted(protocol: Protocol, promoted: PromotedBundle) -> None:
    """Write a promoted bundle as STATS and ARTIFACT lines."""
    protocol.stats(promoted.stats)
    protocol.artifact(promoted.manifest_path)
