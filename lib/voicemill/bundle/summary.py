"""What a bundle says of itself, as plain lines."""

from __future__ import annotations

from collections.abc import Iterator

from voicemill.bundle.manifest import LoadedManifest, ProductionManifest, source_manifest
from voicemill.protocol import one_line


def summary(loaded: LoadedManifest) -> Iterator[str]:
    """`name: value` lines, then one line per file."""
    manifest = loaded.manifest
    source = loaded.raw if isinstance(manifest, ProductionManifest) else source_manifest(loaded.raw["provenance"])
    yield f"bundle_version: {manifest.bundle_version}"
    yield f"manifest_sha256: {loaded.sha256}"
    if not isinstance(manifest, ProductionManifest):
        yield f"voice_profile_id: {_one_line(manifest.voice_profile_id)}"
        yield f"display_name: {_one_line(manifest.display_name)}"
        yield f"created_at: {_one_line(manifest.created_at)}"
    yield f"dry_run: {str(manifest.dry_run).lower()}"
    yield f"vocoder: {manifest.vocoder}"
    for name in ("commit", "config_sha256", "dataset_sha256", "artifact_sha256"):
        yield f"{name}: {_one_line(source.get(name))}"
    yield f"artifact_sha256_recomputes: {str(loaded.artifact_sha256_ok).lower()}"
    references = source.get("weights_refs")
    if isinstance(references, dict):
        yield f"weights: {_one_line(references.get('id'))} ({_one_line(references.get('weights_license'))})"
        vocoder = references.get("vocoder")
        if isinstance(vocoder, dict):
            yield f"vocoder_weights: {_one_line(vocoder.get('id'))} ({_one_line(vocoder.get('weights_license'))})"
    for entry in manifest.files:
        yield f"{entry.bytes:>12} {entry.sha256[:12]} {_one_line(entry.path)}"


def _one_line(value: object) -> str:
    return one_line(str(value), 300)
