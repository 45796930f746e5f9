"""The key and certificates that sign the metadata of sounds.

C2PA wants a chain: a certificate for signing and the one of its issuer. An operator's chain comes from a certificate
authority. Without one voicemill makes a chain itself: it proves that a file was not changed, and not who signed it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.x509 import Certificate, Name

SELF_MADE = "self-made by voicemill"
"""Organisation in the certificates of a chain that no authority issued."""
KEY_VARIABLE, CHAIN_VARIABLE = "VOICEMILL_MARKS_KEY", "VOICEMILL_MARKS_CHAIN"
DAYS = 3650
_EARLIER = timedelta(hours=1)


@dataclass(frozen=True)
class MarkSigner:
    """A private key and its certificates.

    Attributes:
        chain: PEM, the signing certificate first.
    """

    key: EllipticCurvePrivateKey
    chain: str

    def sign(self, data: bytes) -> bytes:
        """The ES256 signature: r and s, 32 bytes each."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        numbers = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in numbers)

    @classmethod
    def open(cls, key: Path, chain: Path) -> MarkSigner:
        """A key and its chain from PEM files.

        Raises:
            UsageError: `key_unreadable:<path>`, `chain_unreadable:<path>`, `chain_expired:<path>`,
                `chain_of_another_key:<path>`, or `chain_broken:<path>`: a certificate was not issued by the next one.
        """
        from cryptography import x509

        private = _private_key(key)
        try:
            text = chain.read_text("ascii")
            certificates = x509.load_pem_x509_certificates(text.encode("ascii"))
        except (OSError, ValueError) as error:
            raise _unusable(chain, "holds no certificates", reason=f"chain_unreadable:{chain}") from error
        if certificates[0].public_key() != private.public_key():
            raise _unusable(chain, "begins with the certificate of another key", reason=f"chain_of_another_key:{chain}")
        if min(each.not_valid_after_utc for each in certificates) < datetime.now(UTC):
            raise _unusable(chain, "has expired", reason=f"chain_expired:{chain}")
        for one, issuer in itertools.pairwise(certificates):
            _check_issuer(one, issuer, chain)
        return cls(private, text)

    @classmethod
    def make(cls, name: str = "unknown operator", days: int = DAYS) -> MarkSigner:
        """A new key with a self-made chain."""
        from cryptography.hazmat.primitives.asymmetric import ec

        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, self_made_chain(private.public_key(), name, days))

    @classmethod
    def find(cls, folder: Path) -> MarkSigner:
        """The signer of the environment, or the self-made one of a folder, which is made if it is not there.

        Args:
            folder: for `marks.key.pem` and `marks.chain.pem`; where it cannot be written, the signer is not kept.
        """
        key, chain = os.environ.get(KEY_VARIABLE), os.environ.get(CHAIN_VARIABLE)
        if key or chain:
            if not (key and chain):
                raise UsageError(
                    f"{KEY_VARIABLE} and {CHAIN_VARIABLE} belong together.",
                    reason="marks_key_without_chain",
                    hint="Set both, or neither.",
                )
            return cls.open(Path(key), Path(chain))
        own_key, own_chain = folder / "marks.key.pem", folder / "marks.chain.pem"
        try:
            return cls.open(own_key, own_chain)
        except UsageError:
            signer = cls.make()
        with contextlib.suppress(OSError):
            signer.save(own_key, own_chain)
        return signer

    def save(self, key: Path, chain: Path) -> None:
        """Write both files, the key with mode 0600."""
        from cryptography.hazmat.primitives import serialization

        from voicemill import files

        data = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
        files.write_text(chain, self.chain)


def write_self_made_chain(key: Path, chain: Path, name: str) -> None:
    """Write a self-made chain for a private key in a PEM file."""
    from voicemill import files

    private = _private_key(key)
    files.write_text(chain, self_made_chain(private.public_key(), name))


def self_made_chain(key: EllipticCurvePublicKey, name: str, days: int = DAYS) -> str:
    """Certificates for a key, PEM: its own, and its issuer's, whose private key is discarded."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _name(f"{name} (issuer)")
    own = _certificate(_name(name), issuer, key, authority, days, authority_certificate=False)
    root = _certificate(issuer, issuer, authority.public_key(), authority, days, authority_certificate=True)
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in (own, root))


def _name(common_name: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, SELF_MADE),
        ]
    )


def _certificate(
    subject: Name,
    issuer: Name,
    key: EllipticCurvePublicKey,
    authority: EllipticCurvePrivateKey,
    days: int,
    *,
    authority_certificate: bool,
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    end = datetime.now(UTC) + timedelta(days=days)
    start = min(datetime.now(UTC), end) - _EARLIER
    usage = x509.KeyUsage(
        digital_signature=not authority_certificate,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority_certificate,
        crl_sign=authority_certificate,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority_certificate, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .add_extension(usage, critical=True)
    )
    if not authority_certificate:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])  # one of those that C2PA accepts
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(authority, hashes.SHA256())


def _check_issuer(certificate: Certificate, issuer: Certificate, chain: Path) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as error:
        why = "has a certificate that the next one did not issue"
        raise _unusable(chain, why, reason=f"chain_broken:{chain}") from error


def _private_key(path: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(path, "is not a private key", reason=f"key_unreadable:{path}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise _unusable(path, "is not a P-256 key", reason=f"key_unreadable:{path}")
    return private


def _unusable(path: Path, why: str, *, reason: str) -> UsageError:
    return UsageError(f"{path} {why}.", reason=reason, hint="voice-bundle keygen --chain makes key and certificates.")
