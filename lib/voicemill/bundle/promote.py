"""Promote a production bundle to a voice profile: copy, hash again, publish whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voicemill import files, records, workspace
from voicemill.bundle.contents import check_paths, copy_checked, for_each, read_regular, walk
from voicemill.bundle.differences import check_digest, unexpected
from voicemill.bundle.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    REPEATED_FIELDS,
    REPEATED_WHERE_PRESENT,
    FileEntry,
    LoadedManifest,
    ProductionManifest,
    PromotedManifest,
    Provenance,
    consent,
    load_manifest,
    meets,
    parse_manifest,
    reference_of_graph,
)
from voicemill.bundle.places import check_replaceable, portable
from voicemill.errors import BundleError, BundleFileError, UsageError
from voicemill.protocol import Scalar
from voicemill.variables import RequiredConsent
from voicemill.workspace import profile_id


@dataclass(frozen=True)
class PromotedBundle:
    """A published promoted bundle."""

    root: Path
    manifest: PromotedManifest
    manifest_sha256: str

    @property
    def manifest_path(self) -> Path:
        return self.root / MANIFEST

    @property
    def stats(self) -> dict[str, Scalar]:
        """Values of a STATS line."""
        return {
            "status": "ok",
            "profile": self.manifest.voice_profile_id,
            "files": len(self.manifest.files),
            "manifest_sha256": self.manifest_sha256,
        }


def promote(
    manifest: Path,
    output_root: Path,
    profile: str,
    display_name: str,
    *,
    strict: bool = True,
    allowlist: Path | None = None,
    base: Path | None = None,
    require_consent: RequiredConsent | None = None,
    created_at: datetime | None = None,
) -> PromotedBundle:
    """Promote the bundle of `manifest` to `<output_root>/<profile>/voice_bundle`.

    Args:
        manifest: the production bundle's `manifest.json`.
        output_root: usually `bundles`.
        profile: voice profile id, safe as a folder name.
        display_name: the name that people see.
        strict: refuse a source whose `artifact_sha256` does not recompute, whose `weights_refs` are incomplete or fail
            the licence gate, or whose folder holds unlisted files. Without it these are only recorded.
        allowlist: the licence gate's list; needed when `strict`.
        base: the manifest's path is recorded relative to it (default: the current directory).
        require_consent: refuse a source that does not state this consent of the speaker.
        created_at: default now.

    Raises:
        BundleFileError: codes of docs/formats.md, section 8; nothing was published and the old bundle is untouched.
        BundleError: `bundle_without_consent`, `artifact_sha256_mismatch`, `weights_refs_incomplete`,
            `dry_run_would_replace_real:<profile>`, `output_not_a_bundle:<path>`.
        GateError: the weights do not pass the licence gate.
        UsageError: the profile id or the display name cannot be used.
    """
    target = output_root / profile_id(profile) / "voice_bundle"
    name = workspace.display_name(display_name)
    source = _load_source(manifest)
    production = source.manifest
    if not isinstance(production, ProductionManifest):
        raise BundleFileError(
            "Only a production bundle can be promoted.",
            reason="manifest_invalid",
            path=MANIFEST,
            hint="Give the manifest.json of checkpoints/prod_tts_voice_bundle.",
        )
    check_paths(entry.path for entry in production.files)
    if require_consent is not None:
        check_consent(consent(source.raw), require_consent)
    if strict:
        _check_strictly(source, production, manifest.parent, allowlist)
    check_replaceable(target)
    if production.dry_run:
        check_dry_run(target, profile)
    with files.atomic_directory(target) as staging:
        entries = _copy(manifest.parent, production, staging)
        provenance = _provenance(source, portable(manifest, base or Path.cwd()))
        promoted = PromotedManifest(
            bundle_version="voice_bundle/1",
            voice_profile_id=profile,
            display_name=name,
            files=entries,
            created_at=(created_at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            provenance=records.read(Provenance, provenance),
            dry_run=production.dry_run,
            vocoder=production.vocoder,
        )
        # The provenance goes out as the source states it, not as our model fills it in.
        text = files.dump_json(records.dump(promoted) | {"files": _listed(entries, source), "provenance": provenance})
        (staging / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return PromotedBundle(target, promoted, files.sha256_bytes(text.encode("utf-8")))


def source_date(epoch: str | None) -> datetime | None:
    """The moment that SOURCE_DATE_EPOCH names; `None` where it is not set.

    Raises:
        UsageError: it is not a whole number of seconds in a sensible range.
    """
    if epoch is None or not epoch.strip():
        return None
    text = epoch.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise UsageError(
            f"SOURCE_DATE_EPOCH must be whole seconds since 1970, not {text[:40]!r}.",
            hint="Set it as `git log -1 --format=%ct` prints it, or unset it.",
        )
    return datetime.fromtimestamp(int(text), UTC)


def _load_source(path: Path) -> LoadedManifest:
    if not path.parent.is_dir():
        raise BundleFileError(
            f"There is no bundle manifest at {path}.",
            reason="manifest_missing",
            path=path.name,
            hint="Build the bundle first.",
        )
    if path.name == MANIFEST:
        return load_manifest(path.parent)
    return parse_manifest(read_regular(path.parent, path.name, MAX_MANIFEST_BYTES))


def _check_strictly(source: LoadedManifest, manifest: ProductionManifest, root: Path, allowlist: Path | None) -> None:
    from voicemill.weights import gate

    if not source.artifact_sha256_ok:
        raise BundleError(
            "The bundle's artifact_sha256 does not recompute from its manifest.",
            reason="artifact_sha256_mismatch",
            hint="Build the bundle again, or promote with --no-strict to record it as it is.",
        )
    references = manifest.weights_refs
    in_graph = reference_of_graph(source.raw)
    vocoders = [each for each in (references.vocoder, in_graph) if each] if references else []
    if references is None or not all(each.complete for each in (references, *vocoders)):
        raise BundleError(
            "The bundle's weights_refs are incomplete.",
            reason="weights_refs_incomplete",
            hint="Build the bundle again, or promote with --no-strict to record it as it is.",
        )
    if allowlist is None:
        raise UsageError(
            "A strict promotion needs the weights allowlist.", hint="Give --allowlist, or use --no-strict."
        )
    ids = [references.id, *(each.id for each in vocoders)]
    gate.select_all([weights_id for weights_id in ids if weights_id], allowlist)
    for difference in unexpected(walk(root), manifest.files):
        raise difference.error()


def check_consent(stated: Mapping[str, Any] | None, required: RequiredConsent) -> None:
    """Refuse a voice without the consent that is required.

    Raises:
        BundleError: `bundle_without_consent`.
    """
    if not meets(stated, required):
        what = "recorded consent" if required == "recorded" else "consent"
        raise BundleError(
            f"The bundle states no {what} of the speaker.",
            reason="bundle_without_consent",
            hint="Prepare the voice with --consent, or record the statement: voice-prep consent (docs/marking.md).",
        )


def check_dry_run(target: Path, profile: str) -> None:
    """Refuse to replace a real promoted bundle by a dry run.

    Raises:
        BundleError: `dry_run_would_replace_real:<profile>`.
    """
    if not (target / MANIFEST).exists():
        return
    try:
        real = not load_manifest(target).manifest.dry_run
    except BundleFileError:
        real = True  # unreadable: it may be a real one
    if real:
        raise BundleError(
            f"The voice {profile} has a promoted bundle that is not a dry run; a dry run does not replace it.",
            reason=f"dry_run_would_replace_real:{profile}",
            hint="Choose another voice profile for the dry run.",
        )


def _copy(root: Path, manifest: ProductionManifest, staging: Path) -> tuple[FileEntry, ...]:
    """Copy every listed file and compare the written bytes with the manifest."""
    copied = for_each([entry.path for entry in manifest.files], lambda path: copy_checked(root, path, staging / path))
    for entry, digest in zip(manifest.files, copied, strict=True):
        check_digest(entry, digest)
    return tuple(sorted(manifest.files, key=lambda entry: entry.path))


def _listed(entries: Sequence[FileEntry], source: LoadedManifest) -> list[dict[str, Any]]:
    """The entries of the copied files, with the licence and the opset that the source states."""
    stated = {entry["path"]: entry for entry in source.raw["files"]}
    further = ("licence", "opset")
    return [
        records.dump(entry) | {name: stated[entry.path][name] for name in further if name in stated[entry.path]}
        for entry in entries
    ]


def _provenance(source: LoadedManifest, shown_path: str) -> dict[str, Any]:
    """The source's fields as its file states them, so that its hash recomputes from here."""
    repeated = {f"source_{name}": source.raw.get(name) for name in REPEATED_FIELDS}
    repeated |= {f"source_{name}": source.raw[name] for name in REPEATED_WHERE_PRESENT if name in source.raw}
    return repeated | {"source_manifest_path": shown_path, "source_manifest_sha256": source.sha256}
