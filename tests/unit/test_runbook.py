"""The runbook's table of reasons is complete: every reason that the code can give, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# Reasons that the patterns below do not find, because the code assembles or returns them.
COMPOSED = {
    "too_long",
    "clipped",
    "noisy",
    "no_text",
    "extra_speech",
    "repeated_take",
    "narrow_band",
    "long_silence",
    "misheard",
    "speaking_rate",
    "other_voice",
    "duplicate",
    "dropped_in_review",
    "invalid_config_sha256",
    "invalid_dataset_sha256",
    "config_missing",
    "config_invalid",
    "bad_usage",
    "interrupted",
    "disk_full",
    "unlisted_file",
    "not_writable",
    "dry_run_not_promotable",
}
EXITS = {"1", "2", "3", "130, 143", "137", "clip", "http"}


def table(repository: Path) -> list[tuple[list[str], str]]:
    """The rows of the table: reasons, exit code."""
    page = (repository / "docs/runbook.md").read_text(encoding="utf-8")
    cells = [line.strip("| ").split(" | ") for line in page.split("### Reasons\n")[1].splitlines() if line[:3] == "| `"]
    return [(re.findall(r"`([a-z][a-z0-9_-]+)`", row[0]), row[1]) for row in cells]


def test_runbook_lists_exactly_the_reasons_of_the_code(repository: Path) -> None:
    sources = [path for folder in ("lib", "apps", "scripts") for path in sorted((repository / folder).rglob("*.py"))]
    found: set[str] = set()
    for path in sources:
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'reason(?:: str)?\s*=\s*f?"([a-z][a-z0-9_-]+)', text))
        found |= set(re.findall(r'(?:return |why = |refused\(\s*)f?"((?:casimir|signature)_[a-z_]+)', text))
    for path in [repository / "run", repository / "run-direct", *sorted(repository.rglob("*/*.sh"))]:
        if path.relative_to(repository).parts[0] in ("run", "run-direct", "docker", "scripts"):
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r'(?:\brefuse "?|\[error\] )([a-z]+(?:_[a-z]+)+)\b', text))
    found = {reason for reason in found if not reason.endswith("_")} | COMPOSED
    rows = table(repository)
    documented = {reason for reasons, _ in rows for reason in reasons}
    assert len(documented) == sum(len(reasons) for reasons, _ in rows), "a reason has two rows"
    assert {exits for _, exits in rows} == EXITS
    assert documented >= found, f"not in the runbook: {sorted(found - documented)}"
    assert found >= documented, f"given by nothing: {sorted(documented - found)}"


@pytest.mark.slow
def test_every_reason_of_the_runbook_is_named_by_a_test_that_brings_it_about(repository: Path) -> None:
    tests = [path for path in (repository / "tests").rglob("*") if path.suffix in (".py", ".sh")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests if path != Path(__file__))
    documented = {reason for reasons, _ in table(repository) for reason in reasons if "-" not in reason}
    assert sorted(reason for reason in documented if not re.search(rf"\b{reason}\b", text)) == []
