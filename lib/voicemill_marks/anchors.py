"""The operator's trusted anchors: certificates under which the name of a signer counts as verified."""

from __future__ import annotations

import os
from pathlib import Path

from voicemill.errors import UsageError

TRUST_VARIABLE = "VOICEMILL_MARKS_TRUST"
MAX_BYTES = 1024 * 1024


def read_anchors(path: Path) -> str:
    """The certificates of a PEM file, as text.

    Raises:
        UsageError: `trust_unreadable:<path>`: it cannot be read or has no certificate.
    """
    from cryptography import x509

    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is too large")
        x509.load_pem_x509_certificates(data)
        return data.decode("ascii")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} holds no trusted certificates.",
            reason=f"trust_unreadable:{path}",
            hint="Give a PEM file with the certificates of the authorities whose signatures you trust.",
        ) from error


def anchors_of_environment() -> str | None:
    """The certificates of the file that VOICEMILL_MARKS_TRUST names; None where it is not set.

    Raises:
        UsageError: see `read_anchors`.
    """
    path = os.environ.get(TRUST_VARIABLE)
    return read_anchors(Path(path)) if path else None
