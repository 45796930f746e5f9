"""The signature row of the checklist: was this very bundle signed by the holder of that key?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from voicemill.bundle.differences import BundleCheck
from voicemill.bundle.statements import check_signature, signature_path
from voicemill.errors import NotAcceptableError, UsageError
from voicemill.verify.rows import Row

TITLE = "Signature"


@dataclass(frozen=True)
class Demand:
    """How a signature is to be checked.

    Attributes:
        public_key: of whoever should have signed.
        signature: the file, if not beside the bundle.
        required: no signature is no less a refusal than a wrong one.
    """

    public_key: Path | None
    signature: Path | None = None
    required: bool = False


def signature_row(check: BundleCheck, demand: Demand) -> Row:
    """Check the signature; files that `check` hashed are not hashed again.

    Raises:
        UsageError: a signature is required and no key is given, or the key cannot be used.
    """
    if demand.public_key is None:
        raise UsageError("--require-signature needs --public-key.", hint="Give the signer's public key.")
    path = demand.signature or signature_path(check.root)
    if not os.path.lexists(path) and not demand.required:
        return Row("signature", TITLE, False, f"there is none at {path}", certification_only=True)
    try:
        check_signature(check.root, path, demand.public_key, check.digests)
    except NotAcceptableError as error:
        return Row("signature", TITLE, False, f"{error.reason}: {error}")
    return Row("signature", TITLE, True, f"by the key {demand.public_key.name}")
