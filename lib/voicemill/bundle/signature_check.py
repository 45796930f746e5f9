"""Checks a bundle's signature, and the files that were signed with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from voicemill import files
from voicemill.bundle.contents import Digest, digest_file, walk
from voicemill.bundle.signing import Statement, read_public_key, refused, verify_dsse
from voicemill.bundle.statements import (
    BESIDE,
    COMPANIONS,
    MODEL_PREDICATE,
    PROVENANCE_PREDICATE,
    SIGNED_BESIDE,
    STATEMENT_TYPE,
    companions_of,
    digest_beside,
    digest_together,
    read_beside,
)
from voicemill.errors import BundleFileError


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
    statement = verify_dsse(read_beside(signature), key)
    check_model_statement(statement, present)
    proof, materials = companions_of(signature)
    _check_companions(statement, signature)
    _check_beside(statement, root.resolve().parent)
    if os.path.lexists(proof):
        _check_provenance(verify_dsse(read_beside(proof), key), present, materials)
    elif os.path.lexists(materials):
        raise refused("signature_mismatch", f"{materials.name} is not covered by a signed provenance.")


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
        together = digest_together([each["digest"] for each in resources])
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


def _check_companions(statement: Statement, signature: Path) -> None:
    """Every file that was signed together with the bundle is beside the signature, unchanged.

    Signatures of other programs, and ours before this was recorded, name none.
    """
    named = statement["predicate"].get(COMPANIONS, {})
    known = {path.name: path for path in companions_of(signature)}
    if not isinstance(named, dict) or not set(named) <= set(known):
        raise refused("signature_malformed", "The signed statement names unknown files beside the signature.")
    for name, sha256 in named.items():
        if not os.path.lexists(known[name]):
            raise refused("signature_missing", f"{name} is missing; it was signed together with the bundle.")
        if files.sha256_bytes(read_beside(known[name])) != sha256:
            raise refused("signature_mismatch", f"{name} is not the one that was signed.")


def _check_beside(statement: Statement, folder: Path) -> None:
    """The other files beside the bundle are as they were when it was signed; earlier signatures name none."""
    named = statement["predicate"].get(BESIDE, {})
    if not isinstance(named, dict) or not set(named) <= set(SIGNED_BESIDE):
        raise refused("signature_malformed", "The signed statement names unknown files beside the bundle.")
    for name, sha256 in named.items():
        found = digest_beside(folder / name)
        if found is None and sha256 is not None:
            raise refused("signature_missing", f"{name} is missing; it was signed together with the bundle.")
        if found != sha256:
            raise refused("signature_mismatch", f"{name} is not as it was when the bundle was signed.")


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
    if made[materials.name] != files.sha256_bytes(read_beside(materials)):
        raise refused("signature_mismatch", f"{materials.name} is not the one that was signed.")
