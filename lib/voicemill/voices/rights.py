"""A warning about recordings whose licence may not allow a commercial voice."""

from __future__ import annotations

from voicemill.dataset.rights import Rights
from voicemill.weights import licence as spdx


def warning(held: Rights | None) -> str | None:
    """A sentence for the operator when the stated licence may not allow a commercial voice."""
    if held is None or held.licence is None:
        return None
    judged = spdx.judge(held.licence)
    if judged.permitted or held.licence.startswith("LicenseRef-"):
        return None
    return f"The licence of the recordings may not allow a commercial voice: {judged.why}."
