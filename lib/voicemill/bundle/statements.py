"""Signed statements about a bundle: its files (model-signing), provenance (SLSA), bill of materials (CycloneDX)."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voicemill import __version__, files
from voicemill.bundle.contents import (
    CERTIFICATE,
    GRAPH,
    LEXICON,
    SAMPLE_CREDENTIALS,
    STABILITY,
    Digest,
)
from voicemill.bundle.differences import check_bundle
from voicemill.bundle.manifest import MANIFEST, LoadedManifest, PromotedManifest, source_manifest
from voicemill.bundle.signing import (
    MAX_SIGNATURE_BYTES,
    Statement,
    read_private_key,
    refused,
    sign_dsse,
)
from voicemill.weights import gate

SIGNATURE = "voice_bundle.sig"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MODEL_PREDICATE = "https://model_signing/signature/v1.0"
PROVENANCE_PREDICATE = "https://slsa.dev/provenance/v1"
COMPANIONS = "voicemill_companions"
"""Part of the signed statement: sha256 of the files beside the signature, by name."""
BESIDE = "voicemill_beside"
"""Part of the signed statement: sha256 of the other files beside the bundle, by name; null where there was none."""
SIGNED_BESIDE = (SAMPLE_CREDENTIALS, STABILITY, CERTIFICATE)
"""Files beside a bundle that are signed with it. Only a certificate may be made later: it is always measured again."""
MAX_BESIDE_BYTES = 1 << 25
BUILD_TYPE = "urn:voicemill:build:voice-bundle:v1"
_NAMESPACE = uuid.UUID("6c1c2b0e-6f0a-5a58-8c83-6a7d8d0f3a51")
"""For serial numbers that follow from the bundle."""


def model_statement(
    name: str, found: list[Digest], companions: Mapping[str, str], beside: Mapping[str, str | None] | None = None
) -> Statement:
    """The statement that model-signing 1.1 makes of a folder of this name, with method `files` and sha256.

    Args:
        name: of the folder.
        found: digests of its files.
        companions: sha256 of the files beside the signature, by name; our own addition, which model-signing ignores.
        beside: sha256 of the other files beside the folder, see `BESIDE`; another addition of ours.
    """
    own: dict[str, object] = {COMPANIONS: dict(companions)} | ({} if beside is None else {BESIDE: dict(beside)})
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest_together([each.sha256 for each in found])}}],
        "predicateType": MODEL_PREDICATE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
            "resources": [{"name": each.path, "algorithm": "sha256", "digest": each.sha256} for each in found],
        }
        | own,
    }


def digest_together(hex_digests: list[str]) -> str:
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
    proof, materials = companions_of(target)
    text = files.dump_json(bill_of_materials(loaded, found, root.name))
    byproducts = {materials.name: files.sha256_bytes(text.encode("utf-8"))}
    files.write_text(materials, text)
    signed = files.dump_json(sign_dsse(provenance(loaded, found, byproducts), private))
    files.write_text(proof, signed)
    companions = {**byproducts, proof.name: files.sha256_bytes(signed.encode("utf-8"))}
    files.write_json(target, sign_dsse(model_statement(root.name, found, companions, _beside(root)), private))
    return [target, proof, materials]


def _beside(root: Path) -> dict[str, str | None]:
    """sha256 of the files of `SIGNED_BESIDE`; None for one that is not there and must not appear."""
    folder = root.resolve().parent
    found = {name: digest_beside(folder / name) for name in SIGNED_BESIDE}
    return {name: sha256 for name, sha256 in found.items() if sha256 is not None or name != CERTIFICATE}


def digest_beside(path: Path) -> str | None:
    """sha256 of a file beside a bundle; None without one.

    Raises:
        NotAcceptableError: `signature_malformed`: it cannot be read.
    """
    return files.sha256_bytes(read_beside(path, MAX_BESIDE_BYTES)) if os.path.lexists(path) else None


def companions_of(signature: Path) -> tuple[Path, Path]:
    """Paths of the signed provenance and the bill of materials, beside the signature with its stem."""
    stem = signature.with_suffix("").name
    return signature.with_name(f"{stem}.provenance.sig"), signature.with_name(f"{stem}.cdx.json")


def signature_path(root: Path) -> Path:
    """Path of the signature of the bundle folder `root`: beside it, because the folder holds listed files only."""
    return root.resolve().parent / SIGNATURE


def read_beside(path: Path, most: int = MAX_SIGNATURE_BYTES) -> bytes:
    """The bytes of a signature, or of another file beside a bundle.

    Raises:
        NotAcceptableError: `signature_malformed`: it cannot be read, or is too large.
    """
    try:
        return files.read_whole(path, most)
    except OSError as error:
        raise refused("signature_malformed", f"{path.name} cannot be read: {error.strerror}.") from error
