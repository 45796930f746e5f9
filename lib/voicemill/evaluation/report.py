"""One HTML file that shows and plays a trained voice: players, plots, tables, licences.

It is self-contained: sound, pictures, style and script lie in the file, and a content security policy forbids it to
load anything else. It opens from a disk, a mail attachment or a build server alike.
"""

from __future__ import annotations

from pathlib import Path

from voicemill import files
from voicemill.evaluation.contents import ReportData

TEMPLATE = Path(__file__).with_name("report.html.j2")


def render_report(data: ReportData) -> str:
    """The report as one HTML document."""
    from voicemill.evaluation.page import render
    from voicemill.evaluation.view import report_view

    return render(TEMPLATE, view=report_view(data))


def write_report(path: Path, data: ReportData) -> int:
    """Write the report atomically and return its size in bytes.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    document = render_report(data).encode("utf-8")
    files.write_bytes(path, document)
    return len(document)
