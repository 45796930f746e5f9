"""The manifests of the two bundles (docs/formats.md, sections 7 and 8) and the hash over the first.

Manifests of other producers are read too: unknown fields are ignored, and fields that they may lack are optional.
Digests are taken over the file's own bytes: `artifact_sha256` is recomputed over the JSON as it was read, not over
the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from voicemill import files, records
from voicemill.bundle.contents import read_regular
from voicemill.errors import BundleFileError
from voicemill.protocol import one_line
from voicemill.records import RecordError, Rule, Sha256
from voicemill.variables import RequiredConsent

MANIFEST = "manifest.json"
PRODUCTION_VERSION = "prod_tts_voice_bundle/1"
PROMOTED_VERSION = "voice_bundle/1"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_SAFE_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly."""

Vocoder = Literal["hifigan", "griffin-lim"]


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle."""

    path: Annotated[str, Rule(least=1, most=1024)]
    bytes: Annotated[int, Rule(least=0, most=MAX_SAFE_INTEGER)]
    sha256: Sha256


@dataclass(frozen=True)
class WeightsReference:
    """The origin of weights and their licences."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "allow"}

    id: str | None = None
    weights_license: str | None = None
    code_license: str | None = None
    license_url: str | None = None

    @property
    def complete(self) -> bool:
        return all((self.id, self.weights_license, self.code_license, self.license_url))


@dataclass(frozen=True)
class AllowlistReference:
    """The list that the run's licence gate judged by."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "ignore"}

    path: str
    sha256: Sha256


@dataclass(frozen=True)
class WeightsReferences(WeightsReference):
    """The selected base weights; `vocoder` holds the other checkpoint's references, `allowlist` the gate's list."""

    vocoder: WeightsReference | None = None
    allowlist: AllowlistReference | None = None


@dataclass(frozen=True)
class WeightsReferencesOfGraph(WeightsReferences):
    """The references of a bundle whose graph has a vocoder that NeMo does not know.

    A manifest is read as `WeightsReferences`, as other producers' are; `reference_of_graph` finds the further key.
    """

    runtime_vocoder: WeightsReference | None = None


def reference_of_graph(source: Mapping[str, Any]) -> WeightsReference | None:
    """The base of the graph's own vocoder in a production manifest as it was read.

    None where the graph speaks with the vocoder of NeMo.
    """
    stated = (source.get("weights_refs") or {}).get("runtime_vocoder")
    return records.read(WeightsReference, stated) if isinstance(stated, dict) else None


@dataclass(frozen=True)
class ProductionManifest:
    """`checkpoints/prod_tts_voice_bundle/manifest.json`.

    Attributes:
        vocoder: `hifigan` (then `hifigan.nemo` is in the bundle) or `griffin-lim` (then it is not).
    """

    bundle_version: Literal["prod_tts_voice_bundle/1"]
    files: Annotated[tuple[FileEntry, ...], Rule(least=1, most=10_000)]
    commit: str | None = None
    config_sha256: str | None = None
    dataset_sha256: str | None = None
    weights_refs: WeightsReferences | None = None
    dry_run: bool = False
    vocoder: Vocoder = "hifigan"
    objective_status: str | None = None
    artifact_sha256: str | None = None


@dataclass(frozen=True)
class Provenance:
    """The production bundle behind a promoted one.

    `source_<field>` repeats a field of the production manifest, so that its `artifact_sha256` recomputes from here.
    """

    source_bundle_version: str
    source_manifest_path: str
    source_manifest_sha256: Sha256
    source_commit: str | None = None
    source_config_sha256: str | None = None
    source_dataset_sha256: str | None = None
    source_weights_refs: WeightsReferences | None = None
    source_artifact_sha256: str | None = None
    source_files: tuple[FileEntry, ...] = ()
    source_dry_run: bool | None = None
    source_objective_status: str | None = None
    source_vocoder: Vocoder | None = None


@dataclass(frozen=True)
class PromotedManifest:
    """`bundles/<voice_profile_id>/voice_bundle/manifest.json`."""

    bundle_version: Literal["voice_bundle/1"]
    voice_profile_id: str
    display_name: str
    created_at: str
    files: Annotated[tuple[FileEntry, ...], Rule(least=1, most=10_000)]
    provenance: Provenance
    dry_run: bool = False
    vocoder: Vocoder = "hifigan"


REPEATED_FIELDS = (
    "bundle_version",
    "commit",
    "config_sha256",
    "dataset_sha256",
    "weights_refs",
    "artifact_sha256",
    "files",
)
"""Fields of the production manifest that every provenance repeats, `null` where the source lacks one."""
UNMARKED = "unmarked"
"""Field of a production manifest, only where it was decided that the speech carries no marks: the reason."""
SYNTHETIC = "synthetic_recordings"
"""Field of a production manifest, only where the recordings are synthetic speech: a sentence that says whose."""
CONSENT = "consent"
"""Field of a production manifest, only where the speaker's consent was stated: digests of the statement and, where it
was recorded, of the recording, with figures in thousandths (`voicemill.dataset.recorded_consent`)."""
REPEATED_WHERE_PRESENT = ("dry_run", "objective_status", "vocoder", UNMARKED, SYNTHETIC, CONSENT)


Manifest = ProductionManifest | PromotedManifest


@dataclass(frozen=True)
class LoadedManifest:
    """A manifest as it was read.

    Attributes:
        raw: the JSON object as parsed, in the file's own key order.
        sha256: digest of exactly the bytes that were parsed.
    """

    manifest: Manifest
    raw: dict[str, Any]
    sha256: str

    @property
    def artifact_sha256_ok(self) -> bool:
        """True when the (source's) `artifact_sha256` is there and recomputes."""
        source = self.raw if isinstance(self.manifest, ProductionManifest) else source_manifest(self.raw["provenance"])
        return source.get("artifact_sha256") == artifact_sha256(source)


def unmarked(raw: Mapping[str, Any]) -> str | None:
    """Why the speech of a bundle carries no marks, from its manifest as parsed; None for a voice that is marked."""
    provenance = raw.get("provenance")
    source = provenance.get(f"source_{UNMARKED}") if isinstance(provenance, dict) else raw.get(UNMARKED)
    return str(source) if source else None


def synthetic_recordings(raw: Mapping[str, Any]) -> str | None:
    """Whose synthetic speech a bundle was trained on, from its manifest as parsed; None for recordings of people."""
    provenance = raw.get("provenance")
    source = provenance.get(f"source_{SYNTHETIC}") if isinstance(provenance, dict) else raw.get(SYNTHETIC)
    return str(source) if source else None


def consent(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """The consent that a manifest as parsed states, of either kind; None where it states none."""
    provenance = raw.get("provenance")
    found = provenance.get(f"source_{CONSENT}") if isinstance(provenance, dict) else raw.get(CONSENT)
    if not isinstance(found, dict) or not is_sha256(found.get("statement_sha256")):
        return None
    return found


def is_recorded(found: Mapping[str, Any] | None) -> bool:
    """Whether a consent, as `consent` returns it, is a recording that was examined."""
    return found is not None and is_sha256(found.get("recording_sha256"))


def meets(found: Mapping[str, Any] | None, required: RequiredConsent) -> bool:
    """Whether a consent, as `consent` returns it, is the one that is required."""
    return is_recorded(found) if required == "recorded" else found is not None


def is_sha256(value: object) -> bool:
    """Whether a value is a sha256 in lower-case hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def artifact_sha256(raw: dict[str, Any]) -> str:
    """The digest over a manifest without its `artifact_sha256`: sorted keys, two-space indent, no trailing newline."""
    without = {key: value for key, value in raw.items() if key != "artifact_sha256"}
    return files.sha256_bytes(files.dump_json(without).removesuffix("\n").encode("utf-8", "surrogatepass"))


def source_manifest(provenance: dict[str, Any]) -> dict[str, Any]:
    """The production manifest as a promoted bundle's provenance repeats it.

    The contract's provenance has no `source_dry_run`, so a bundle that another program promoted may lack it: then the
    value with which the source's `artifact_sha256` recomputes is the one that the source had.
    """
    fields = [*REPEATED_FIELDS, *REPEATED_WHERE_PRESENT]
    plain = {name: provenance[f"source_{name}"] for name in fields if f"source_{name}" in provenance}
    guesses = [plain] if "dry_run" in plain else [plain, plain | {"dry_run": False}, plain | {"dry_run": True}]
    return next((guess for guess in guesses if guess.get("artifact_sha256") == artifact_sha256(guess)), plain)


def load_manifest(root: Path) -> LoadedManifest:
    """Read the manifest of a bundle folder, of either kind, strictly.

    Raises:
        BundleFileError: `manifest_missing`, `manifest_invalid`, `not_a_regular_file`.
        StorageError: `not_readable`.
    """
    if not root.is_dir():
        raise BundleFileError(
            f"There is no bundle folder at {root}.",
            reason="manifest_missing",
            path=MANIFEST,
            hint="Give the folder that holds manifest.json.",
        )
    try:
        data = read_regular(root, MANIFEST, MAX_MANIFEST_BYTES)
    except BundleFileError as error:
        if error.code != "required_file_missing":
            raise
        raise BundleFileError(
            f"There is no manifest.json in {root}.",
            reason="manifest_missing",
            path=MANIFEST,
            hint="Give the folder that holds manifest.json, or build the bundle first.",
        ) from error
    return parse_manifest(data)


def parse_manifest(data: bytes) -> LoadedManifest:
    """Parse the bytes of a manifest of either kind.

    Raises:
        BundleFileError: `manifest_invalid`, with the cause in the message.
    """
    try:
        raw = files.parse_json(data, max_bytes=MAX_MANIFEST_BYTES)
    except files.InvalidJsonError as error:
        raise _invalid(str(error)) from error
    if not isinstance(raw, dict):
        raise _invalid("it is not an object")
    models: dict[object, type[ProductionManifest] | type[PromotedManifest]] = {
        PRODUCTION_VERSION: ProductionManifest,
        PROMOTED_VERSION: PromotedManifest,
    }
    version = raw.get("bundle_version")
    model = models.get(version) if isinstance(version, str) else None
    if model is None:
        raise _invalid(f"its bundle_version is {json.dumps(version)[:80]}")
    try:
        return LoadedManifest(records.read(model, raw), raw, files.sha256_bytes(data))
    except RecordError as error:
        raise _invalid(one_line(str(error), 300)) from error


def _invalid(why: str) -> BundleFileError:
    return BundleFileError(
        f"The bundle's manifest is not valid: {why}.",
        reason="manifest_invalid",
        path=MANIFEST,
        hint="Build or promote the bundle again.",
    )


def summary_lines(loaded: LoadedManifest) -> Iterator[str]:
    """A bundle's own statements as `name: value` lines, then one line per file."""
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
