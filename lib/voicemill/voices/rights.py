"""Consent and licence from the command line; the licence must be an SPDX expression."""

from __future__ import annotations

from voicemill.dataset import rights
from voicemill.dataset.rights import Rights
from voicemill.errors import UsageError
from voicemill.weights import licence as spdx


def parse_rights(consent: str | None, licence: str | None) -> Rights | None:
    """Rights as the operator stated them; None when neither is given.

    A licence that forbids commercial use is recorded as well: it is a fact about the recordings, and `warning` says so.

    Args:
        consent: a file with the statement of the speaker, or the statement itself.
        licence: SPDX expression of the recordings' licence, or a `LicenseRef-` name of your own.

    Raises:
        UsageError: `licence_invalid`, `consent_missing`, `consent_unreadable`.
    """
    if licence is None:
        return rights.stated(consent, None)
    expression = spdx.expression(licence)
    if expression is None:
        raise UsageError(
            f"{licence[:80]!r} is not an SPDX licence expression.",
            reason="licence_invalid",
            hint="Name a licence as spdx.org/licenses does, for instance CC-BY-4.0, or LicenseRef-<name> for your own.",
        )
    return rights.stated(consent, expression)


def warning(held: Rights | None) -> str | None:
    """A sentence for the operator when the stated licence may not allow a commercial voice."""
    if held is None or held.licence is None:
        return None
    judged = spdx.judge(held.licence)
    if judged.permitted or held.licence.startswith("LicenseRef-"):
        return None
    return f"The licence of the recordings may not allow a commercial voice: {judged.why}."
