"""Signatures: DSSE envelopes over in-toto statements, as the OpenSSF model-signing format has them.

A signature file is a sigstore bundle with a public key in place of a certificate, so `model_signing verify key` reads
ours and we read its; the envelope itself also verifies with `openssl dgst -sha256 -verify`. ECDSA on P-256 only.
Sources: DSSE protocol v1.0.0, in-toto Statement v1, sigstore bundle v0.3, model-signing 1.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voicemill import files
from voicemill.errors import NotAcceptableError, StorageError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_SIGNATURE_BYTES = 16 * 1024 * 1024
MAX_KEY_BYTES = 64 * 1024

Statement = dict[str, Any]
"""An in-toto statement, as JSON holds it."""


def generate_keys(private: Path, public: Path, *more: Path | None) -> None:
    """Write a new P-256 key pair as PEM; the private key (PKCS #8, no passphrase) is readable by its owner alone.

    Args:
        private: where the private key goes.
        public: where the public key goes.
        more: files that are going to be written beside them and must not exist either.

    Raises:
        UsageError: one of the files exists already (`key_exists:<path>`).
        StorageError: they cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    for path in filter(None, (private, public, *more)):
        if path.exists() or path.is_symlink():
            raise UsageError(
                f"{path} exists already and is not overwritten.",
                reason=f"key_exists:{path}",
                hint="Choose another name, or move the old key away.",
            )
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        # Created for its owner alone: an atomic write would follow the umask at its last step.
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(pem)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        if not isinstance(error, FileExistsError):
            private.unlink(missing_ok=True)
        raise StorageError.from_os_error(error, private) from error
    try:
        files.write_bytes(public, _pem(key.public_key()))
    except StorageError:
        private.unlink(missing_ok=True)  # a half-written pair would block the next attempt
        raise


def read_private_key(path: Path) -> EllipticCurvePrivateKey:
    """A P-256 private key in PEM.

    Raises:
        UsageError: `key_unreadable:<path>`.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_private_key(files.read_bounded(path, MAX_KEY_BYTES), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable_key(path, "a private key in PEM without a passphrase") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unreadable_key(path, "a P-256 key")
    return key


def read_public_key(path: Path) -> EllipticCurvePublicKey:
    """A P-256 public key in PEM.

    Raises:
        UsageError: `key_unreadable:<path>`.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = serialization.load_pem_public_key(files.read_bounded(path, MAX_KEY_BYTES))
    except (OSError, ValueError) as error:
        raise _unreadable_key(path, "a public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unreadable_key(path, "a P-256 key")
    return key


def sign_dsse(statement: Statement, key: EllipticCurvePrivateKey) -> Statement:
    """Sign a statement: the signature file as a JSON object."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    payload = files.dump_json(statement).encode("utf-8")
    signature = key.sign(encoded(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    return {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(_pem(key.public_key())).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode("ascii"), "keyid": ""}],
        },
    }


def verify_dsse(data: bytes, key: EllipticCurvePublicKey) -> Statement:
    """The statement in a signature file; its signature is verified before anything in it is parsed.

    Raises:
        NotAcceptableError: `signature_malformed`, `signature_payload_type`, `signature_invalid`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        envelope = files.parse_json(data, max_bytes=MAX_SIGNATURE_BYTES)["dsseEnvelope"]
        payload_type = envelope["payloadType"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in envelope["signatures"]]
    except (files.InvalidJsonError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise refused("signature_malformed", "The signature is not a DSSE envelope.") from error
    if payload_type != PAYLOAD_TYPE:
        raise refused("signature_payload_type", "The signature is over another kind of document.")
    if len(signatures) != 1:
        raise refused("signature_malformed", "The envelope does not hold exactly one signature.")
    try:
        key.verify(signatures[0], encoded(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise refused(
            "signature_invalid", "The signature was not made with this key, or the signed document was changed."
        ) from error
    try:
        statement = files.parse_json(payload, max_bytes=MAX_SIGNATURE_BYTES)
    except files.InvalidJsonError as error:
        raise refused("signature_malformed", "The signed document is not JSON.") from error
    if not isinstance(statement, dict):
        raise refused("signature_malformed", "The signed document is not a statement.")
    return statement


def encoded(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the signed bytes."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def refused(reason: str, sentence: str) -> NotAcceptableError:
    """The refusal of a signature."""
    return NotAcceptableError(sentence, reason=reason, hint="Get bundle, signature and key again from their sources.")


def _pem(key: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _unreadable_key(path: Path, wanted: str) -> UsageError:
    return UsageError(
        f"{path} is not {wanted}.",
        reason=f"key_unreadable:{path}",
        hint="voice-bundle keygen makes a pair of keys.",
    )
