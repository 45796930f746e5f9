"""Build the production bundle from a training status, an evaluation and the artifacts that the status names."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemill import files, records
from voicemill.bundle.contents import GRAPH, LEXICON, Digest, check_paths, copy_checked, digest_file
from voicemill.bundle.instructions import INSTRUCTIONS, instructions
from voicemill.bundle.manifest import (
    CONSENT,
    MANIFEST,
    SYNTHETIC,
    UNMARKED,
    AllowlistReference,
    FileEntry,
    ProductionManifest,
    WeightsReference,
    WeightsReferences,
    WeightsReferencesOfGraph,
    artifact_sha256,
)
from voicemill.bundle.places import check_replaceable, portable
from voicemill.errors import BundleError, GateError
from voicemill.protocol import Scalar
from voicemill.training_status import TrainingStatus, is_digest, read_training_status
from voicemill.weights import gate
from voicemill.weights.allowlist import AllowlistEntry, LoadedAllowlist, load_allowlist
from voicemill.weights.onnx_bytes import opset_of_graph

EVALUATION = "prod_tts_eval.json"
ATTRIBUTION = "ATTRIBUTION.txt"
"""Notices of everything that went into a voice, as the allowlist states them."""
_RULE = "-" * 78
_REASON = re.compile(r"[a-z][a-z0-9_]*(?::.*)?")


@dataclass(frozen=True)
class BuiltBundle:
    """A published production bundle."""

    root: Path
    manifest: ProductionManifest
    manifest_sha256: str

    @property
    def manifest_path(self) -> Path:
        return self.root / MANIFEST

    @property
    def stats(self) -> dict[str, Scalar]:
        """Values of a STATS line."""
        return {"status": "ok", "files": len(self.manifest.files), "manifest_sha256": self.manifest_sha256}


def build_bundle(
    status_path: Path,
    eval_path: Path | None,
    out_dir: Path,
    *,
    allowlist: Path,
    base: Path,
    commit: str | None = None,
    extra_files: Sequence[Path] = (),
    data_notice: str = "",
    unmarked: str | None = None,
    synthetic: str | None = None,
    consent: Mapping[str, Any] | None = None,
) -> BuiltBundle:
    """Build the bundle; `out_dir` is replaced whole or left as it was.

    Args:
        status_path: training status (`artifacts/prod_tts_train_status.json`).
        eval_path: evaluation, bundled as `prod_tts_eval.json`; `None` leaves it out.
        out_dir: folder of the bundle; an existing one must be a bundle.
        allowlist: the licence gate's list.
        base: the folder that relative artifact paths of the status start from.
        commit: commit for the manifest; default the status's.
        extra_files: more files to bundle by their names, such as `sample.wav`.
        data_notice: notice of the training recordings, for `ATTRIBUTION.txt`.
        unmarked: why the voice's speech is to carry no marks; by default it carries them.
        synthetic: what spoke the recordings, where they are synthetic speech.
        consent: of the speaker, for the manifest's field of this name.

    Raises:
        BundleError: `missing_train_status`, the status's own root cause when it is blocked, `invalid_config_sha256`,
            `invalid_dataset_sha256`, `no_bundle_artifacts`, `bundle_artifact_missing:<path>`,
            `not_a_regular_file:<path>`, `unsafe_path:<path>`, `evaluation_invalid`, `output_not_a_bundle:<path>`.
        GateError: the weights do not pass the licence gate.
        StorageError: the disk is full or cannot be written.
    """
    status = read_training_status(status_path)
    _check_status(status)
    loaded = load_allowlist(allowlist)
    selected = gate.select(status.selected_weights_id, loaded).entry
    neural = status.vocoder_weights_id if status.vocoder == "hifigan" else None
    vocoder = gate.select(neural, loaded).entry if neural else None
    sources = _sources(status, eval_path, base, extra_files)
    lexicon = (gate.LEXICON_WEIGHTS,) if LEXICON in sources and not status.dry_run else ()
    tools = gate.select_all((*status.weights_used, *lexicon), loaded)
    used = [selected, *([vocoder] if vocoder else []), *(selection.entry for selection in tools)]
    attribution = attribution_text(used, data_notice)
    page = None if status.dry_run or INSTRUCTIONS in sources else instructions(sources)
    check_replaceable(out_dir)
    with files.atomic_directory(out_dir) as staging:
        digests = [copy_checked(source.parent, source.name, staging / name) for name, source in sources.items()]
        digests = [Digest(name, digest.bytes, digest.sha256) for name, digest in zip(sources, digests, strict=True)]
        (staging / ATTRIBUTION).write_text(attribution, encoding="utf-8", newline="\n")
        if page is not None:
            (staging / INSTRUCTIONS).write_text(page, encoding="utf-8", newline="\n")
            digests.append(digest_file(staging, INSTRUCTIONS))
        digests.append(digest_file(staging, ATTRIBUTION))
        in_graph = next((selection.entry for selection in tools if selection.entry.kind == "vocoder"), None)
        references = weights_references(selected, vocoder, loaded, base, in_graph)
        manifest = _manifest(status, commit or status.commit, references, digests)
        licences = _licences(selected, vocoder, in_graph, tools)
        stated = {UNMARKED: unmarked, SYNTHETIC: synthetic, CONSENT: consent}
        document = records.dump(manifest) | {name: value for name, value in stated.items() if value}
        document["files"] = [entry | _facts(staging, entry["path"], licences) for entry in document["files"]]
        manifest = dataclasses.replace(manifest, artifact_sha256=artifact_sha256(document))
        text = files.dump_json(document | {"artifact_sha256": manifest.artifact_sha256})
        (staging / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return BuiltBundle(out_dir, manifest, files.sha256_bytes(text.encode("utf-8")))


def _licences(
    selected: AllowlistEntry,
    vocoder: AllowlistEntry | None,
    in_graph: AllowlistEntry | None,
    tools: Iterable[gate.SelectedWeights],
) -> dict[str, str]:
    """SPDX expressions of a bundle's models and dictionary, by their names."""

    def together(*entries: AllowlistEntry | None) -> str:
        return " AND ".join(dict.fromkeys(entry.weights_license or "" for entry in entries if entry is not None))

    found = {
        "fastpitch.nemo": together(selected),
        "hifigan.nemo": together(vocoder),
        GRAPH: together(selected, in_graph or vocoder),
        LEXICON: together(*(each.entry for each in tools if each.entry.id == gate.LEXICON_WEIGHTS)),
    }
    return {name: licence for name, licence in found.items() if licence}


def _facts(root: Path, path: str, licences: Mapping[str, str]) -> dict[str, str | int]:
    """Further fields of a file's entry: `licence`, and `opset` of the graph. Readers may ignore them."""
    facts: dict[str, str | int] = {"licence": licences[path]} if path in licences else {}
    if path == GRAPH:
        with contextlib.suppress(GateError):  # what is no graph is refused by the verification
            facts["opset"] = opset_of_graph((root / path).read_bytes())
    return facts


def _check_status(status: TrainingStatus) -> None:
    hint = "Run the training step until it ends with status ok."
    if status.status != "ok" or status.objective_status != "ready_for_bundle":
        named = status.root_cause != "none" and _REASON.fullmatch(status.root_cause)
        raise BundleError(
            "The training did not end ready for a bundle.",
            reason=status.root_cause if named else "status_not_ready",
            hint=hint,
        )
    for name in ("config_sha256", "dataset_sha256"):
        if not is_digest(getattr(status, name)):
            raise BundleError(f"The training status gives no valid {name}.", reason=f"invalid_{name}", hint=hint)


def _sources(
    status: TrainingStatus, eval_path: Path | None, base: Path, extra_files: Sequence[Path]
) -> dict[str, Path]:
    """Bundle name -> file to copy, sorted by name."""
    if not status.artifacts:
        raise BundleError(
            "The training status names no artifacts.",
            reason="no_bundle_artifacts",
            hint="Run the training step again; it lists the checkpoints that it saved.",
        )
    given = [(Path(artifact).name, base / artifact, artifact) for artifact in status.artifacts]
    given += [(path.name, path, path.as_posix()) for path in extra_files]
    if eval_path is not None:
        given.append((EVALUATION, eval_path, eval_path.as_posix()))
    for _, path, shown in given:
        if not path.exists():
            raise BundleError(
                f"The artifact {shown} is not there.",
                reason=f"bundle_artifact_missing:{shown}",
                hint="Run the step that makes it again.",
            )
    if eval_path is not None:
        _check_evaluation(eval_path)
    check_paths([*(name for name, _, _ in given), ATTRIBUTION])
    return {name: path for name, path, _ in sorted(given)}


def _check_evaluation(path: Path) -> None:
    try:
        parsed = files.read_json(path)
    except files.InvalidJsonError as error:
        raise BundleError(
            f"The evaluation {path} is not acceptable JSON: {error}.",
            reason="evaluation_invalid",
            hint="Run the evaluation step again.",
        ) from error
    if not isinstance(parsed, dict):
        raise BundleError(
            f"The evaluation {path} is not a JSON object.",
            reason="evaluation_invalid",
            hint="Run the evaluation step again.",
        )


def weights_references(
    selected: AllowlistEntry,
    vocoder: AllowlistEntry | None,
    loaded: LoadedAllowlist,
    base: Path,
    in_graph: AllowlistEntry | None = None,
) -> WeightsReferences:
    """The manifest's `weights_refs`: ids and licences of the base checkpoints, and the list that let them through.

    `in_graph` is the base of the graph's vocoder, where that is none that NeMo knows.
    """
    stated = WeightsReferences(
        **_reference(selected),
        vocoder=WeightsReference(**_reference(vocoder)) if vocoder else None,
        allowlist=AllowlistReference(path=portable(loaded.path, base), sha256=loaded.sha256),
    )
    if in_graph is None:
        return stated
    runtime_vocoder = WeightsReference(**_reference(in_graph))
    return WeightsReferencesOfGraph(**vars(stated), runtime_vocoder=runtime_vocoder)


def _reference(entry: AllowlistEntry) -> dict[str, str | None]:
    return {
        "id": entry.id,
        "weights_license": entry.weights_license,
        "code_license": entry.code_license,
        "license_url": entry.license_url,
    }


def _manifest(
    status: TrainingStatus, commit: str, references: WeightsReferences, digests: list[Digest]
) -> ProductionManifest:
    return ProductionManifest(
        bundle_version="prod_tts_voice_bundle/1",
        commit=commit,
        config_sha256=status.config_sha256,
        dataset_sha256=status.dataset_sha256,
        weights_refs=references,
        dry_run=status.dry_run,
        vocoder=status.vocoder,
        objective_status=status.objective_status,
        files=tuple(FileEntry(path=d.path, bytes=d.bytes, sha256=d.sha256) for d in sorted(digests)),
    )


def attribution_text(entries: Iterable[AllowlistEntry], data_notice: str = "") -> str:
    """One block per entry, in the order given, then the notice of the recordings if there is one.

    Args:
        entries: the weights that were used; a repeated entry is named once.
        data_notice: notice of the recordings that the voice was trained on.
    """
    blocks = ["This voice was made with the following works. Keep this file with it."]
    for entry in {entry.id: entry for entry in entries}.values():
        facts = [
            f"{entry.id} ({entry.provider})",
            f"Weights licence: {entry.weights_license}",
            f"Code licence:    {entry.code_license}",
            f"Licence text:    {entry.license_url}",
        ]
        if entry.source:
            facts.append(f"Source:          {entry.source}")
        blocks.append("\n".join([_RULE, *facts, "", entry.attribution.strip() or "No attribution required."]))
    if data_notice.strip():
        blocks.append("\n".join([_RULE, "Training recordings", "", data_notice.strip()]))
    return "\n\n".join(blocks) + "\n"
