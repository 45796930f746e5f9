"""Every reason that the code can give stands in the runbook's tables, and the tables hold no reason that nothing
gives."""

from __future__ import annotations

import re
from pathlib import Path

# Reasons that are put together from parts, with where.
COMPOSED = {
    "too_long",
    "clipped",
    "noisy",
    "no_text",
    "extra_speech",
    "repeated_take",
    "dropped_in_review",
    "invalid_config_sha256",
    "invalid_dataset_sha256",
    "config_missing",
    "config_invalid",
    "bad_usage",
    "interrupted",
    "disk_full",
    "not_writable",
}


def test_runbook_lists_exactly_the_reasons_of_the_code(repository: Path) -> None:
    sources = [path for folder in ("lib", "apps", "scripts") for path in sorted((repository / folder).rglob("*.py"))]
    found: set[str] = set()
    for path in sources:
        found |= set(re.findall(r'reason(?:: str)?\s*=\s*f?"([a-z][a-z0-9_]+)', path.read_text(encoding="utf-8")))
    found = {reason for reason in found if not reason.endswith("_")} | COMPOSED
    documented: set[str] = set()
    for line in (repository / "docs/runbook.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            documented |= set(re.findall(r"`([a-z][a-z0-9_]+)`", line.split("|")[1]))
    assert documented >= found, f"not in the runbook: {sorted(found - documented)}"
    assert found >= documented, f"given by nothing: {sorted(documented - found)}"
