"""`ATTRIBUTION.txt`: the notices of everything that went into a voice, as the allowlist states them."""

from __future__ import annotations

from collections.abc import Iterable

from voicemill.weights.allowlist import AllowlistEntry

NAME = "ATTRIBUTION.txt"
RULE = "-" * 78


def attribution_text(entries: Iterable[AllowlistEntry], data_notice: str = "") -> str:
    """One block per entry, in the order given, then the notice of the recordings if there is one.

    Args:
        entries: what was used; an entry that comes twice is named once.
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
        blocks.append("\n".join([RULE, *facts, "", entry.attribution.strip() or "No attribution required."]))
    if data_notice.strip():
        blocks.append("\n".join([RULE, "Training recordings", "", data_notice.strip()]))
    return "\n\n".join(blocks) + "\n"
