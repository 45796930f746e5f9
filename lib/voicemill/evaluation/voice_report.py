"""The voice report: one HTML file with players, plots, tables and licences of a trained voice.

The file is self-contained: it includes sound, pictures, style and script, and a content security policy forbids it to
load anything else. It opens from a disk, a mail attachment or a build server alike. The template only places things;
every sentence and every rounding is decided here, where it can be tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voicemill import files
from voicemill.evaluation.model import Evaluation, LimitResult
from voicemill.evaluation.pages import Card, Chart, render
from voicemill.evaluation.report_charts import (
    LossCurve,
    clip_chart,
    likeness_chart,
    loss_charts,
    speaker_chart,
    stage_chart,
)
from voicemill.evaluation.report_sentences import (
    ReportSentence,
    ReportSounds,
    TrialRow,
    sentences_within_budget,
    trial_rows,
)
from voicemill.evaluation.wording import NONE, FigureRow, figure_row, in_order, label, shown, value_and_unit
from voicemill.metrics.catalogue import METRICS

TEMPLATE = Path(__file__).with_name("voice_report.html.j2")


@dataclass(frozen=True)
class Licence:
    """A third-party part of the voice, or something that it was made with."""

    name: str
    licence: str
    attribution: str
    address: str = ""
    """Shown as text, not as a link: the report contains no links."""


@dataclass(frozen=True)
class ReportData:
    """Content of the report. Rows are (label, value) pairs, shown unchanged."""

    display_name: str
    voice: str
    created_at: str
    """RFC 3339."""
    evaluation: Evaluation
    sounds: ReportSounds = field(default_factory=ReportSounds)
    # how it was made
    curves: Sequence[LossCurve] = ()
    clip_seconds: Sequence[float] = ()
    dataset: Sequence[tuple[str, str]] = ()
    training: Sequence[tuple[str, str]] = ()
    stage_seconds: Sequence[tuple[str, float]] = ()
    # small print
    licences: Sequence[Licence] = ()
    provenance: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class LimitRow:
    """A limit of the preset beside its figure."""

    label: str
    value: str
    bound: str
    holds: bool


@dataclass(frozen=True)
class VoiceReportView:
    """Everything that the template shows."""

    data: ReportData
    evaluation: Evaluation
    headline: str
    cards: list[Card]
    sentences: list[ReportSentence]
    held_back: int
    rows: list[FigureRow]
    trials: list[TrialRow]
    limits: list[LimitRow]
    vocoder_head: list[str]
    vocoder_rows: list[tuple[str, list[str]]]
    curves: list[Chart]
    clip_chart: Chart | None
    speaker_chart: Chart | None
    likeness_chart: Chart | None
    stage_chart: Chart | None


def report_view(data: ReportData) -> VoiceReportView:
    """Prepare everything that the template shows."""
    evaluation = data.evaluation
    sentences = sentences_within_budget(data.sounds, evaluation)
    usable = [each for each in evaluation.vocoders if each.usable]
    compared = [
        metric.name
        for metric in METRICS
        if not metric.of_recordings and any(metric.name in each.figures for each in usable)
    ]
    return VoiceReportView(
        data=data,
        evaluation=evaluation,
        headline=headline(evaluation),
        cards=cards(evaluation),
        sentences=sentences,
        held_back=len(data.sounds.references) - len(sentences),
        rows=[figure_row(name, evaluation.figures[name]) for name in in_order(evaluation)],
        trials=trial_rows(data.sounds, evaluation),
        limits=[limit_row(result, evaluation) for result in evaluation.limits],
        vocoder_head=[each.name for each in usable],
        vocoder_rows=[
            (label(name), [shown(name, each.figures[name]) if name in each.figures else NONE for each in usable])
            for name in compared
        ],
        curves=loss_charts(data.curves),
        clip_chart=clip_chart(data.clip_seconds),
        speaker_chart=speaker_chart(evaluation),
        likeness_chart=likeness_chart(evaluation),
        stage_chart=stage_chart(data.stage_seconds),
    )


def render_report(data: ReportData) -> str:
    """The report as one HTML document."""
    return render(TEMPLATE, view=report_view(data))


def write_report(path: Path, data: ReportData) -> int:
    """Write the report atomically and return its size in bytes.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    document = render_report(data).encode("utf-8")
    files.write_bytes(path, document)
    return len(document)


def limit_row(result: LimitResult, evaluation: Evaluation) -> LimitRow:
    """A limit in the unit of its figure."""
    known = evaluation.figures.get(result.figure)
    value, bound = "not measured", f"{result.bound:g}"
    if known is not None:
        value = shown(result.figure, known)
        bound = shown(result.figure, known.model_copy(update={"value": result.bound}))
    word = "at most" if result.name.startswith("max_") else "at least"
    return LimitRow(label(result.figure), value, f"{word} {bound}", result.holds)


def headline(evaluation: Evaluation) -> str:
    """The result in one or two plain sentences."""
    if evaluation.dry_run:
        return "This was a dry run: nothing was trained or synthesised, so there is nothing to play."
    outside = [label(result.figure) for result in evaluation.limits if not result.holds]
    if outside:
        return f"This voice is outside its limits and was not bundled: {'; '.join(dict.fromkeys(outside))}."
    if evaluation.status != "ok":
        return f"The voice was not evaluated ({evaluation.root_cause})."
    words = _intelligibility(evaluation)
    if not words:
        return "The voice produces speech, but its intelligibility was not measured."
    like = _value(evaluation, "speaker_similarity_ratio")
    if like is not None:
        return f"{words} Its likeness to the speaker is {like:.2f} times that of the recordings."
    nearest = evaluation.own_speaker_nearest
    if nearest is None:
        return words
    return words + (
        " Of all speakers compared, its own speaker is the closest match."
        if nearest
        else " Another speaker is a closer match than its own."
    )


def _intelligibility(evaluation: Evaluation) -> str:
    """Error rates of the better recogniser, beside the recordings' own; empty where none was measured."""
    for name, unit, recogniser in (("wer_whisper", "words", "Whisper"), ("cer", "characters", "An offline recogniser")):
        made, real = _value(evaluation, name), _value(evaluation, f"{name}_real")
        if made is not None and real is not None:
            return (
                f"{recogniser} gets {100 * made:.1f} % of the {unit} of this voice wrong, "
                f"and {100 * real:.1f} % in the real recordings of the same sentences."
            )
    return ""


def cards(evaluation: Evaluation) -> list[Card]:
    """The key figures, those that were measured."""
    found: list[Card] = []
    figures = evaluation.figures

    def add(name: str, title: str, context: str) -> None:
        if name in figures and figures[name].value is not None:
            found.append(Card(title, *value_and_unit(name, figures[name]), context))

    add("speaker_similarity", "Similarity to its speaker", _beside(evaluation, "speaker_similarity_real"))
    add("wer_whisper", "Word error rate, Whisper", _beside(evaluation, "wer_whisper_real"))
    add("dnsmos_p808", "Predicted opinion score", _beside(evaluation, "dnsmos_p808_real"))
    add("cer", "Character error rate", _beside(evaluation, "cer_real"))
    add("wer", "Word error rate", _beside(evaluation, "wer_real"))
    add("mcd", "Mel-cepstral distortion", "from the recordings; 0 is identical")
    add("f0_rmse", "Pitch error", "from the recordings; 100 cents are a semitone")
    add("duration_error", "Error of sentence lengths", "from the recordings; 0 is identical")
    add("long_cer", "Character errors, long sentences", _beside_clauses(evaluation))
    add("number_cer", "Character errors, numbers and dates", _read_well(evaluation))
    others = [each for each in evaluation.speakers if not each.own]
    nearest = min(others, key=lambda each: each.distance) if others else None
    add(
        "speaker_distance",
        "Distance to its speaker",
        f"the nearest other speaker, {nearest.name}: {nearest.distance:.3f}"
        if nearest
        else "no other speaker was compared",
    )
    add("speed", "Speed", "text to samples, on this machine")
    return found


def _value(evaluation: Evaluation, name: str) -> float | None:
    figure = evaluation.figures.get(name)
    return figure.value if figure else None


def _beside_clauses(evaluation: Evaluation) -> str:
    at_once, excess = _value(evaluation, "long_cer"), _value(evaluation, "long_cer_excess")
    if at_once is None or excess is None:
        return "clauses not measured"
    return f"clause by clause: {100 * (at_once - excess):.1f} %"


def _read_well(evaluation: Evaluation) -> str:
    share = _value(evaluation, "number_reading")
    return "normalisation not measured" if share is None else f"normalised correctly: {100 * share:.0f} %"


def _beside(evaluation: Evaluation, name: str) -> str:
    figure = evaluation.figures.get(name)
    if figure is None or figure.value is None:
        return "recordings not measured"
    return f"real recordings: {shown(name, figure)}"
