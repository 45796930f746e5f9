"""The rows of the promotion checklist: one demand each, GO or NO-GO with the cause."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from voicemill import records
from voicemill.bundle.build import ATTRIBUTION, EVALUATION
from voicemill.bundle.contents import GRAPH, LEXICON, open_unchanged
from voicemill.bundle.differences import BundleCheck
from voicemill.bundle.manifest import (
    SYNTHETIC,
    UNMARKED,
    FileEntry,
    LoadedManifest,
    PromotedManifest,
    WeightsReference,
    consent,
    is_recorded,
    meets,
    source_manifest,
)
from voicemill.bundle.origins import ACOUSTIC_MODEL
from voicemill.bundle.signature_check import check_signature
from voicemill.bundle.statements import signature_path
from voicemill.errors import BundleFileError, GateError, NotAcceptableError, UsageError
from voicemill.protocol import one_line
from voicemill.training_status import TrainingStatus, is_digest
from voicemill.variables import RequiredConsent
from voicemill.verify import plain_files
from voicemill.weights import archive, gate, onnx_bytes
from voicemill.weights.allowlist import AllowlistEntry, Kind, LoadedAllowlist

NEURAL_VOCODER = "hifigan.nemo"
ALWAYS_NEEDED = (ACOUSTIC_MODEL, EVALUATION, "sample.wav", ATTRIBUTION)
MODEL_CLASSES = {ACOUSTIC_MODEL: "FastPitchModel", NEURAL_VOCODER: "HifiGanModel"}
"""Archive of each role -> the class that its configuration must name."""
BASE_KINDS: dict[str, frozenset[Kind]] = {
    ACOUSTIC_MODEL: frozenset({"fastpitch", "none"}),
    NEURAL_VOCODER: frozenset({"hifigan"}),
    GRAPH: frozenset({"vocoder"}),
}
"""File of each role -> kinds of the weights that it may be trained from; `none` is training from scratch. The graph has
weights of its own where its vocoder is none that NeMo knows."""
SPEAKING = frozenset((GRAPH, LEXICON))
"""Roles of a bundle that speaks without NeMo: both or, in a bundle of an earlier version, neither. The graph is derived
from the models and has their licences; the dictionary has the licence of `gate.LEXICON_WEIGHTS`."""
MAX_GRAPH_BYTES = 1 << 31
MAX_ATTRIBUTION_BYTES = 1 << 20


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


def roles(loaded: LoadedManifest, source: dict[str, Any]) -> dict[str, WeightsReference | None]:
    """The models that a bundle must have, each with the reference to its base weights (None: missing)."""
    references = source.get("weights_refs")
    stated = references if isinstance(references, dict) else {}
    found = {ACOUSTIC_MODEL: _reference(references)}
    if loaded.manifest.vocoder == "hifigan":
        found[NEURAL_VOCODER] = _reference(stated.get("vocoder"))
    if "runtime_vocoder" in stated:
        found[GRAPH] = _reference(stated["runtime_vocoder"])
    return found


def _reference(value: object) -> WeightsReference | None:
    reference = records.read(WeightsReference, value) if isinstance(value, dict) else None
    return reference if reference is not None and reference.complete else None


def allowlist_row(loaded: LoadedManifest, source: dict[str, Any], listed: LoadedAllowlist) -> ChecklistRow:
    """Every role names the base of its weights, and the shipped allowlist permits it for that role."""
    title = "Allowlist gate: weights and code licences"
    shown, found = [], roles(loaded, source)
    without = sorted({entry.path for entry in loaded.manifest.files} & (MODEL_CLASSES.keys() - found.keys()))
    if without:
        return ChecklistRow("allowlist", title, False, f"the manifest names no use and no licence of {without[0]}")
    for role, reference in found.items():
        if reference is None:
            return ChecklistRow("allowlist", title, False, f"weights_refs are incomplete: none for {role}")
        problem = _reference_problem(role, reference, listed)
        if problem:
            return ChecklistRow("allowlist", title, False, f"{reference.id or 'weights'}: {problem}")
        shown.append(f"{reference.id} ({reference.weights_license})")
    return ChecklistRow("allowlist", title, True, ", ".join(shown))


def _reference_problem(role: str, reference: WeightsReference, listed: LoadedAllowlist) -> str:
    try:
        entry = gate.select(reference.id or "", listed).entry
        gate.require_kind(entry, *sorted(BASE_KINDS[role]))
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


def marks_row(source: dict[str, Any]) -> ChecklistRow:
    """Whether the voice's speech is marked as synthetic; a decision against it is shown, and is no fault."""
    title = "Marks of synthetic speech: watermark and signed metadata"
    reason = source.get(UNMARKED)
    return ChecklistRow("marks", title, True, f"off: {one_line(str(reason), 200)}" if reason else "on")


def recordings_row(source: dict[str, Any]) -> ChecklistRow | None:
    """Whose speech the voice was trained on, where that is synthetic; None for recordings of people."""
    stated = source.get(SYNTHETIC)
    return ChecklistRow("recordings", "Recordings", True, one_line(str(stated), 400)) if stated else None


def consent_row(loaded: LoadedManifest, required: RequiredConsent | None) -> ChecklistRow:
    """The consent of the speaker; without one the row says so, and is a fault only where consent is required."""
    title, stated = "Consent of the speaker", consent(loaded.raw)
    if stated is None:
        detail = "none is stated"
    elif is_recorded(stated):
        wrong, alike = (stated.get(f"{name}_permille") for name in ("word_errors", "speaker_similarity"))
        figures = f"in thousandths: word errors {wrong}, similarity to the clips {alike}"
        detail = f"recorded, sha256 {str(stated['recording_sha256'])[:12]}; {figures}"
    else:
        detail = f"written, sha256 {stated['statement_sha256'][:12]}"
    go = required is None or meets(stated, required)
    return ChecklistRow("consent", title, go, detail if go else f"bundle_without_consent: {detail}")


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


def complete_row(
    check: BundleCheck, loaded: LoadedManifest, source: dict[str, Any], listed: LoadedAllowlist, dry_run: bool
) -> ChecklistRow:
    """Every file that the bundle needs is listed, and the attribution holds the notice of each role's weights."""
    title = "Usable alone: models, evaluation, sample, attribution"
    if dry_run:
        return ChecklistRow("complete", title, False, "a dry run holds placeholders")
    present = {entry.path for entry in loaded.manifest.files}
    needed = {*ALWAYS_NEEDED, *roles(loaded, source), *(SPEAKING if SPEAKING & present else ())}
    missing = sorted(needed - present)
    if missing:
        return ChecklistRow("complete", title, False, f"not in the bundle: {', '.join(missing)}")
    problem = _attribution_problem(check, loaded, source, listed)
    if problem:
        return ChecklistRow("complete", title, False, problem)
    return ChecklistRow("complete", title, True, f"speaks through {_vocoders(loaded)}")


def graph_vocoder(loaded: LoadedManifest) -> str:
    """The vocoder in the graph of a bundle, by the manifest: `istft`, or the one of NeMo."""
    raw = loaded.raw if not isinstance(loaded.manifest, PromotedManifest) else source_manifest(loaded.raw["provenance"])
    return "istft" if "runtime_vocoder" in (raw.get("weights_refs") or {}) else loaded.manifest.vocoder


def _vocoders(loaded: LoadedManifest) -> str:
    nemo, graph = loaded.manifest.vocoder, graph_vocoder(loaded)
    return nemo if nemo == graph else f"{graph} in its graph and {nemo} in NeMo"


def _attribution_problem(
    check: BundleCheck, loaded: LoadedManifest, source: dict[str, Any], listed: LoadedAllowlist
) -> str:
    if ATTRIBUTION not in check.digests:
        return f"{ATTRIBUTION} cannot be read"
    try:
        with open_unchanged(check.root, check.digests[ATTRIBUTION]) as handle:
            data = handle.read(MAX_ATTRIBUTION_BYTES + 1)
        text = " ".join(data.decode("utf-8").split()) if len(data) <= MAX_ATTRIBUTION_BYTES else ""
    except (BundleFileError, UnicodeDecodeError):
        text = ""
    stated = [reference.id if reference else None for reference in roles(loaded, source).values()]
    if LEXICON in check.digests:
        stated.append(gate.LEXICON_WEIGHTS)
    for weights_id in stated:
        entry = listed.allowlist.find(weights_id or "")
        for notice in _notices(entry):
            if " ".join(notice.split()) not in text:
                return f"{ATTRIBUTION} lacks the notice of {entry.id if entry else 'the weights'}"
    return ""


def _notices(entry: AllowlistEntry | None) -> list[str]:
    """The texts that the attribution must hold for weights: id, licence, its address, and the notice if demanded."""
    if entry is None:
        return []
    stated = [entry.id, entry.weights_license or "", entry.license_url or ""]
    return [*stated, entry.attribution] if entry.attribution_required is not False else stated


def archives_row(check: BundleCheck, dry_run: bool) -> ChecklistRow:
    """The archive of each role is safe and of its class, and no other file can be mistaken for a model."""
    title = "Model archives are safe to load"
    if dry_run:
        return ChecklistRow("archives", title, False, "a dry run holds placeholders")
    differing = {difference.path for difference in check.differences}
    listed = [entry.path for entry in check.loaded.manifest.files] if check.loaded else []
    for path in listed:
        try:
            if path not in differing:
                with open_unchanged(check.root, check.digests[path]) as handle:
                    vocoder = graph_vocoder(check.loaded) if check.loaded else ""
                    problem = _graph_problem(handle, vocoder) if path == GRAPH else _content_problem(path, handle)
                if problem:
                    return ChecklistRow("archives", title, False, f"{path}: {problem}")
        except (GateError, BundleFileError) as error:
            return ChecklistRow("archives", title, False, f"{path}: {error.reason}")
    models = [path for path in listed if path in MODEL_CLASSES or path == GRAPH]
    return ChecklistRow("archives", title, bool(models), ", ".join(models) or "there is no model in the bundle")


def _content_problem(path: str, handle: BinaryIO) -> str:
    wanted = MODEL_CLASSES.get(path)
    if wanted is not None:
        target = archive.inspect_open(handle).target.rpartition(".")[2]
        return "" if target == wanted else f"it is a {target or 'model without a class'}, not a {wanted}"
    return plain_files.fault(path, handle)


def _graph_problem(handle: BinaryIO, vocoder: str) -> str:
    data = handle.read(MAX_GRAPH_BYTES + 1)
    if len(data) > MAX_GRAPH_BYTES:
        return "it is larger than any voice"
    metadata = onnx_bytes.metadata_of_graph(data)
    if not metadata.get("format", "").startswith("voicemill-voice-"):
        return "it is not the graph of a voice"
    stated = metadata.get("vocoder", "none")
    return "" if stated == vocoder else f"it speaks through {stated}, the manifest names {vocoder}"


def reproducible_row(source: dict[str, Any]) -> ChecklistRow:
    title = "Reproducibility: commit, config hash, dataset hash"
    bad = [name for name in ("config_sha256", "dataset_sha256") if not is_digest(str(source.get(name) or ""))]
    stated = source.get("commit")
    commit = stated if isinstance(stated, str) and stated.strip() else ""
    missing = bad if commit else [*bad, "commit"]
    if missing:
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
        required: whether the caller insists on a key. A missing signature is refused in any case.
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
    if not os.path.lexists(path):
        return ChecklistRow("signature", "Signature", False, f"signature_missing: there is none at {path}")
    try:
        check_signature(check.root, path, demand.public_key, check.digests)
    except NotAcceptableError as error:
        return ChecklistRow("signature", "Signature", False, f"{error.reason}: {error}")
    return ChecklistRow("signature", "Signature", True, f"by the key {demand.public_key.name}")
