"""The report, the record and the table of a prepared dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicemill.console import Terminal
    from voicemill.dataset.prepared import PreparedDataset
    from voicemill.workspace import Workspace


def publish(
    prepared: PreparedDataset, workspace: Workspace, terminal: Terminal, workers: int | None, report: bool
) -> list[tuple[str, str]]:
    """Register the voice and write its report where that is asked for; rows for the table."""
    from voicemill.dataset.rights import licence_warning
    from voicemill.review.dataset_page import write_report
    from voicemill.voices import registry

    registry.register(prepared.root, workspace)
    shown = []
    path, described = prepared.root / "report.html", prepared.root / "dataset.json"
    # older than dataset.json: other rights were stated since
    if report and not (path.is_file() and path.stat().st_mtime_ns >= described.stat().st_mtime_ns):
        write_report(prepared, workspace.stage_cache, terminal, workers=workers)
    if path.is_file():
        shown.append(("report", str(path)))
    caution = licence_warning(prepared.description.rights)
    return [*shown, ("note", caution)] if caution else shown


def rows(prepared: PreparedDataset) -> list[tuple[str, str]]:
    """The figures of a dataset, as rows of a table."""
    stats, report = prepared.stats, prepared.report
    shown = [
        ("folder", str(prepared.root)),
        ("clips", f"{stats.train_clips} to train on, {stats.validation_clips} to validate"),
        (
            "speech",
            f"{report.seconds_kept:.1f} s of {report.seconds_in:.1f} s; {report.seconds_pause:.1f} s are pauses",
        ),
        (
            "pitch",
            f"{stats.pitch_mean:.0f} ± {stats.pitch_std:.0f} Hz, in {stats.pitch_fmin:.0f} to {stats.pitch_fmax:.0f}",
        ),
    ]
    shown += _background(prepared)
    shown += [
        (f"left out: {reason}", f"{total.count} ({total.seconds:.1f} s)") for reason, total in report.by_reason.items()
    ]
    if report.unspoken:
        shown.append(
            (
                "not spoken",
                "\n".join(report.unspoken[:5])
                + (f"\nand {len(report.unspoken) - 5} more" if len(report.unspoken) > 5 else ""),
            )
        )
    if report.guessed_words:
        guessed = [f"{word} ({phones})" for word, phones in report.guessed_pronunciations.items()]
        shown.append(("guessed words", ", ".join(guessed[:20])))
    shown += [
        ("seconds", ", ".join(f"{stage.name} {stage.seconds:.1f}" for stage in prepared.stages) or "not measured")
    ]
    return [*shown, ("sha256", prepared.sha256)]


def _background(prepared: PreparedDataset) -> list[tuple[str, str]]:
    """Music and noise behind the speech, and their separation."""
    figures = prepared.description.separation
    levels = [one.background_db for one in figures.recordings if one.background_db is not None] if figures else []
    if figures is None or not levels:
        return []
    shown = f"{max(levels):.0f} dB against the speech where it is loudest"
    seconds = sum(one.separated_seconds for one in figures.recordings)
    if seconds:
        shown += f"; the voice was taken out of {seconds:.0f} s with {figures.weights_id}"
    elif figures.unavailable and max(levels) > figures.limit_db:
        shown += f"; not separated: {figures.unavailable}"
    return [("background", shown)]
