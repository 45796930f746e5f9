"""What the report's template draws, worked out beforehand: headline, cards, charts and table rows.

The template only places things; every sentence and every rounding is decided here, where it can be tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from voicemill.evaluation.charts import Series, bars, histogram, line_chart
from voicemill.evaluation.contents import LossCurve, ReportData
from voicemill.evaluation.media import Sentence, TrialTake, sentences_within_budget, trial_takes
from voicemill.evaluation.model import Evaluation, LimitResult
from voicemill.evaluation.wording import LABELS, NONE, Row, in_order, row, shown, value_and_unit


@dataclass(frozen=True)
class Card:
    """A key figure with the one fact that puts it in proportion."""

    label: str
    value: str
    unit: str
    context: str


@dataclass(frozen=True)
class LimitRow:
    """A limit of the preset beside its figure."""

    label: str
    value: str
    bound: str
    holds: bool


@dataclass(frozen=True)
class Chart:
    """A chart with its caption and legend: (name, CSS class) each."""

    title: str
    svg: Markup
    caption: str
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class View:
    """Everything that the template shows."""

    data: ReportData
    evaluation: Evaluation
    headline: str
    cards: list[Card]
    sentences: list[Sentence]
    held_back: int
    rows: list[Row]
    trials: list[TrialTake]
    limits: list[LimitRow]
    vocoder_head: list[str]
    vocoder_rows: list[tuple[str, list[str]]]
    curves: list[Chart]
    clip_chart: Chart | None
    speaker_chart: Chart | None
    stage_chart: Chart | None


def report_view(data: ReportData) -> View:
    """Work out everything that the template shows."""
    evaluation = data.evaluation
    sentences = sentences_within_budget(data)
    usable = [each for each in evaluation.vocoders if each.usable]
    kinds = [kind for kind in LABELS if any(kind in each.figures for each in usable) and kind != "median_f0_real"]
    return View(
        data=data,
        evaluation=evaluation,
        headline=headline(evaluation),
        cards=cards(evaluation),
        sentences=sentences,
        held_back=len(data.references) - len(sentences),
        rows=[row(name, evaluation.figures[name]) for name in in_order(evaluation)],
        trials=trial_takes(data),
        limits=[limit_row(result, evaluation) for result in evaluation.limits],
        vocoder_head=[each.name for each in usable],
        vocoder_rows=[
            (LABELS[kind], [shown(kind, each.figures[kind]) if kind in each.figures else NONE for each in usable])
            for kind in kinds
        ],
        curves=loss_charts(data.curves),
        clip_chart=clip_chart(data.clip_seconds),
        speaker_chart=speaker_chart(evaluation),
        stage_chart=stage_chart(data.stage_seconds),
    )


def limit_row(result: LimitResult, evaluation: Evaluation) -> LimitRow:
    """A limit as a reader wants it, in the unit of its figure."""
    known = evaluation.figures.get(result.figure)
    value, bound = "not measured", f"{result.bound:g}"
    if known is not None:
        value = shown(result.figure, known)
        bound = shown(result.figure, known.model_copy(update={"value": result.bound}))
    word = "at most" if result.name.startswith("max_") else "at least"
    return LimitRow(LABELS.get(result.figure, result.figure), value, f"{word} {bound}", result.holds)


def headline(evaluation: Evaluation) -> str:
    """The outcome in one or two plain sentences."""
    if evaluation.dry_run:
        return "A dry run: nothing was trained and nothing was spoken, so there is nothing to hear."
    outside = [LABELS.get(result.figure, result.figure) for result in evaluation.limits if not result.holds]
    if outside:
        return f"This voice is outside its limits and was not bundled: {', '.join(dict.fromkeys(outside))}."
    if evaluation.status != "ok":
        return f"The voice was not evaluated ({evaluation.root_cause})."
    made, real = _value(evaluation, "cer"), _value(evaluation, "cer_real")
    if made is None or real is None:
        return "The voice speaks, but its intelligibility was not measured."
    words = (
        f"Of what this voice says, an offline recogniser gets {100 * made:.1f} % of the characters wrong; "
        f"of the real recordings of the same sentences, {100 * real:.1f} %."
    )
    nearest = evaluation.own_speaker_nearest
    if nearest is None:
        return words
    return words + (
        " Of all speakers compared, it sounds most like its own."
        if nearest
        else " It does not sound most like its own speaker: another one is nearer."
    )


def cards(evaluation: Evaluation) -> list[Card]:
    """The key figures, those that were measured."""
    found: list[Card] = []
    figures = evaluation.figures

    def add(name: str, label: str, context: str) -> None:
        if name in figures and figures[name].value is not None:
            found.append(Card(label, *value_and_unit(name, figures[name]), context))

    add("cer", "Character error rate", _beside(evaluation, "cer_real"))
    add("wer", "Word error rate", _beside(evaluation, "wer_real"))
    add("mcd", "Mel-cepstral distortion", "from the recordings; 0 is identical")
    add("f0_rmse", "Pitch error", "from the recordings; 100 cents are a semitone")
    add("duration_error", "Error of sentence lengths", "from the recordings; 0 is identical")
    add("long_cer", "Long sentences misheard", _beside_clauses(evaluation))
    add("number_cer", "Numbers and dates misheard", _read_well(evaluation))
    others = [each for each in evaluation.speakers if not each.own]
    nearest = min(others, key=lambda each: each.distance) if others else None
    add(
        "speaker_distance",
        "Distance to its speaker",
        f"the nearest other, {nearest.name}, is at {nearest.distance:.3f}" if nearest else "no other was compared",
    )
    add("speed", "Speed", "text to samples, on this machine")
    return found


def loss_charts(curves: Sequence[LossCurve]) -> list[Chart]:
    """One chart a group of curves."""
    charts = []
    for group in dict.fromkeys(curve.group for curve in curves):
        members = [curve for curve in curves if curve.group == group and len(curve.values)]
        series = [
            Series(name=curve.name, x=curve.steps, y=list(curve.values), style=f"c{index % 5}")
            for index, curve in enumerate(members)
        ]
        ends = "; ".join(f"{curve.name} from {curve.values[0]:.3g} to {curve.values[-1]:.3g}" for curve in members)
        svg = line_chart(
            series,
            title=f"Loss of {group}",
            description=f"{ends}.",
            x_label="training step",
            y_label="loss",
            logarithmic=True,
        )
        if svg:
            charts.append(Chart(group, svg, f"{ends}.", [(each.name, each.style) for each in series]))
    return charts


def clip_chart(seconds: Sequence[float]) -> Chart | None:
    """How long the clips are."""
    if not len(seconds):
        return None
    caption = (
        f"{len(seconds)} clips, {sum(seconds) / 60:.1f} minutes in all, "
        f"{min(seconds):.1f} to {max(seconds):.1f} s each."
    )
    return Chart(
        "Length of the clips",
        histogram(seconds, title="Length of the clips", description=caption, x_label="seconds", y_label="clips"),
        caption,
        [],
    )


def speaker_chart(evaluation: Evaluation) -> Chart | None:
    """Distances of the synthesised voice to its own speaker and to the others."""
    if not evaluation.speakers:
        return None
    ordered = sorted(evaluation.speakers, key=lambda each: each.distance)
    rows = [
        ("own speaker" if each.own else each.name, each.distance, "made" if each.own else "other") for each in ordered
    ]
    caption = "Shorter is nearer. Distance between the statistics of two speakers' cepstra; 0 is the same voice."
    spoken = ", ".join(f"{label} {distance:.2f}" for label, distance, _ in rows)
    return Chart("Whose voice is it?", bars(rows, title="Distance to speakers", description=f"{spoken}."), caption, [])


def stage_chart(stages: Sequence[tuple[str, float]]) -> Chart | None:
    """Where the time went."""
    if not stages:
        return None
    total = sum(seconds for _, seconds in stages)
    described = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages)
    svg = bars(
        [(name, seconds, "c0") for name, seconds in stages],
        title="Seconds of each stage",
        description=f"{described}.",
        digits=1,
    )
    return Chart("Where the time went", svg, f"Seconds of each stage; {total / 60:.1f} minutes in all.", [])


def _value(evaluation: Evaluation, name: str) -> float | None:
    figure = evaluation.figures.get(name)
    return figure.value if figure else None


def _beside_clauses(evaluation: Evaluation) -> str:
    at_once, excess = _value(evaluation, "long_cer"), _value(evaluation, "long_cer_excess")
    if at_once is None or excess is None:
        return "the clauses were not measured"
    return f"clause by clause: {100 * (at_once - excess):.1f} %"


def _read_well(evaluation: Evaluation) -> str:
    share = _value(evaluation, "number_reading")
    return "how they are read was not measured" if share is None else f"read as a person would: {100 * share:.0f} %"


def _beside(evaluation: Evaluation, name: str) -> str:
    value = _value(evaluation, name)
    return "the recordings were not measured" if value is None else f"real recordings: {100 * value:.1f} %"
