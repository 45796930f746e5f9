"""Signed statements about a bundle: its files (model-signing), provenance (SLSA), bill of materials (CycloneDX)."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicemill import __version__, files
from voicemill.bundle.contents import GRAPH, LEXICON, Digest, digest_file, walk
from voicemill.bundle.differences import check_bundle
from voicemill.bundle.manifest import MANIFEST, LoadedManifest, PromotedManifest, source_manifest
from voicemill.bundle.signing import (
    MAX_SIGNATURE_BYTES,
    Statement,
    read_private_key,
    read_public_key,
    refused,
    sign_dsse,
    verify_dsse,
)
from voicemill.errors import BundleFileError
from voicemill.weights import gate

SIGNATURE = "voice_bundle.sig"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MODEL_PREDICATE = "https://model_signing/signature/v1.0"
PROVENANCE_PREDICATE = "https://slsa.dev/provenance/v1"
COMPANIONS = "voicemill_companions"
BUILD_TYPE = "urn:voicemill:build:voice-bundle:v1"
_NAMESPACE = uuid.UUID("6c1c2b0e-6f0a-5a58-8c83-6a7d8d0f3a51")
"""For serial numbers that follow from the bundle."""


def model_statement(name: str, found: list[Digest], companions: Mapping[str, str]) -> Statement:
    """The statement that model-signing 1.1 makes of a folder of this name, with method `files` and sha256.

    Args:
        name: of the folder.
        found: digests of its files.
        companions: sha256 of the files beside the signature, by name; our own addition, which model-signing ignores.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _together([each.sha256 for each in found])}}],
        "predicateType": MODEL_PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": each.path, "algorithm": "sha256", "digest": each.sha256} for each in found],
            COMPANIONS: dict(companions),
        },
    }


def check_model_statement(statement: Statement, present: Mapping[str, str]) -> None:
    """Compare a verified statement with a folder: the same files, the same bytes, nothing beside them.

    Args:
        statement: whose signature holds.
        present: sha256 of every file in the folder, by path.

    Raises:
        NotAcceptableError: `signature_malformed`, or `signature_mismatch` naming the first files.
    """
    try:
        if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, MODEL_PREDICATE):
            raise refused("signature_malformed", "The signed statement is not a list of model files.")
        how = statement["predicate"]["serialization"]
        if (how["method"], how["hash_type"], how.get("allow_symlinks", False)) != ("files", "sha256", False):
            raise refused("signature_malformed", "The signature was made over other digests than plain files' sha256.")
        resources = statement["predicate"]["resources"]
        signed = {each["name"]: each["digest"] for each in resources if each["algorithm"] == "sha256"}
        subject = [each["digest"]["sha256"] for each in statement["subject"]]
        complete = len(signed) == len(resources)
        together = _together([each["digest"] for each in resources])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise refused("signature_malformed", "The signed statement lacks a part.") from error
    differing = sorted(name for name in {*signed, *present} if signed.get(name) != present.get(name))
    if differing or not complete:
        raise refused("signature_mismatch", f"The bundle differs from the signed one: {', '.join(differing[:5])}.")
    if subject != [together]:
        raise refused("signature_mismatch", "The statement's subject is not the digest of its files.")


def _present(root: Path, known: Mapping[str, Digest]) -> dict[str, str]:
    listing = walk(root)
    if listing.irregular:
        raise refused("signature_mismatch", f"Not a regular file: {listing.irregular[0]}.")
    try:
        found = [known.get(path) or digest_file(root, path) for path in listing.regular]
    except BundleFileError as error:
        raise refused("signature_mismatch", f"The bundle changed meanwhile: {error}") from error
    return {each.path: each.sha256 for each in found}


def _together(hex_digests: list[str]) -> str:
    """model-signing's digest of a model: sha256 over the raw digests, in the order in which they are listed."""
    return hashlib.sha256(b"".join(map(bytes.fromhex, hex_digests))).hexdigest()


def provenance(loaded: LoadedManifest, found: list[Digest], byproducts: Mapping[str, str]) -> Statement:
    """A SLSA provenance statement: the bundle's inputs and builder, from its manifest.

    Args:
        loaded: the manifest.
        found: digests of the bundle's files.
        byproducts: sha256 of the other files that were written with it, by name.
    """
    source = _source(loaded)
    references = source.get("weights_refs") or {}
    dependencies = [
        _dependency("dataset", source.get("dataset_sha256")),
        _dependency("config", source.get("config_sha256")),
        {"name": "voicemill", "digest": {"gitCommit": source.get("commit")}},
    ]
    weights = [each for each in (references, references.get("vocoder"), references.get("runtime_vocoder")) if each]
    dependencies += [{"name": each["id"], "annotations": _licences(each)} for each in weights if each.get("id")]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": each.path, "digest": {"sha256": each.sha256}} for each in found],
        "predicateType": PROVENANCE_PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"config_sha256": source.get("config_sha256"), "vocoder": source.get("vocoder")},
                "internalParameters": {},
                "resolvedDependencies": [each for each in dependencies if each],
            },
            "runDetails": {
                "builder": {"id": "urn:voicemill:builder:v1", "version": {"voicemill": __version__}},
                "metadata": {"invocationId": source.get("artifact_sha256") or loaded.sha256},
                "byproducts": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in byproducts.items()],
            },
        },
    }


def bill_of_materials(loaded: LoadedManifest, found: list[Digest], fallback: str) -> Statement:
    """A CycloneDX 1.6 ML-BOM: the models with their licences, the dataset, the files; `fallback` names what no profile
    does.
    """
    source = _source(loaded)
    name = loaded.manifest.voice_profile_id if isinstance(loaded.manifest, PromotedManifest) else fallback
    references = source.get("weights_refs") or {}
    origins = {
        "fastpitch.nemo": references,
        "hifigan.nemo": references.get("vocoder") or {},
        GRAPH: references.get("runtime_vocoder") or references,
        LEXICON: {"id": gate.LEXICON_WEIGHTS, "weights_license": "BSD-2-Clause"},
    }
    components = [_component(each, origins.get(each.path)) for each in found if each.path != MANIFEST]
    dataset = {
        "type": "data",
        "bom-ref": "dataset",
        "name": f"{name} recordings",
        "hashes": _hash(source.get("dataset_sha256")),
        "data": [{"type": "dataset", "name": f"{name} recordings"}],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, loaded.sha256)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "voicemill", "version": __version__}]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "voice",
                "name": name,
                "hashes": _hash(loaded.sha256),
                "modelCard": {
                    "modelParameters": {
                        "task": "text-to-speech",
                        "architectureFamily": "FastPitch",
                        "datasets": [{"ref": "dataset"}],
                    }
                },
            },
        },
        "components": [*components, {key: value for key, value in dataset.items() if value}],
    }


def _source(loaded: LoadedManifest) -> dict[str, Any]:
    if isinstance(loaded.manifest, PromotedManifest):
        return source_manifest(loaded.raw["provenance"])
    return loaded.raw


def _component(each: Digest, origin: dict[str, Any] | None) -> dict[str, Any]:
    model = each.path.endswith((".nemo", ".onnx"))
    component: dict[str, Any] = {
        "type": "machine-learning-model" if model else "file",
        "bom-ref": each.path,
        "name": each.path,
        "hashes": _hash(each.sha256),
    }
    if origin and origin.get("id"):
        component["description"] = f"{'trained' if model else 'derived'} from {origin['id']}"
        component["licenses"] = [{"license": _licence(str(origin["weights_license"]))}]
    return component


def _licence(name: str) -> dict[str, str]:
    """A `LicenseRef-` is no SPDX id: CycloneDX wants it as a name."""
    return {"name": name} if name.startswith("LicenseRef-") else {"id": name}


def _licences(reference: dict[str, Any]) -> dict[str, Any]:
    return {name: reference.get(name) for name in ("weights_license", "code_license", "license_url")}


def _dependency(name: str, sha256: object) -> dict[str, Any] | None:
    return {"name": name, "digest": {"sha256": sha256}} if sha256 else None


def _hash(sha256: object) -> list[dict[str, object]]:
    return [{"alg": "SHA-256", "content": sha256}] if sha256 else []


def sign_bundle(root: Path, key: Path, signature: Path | None = None) -> list[Path]:
    """Sign a bundle; write its signature, provenance and bill of materials beside its folder.

    Args:
        root: folder of the bundle.
        key: private key, see `signing.read_private_key`.
        signature: where the signature goes; `voice_bundle.sig` beside the folder when None. Provenance (signed too) and
            bill of materials go beside it under the same stem.

    Returns:
        The files written: signature, signed provenance, bill of materials.

    Raises:
        UsageError: the key or the folder cannot be used.
        NotAcceptableError: `verification_failed`: the bundle differs from its manifest.
        StorageError: something cannot be written.
    """
    private = read_private_key(key)
    check = check_bundle(root)
    if check.loaded is None:
        raise RuntimeError("a checked bundle has a manifest")
    loaded, found = check.loaded, sorted(check.digests.values())
    target = signature or signature_path(root)
    proof, materials = _companions(target)
    text = files.dump_json(bill_of_materials(loaded, found, root.name))
    byproducts = {materials.name: files.sha256_bytes(text.encode("utf-8"))}
    files.write_text(materials, text)
    signed = files.dump_json(sign_dsse(provenance(loaded, found, byproducts), private))
    files.write_text(proof, signed)
    companions = {**byproducts, proof.name: files.sha256_bytes(signed.encode("utf-8"))}
    files.write_json(target, sign_dsse(model_statement(root.name, found, companions), private))
    return [target, proof, materials]


def _companions(signature: Path) -> tuple[Path, Path]:
    """Paths of the signed provenance and the bill of materials, beside the signature with its stem."""
    stem = signature.with_suffix("").name
    return signature.with_name(f"{stem}.provenance.sig"), signature.with_name(f"{stem}.cdx.json")


def signature_path(root: Path) -> Path:
    """Path of the signature of the bundle folder `root`: beside it, because the folder holds listed files only."""
    return root.resolve().parent / SIGNATURE


def check_signature(root: Path, signature: Path, public_key: Path, known: Mapping[str, Digest]) -> None:
    """Verify a signature file against a public key and the bundle on disk.

    Args:
        root: the bundle's folder.
        signature: the file.
        public_key: of whoever should have signed.
        known: digests of the bundle's files that were computed already, by path.

    Raises:
        UsageError: the key cannot be used.
        NotAcceptableError: `signature_missing`, and see `signing.verify_dsse` and `check_model_statement`. Signed
            provenance and a bill of materials beside it must hold as well where they are there.
    """
    key = read_public_key(public_key)
    if not os.path.lexists(signature):
        raise refused("signature_missing", f"There is no signature at {signature}.")
    present = _present(root, known)
    statement = verify_dsse(_read(signature), key)
    check_model_statement(statement, present)
    proof, materials = _companions(signature)
    _check_companions(statement, signature)
    if os.path.lexists(proof):
        _check_provenance(verify_dsse(_read(proof), key), present, materials)
    elif os.path.lexists(materials):
        raise refused("signature_mismatch", f"{materials.name} is not covered by a signed provenance.")


def _check_companions(statement: Statement, signature: Path) -> None:
    """Every file that was signed together with the bundle is beside the signature, unchanged.

    Signatures of other programs, and ours before this was recorded, name none.
    """
    named = statement["predicate"].get(COMPANIONS, {})
    known = {path.name: path for path in _companions(signature)}
    if not isinstance(named, dict) or not set(named) <= set(known):
        raise refused("signature_malformed", "The signed statement names unknown files beside the signature.")
    for name, sha256 in named.items():
        if not os.path.lexists(known[name]):
            raise refused("signature_missing", f"{name} is missing; it was signed together with the bundle.")
        if files.sha256_bytes(_read(known[name])) != sha256:
            raise refused("signature_mismatch", f"{name} is not the one that was signed.")


def _check_provenance(statement: Statement, present: Mapping[str, str], materials: Path) -> None:
    """Signed provenance belongs to this bundle, and the bill of materials beside it is the one that was made then."""
    try:
        subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
        byproducts = statement["predicate"]["runDetails"].get("byproducts", [])
        made = {each["name"]: each["digest"]["sha256"] for each in byproducts}
        kind = statement["predicateType"]
    except (KeyError, TypeError, AttributeError) as error:
        raise refused("signature_malformed", "The signed provenance lacks a part.") from error
    if kind != PROVENANCE_PREDICATE or subjects != dict(present):
        raise refused("signature_mismatch", "The signed provenance belongs to another bundle.")
    if materials.name not in made:
        return
    if not os.path.lexists(materials):
        raise refused("signature_missing", f"{materials.name} is missing; the signed provenance names it.")
    if made[materials.name] != files.sha256_bytes(_read(materials)):
        raise refused("signature_mismatch", f"{materials.name} is not the one that was signed.")


def _read(path: Path) -> bytes:
    try:
        return files.read_bounded(path, MAX_SIGNATURE_BYTES)
    except OSError as error:
        raise refused("signature_malformed", f"{path.name} cannot be read: {error.strerror}.") from error
