"""The figures of stability as a section of a voice's report, which was written before they were measured."""

from __future__ import annotations

from pathlib import Path

from voicemill import files
from voicemill.evaluation.pages import render
from voicemill.verify.stability import Stability

TEMPLATE = Path(__file__).with_name("stability_section.html.j2")
BEGIN, END = "<!-- stability: begin -->", "<!-- stability: end -->"
"""Marks of the section's place, which the report's template has."""
MOST_SENTENCES = 50
_LABELS = {
    "recogniser": "far from the text",
    "length": "wrong length or rate",
    "silence": "silent, or a long gap",
    "clipping": "clipped",
    "repeat": "other samples the second time",
}


def add_to_report(path: Path, found: Stability) -> bool:
    """Put the figures into a report, in place of earlier ones.

    Args:
        path: of the report; one that is missing, of another bundle or of an older version is left alone.
        found: the figures; the report must name their bundle's manifest.

    Returns:
        Whether the report has them now.

    Raises:
        StorageError: the report cannot be written.
    """
    try:
        document = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or found.bundle_manifest_sha256 not in document:
        return False
    files.write_bytes(path, f"{before}{BEGIN}\n{section(found)}\n{END}{after}".encode())
    return True


def section(found: Stability) -> str:
    """The section as HTML; texts are escaped."""
    rows = [
        ("sentences", str(found.count)),
        ("came out wrong", str(found.failed)),
        *((_LABELS[failure], str(count)) for failure, count in found.failures.items()),
        ("word error rate", f"{100 * found.word_error_rate:.1f} %"),
        ("speech", f"{found.seconds_of_speech:.0f} s"),
        ("recogniser", found.recogniser),
        ("seed of the sentences", str(found.seed)),
    ]
    return render(TEMPLATE, found=found, rows=rows, most=MOST_SENTENCES).strip()
