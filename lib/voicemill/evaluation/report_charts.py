"""Charts of the voice report: training losses, lengths of clips, distances to speakers, seconds of each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemill.evaluation.charts import Series, bars, dots, histogram, line_chart
from voicemill.evaluation.model import Evaluation
from voicemill.evaluation.pages import Chart


@dataclass(frozen=True)
class LossCurve:
    """One training curve. Curves of one group share a chart."""

    group: str
    """Title of the chart: `FastPitch`, `HiFi-GAN`."""
    name: str
    steps: Sequence[float]
    values: Sequence[float]


def loss_charts(curves: Sequence[LossCurve]) -> list[Chart]:
    """One chart for each group of curves."""
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
            labels=("training step", "loss"),
            logarithmic=True,
        )
        if svg:
            charts.append(Chart(group, svg, f"{ends}.", [(each.name, each.style) for each in series]))
    return charts


def clip_chart(seconds: Sequence[float]) -> Chart | None:
    """Lengths of the clips."""
    if not len(seconds):
        return None
    caption = (
        f"{len(seconds)} clips, {sum(seconds) / 60:.1f} minutes in total, "
        f"{min(seconds):.1f} to {max(seconds):.1f} s each."
    )
    return Chart(
        "Clip lengths",
        histogram(seconds, title="Clip lengths", description=caption, labels=("seconds", "clips")),
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
    caption = "Distance between the cepstral statistics of the voice and of each speaker; 0 means identical."
    spoken = ", ".join(f"{label} {distance:.2f}" for label, distance, _ in rows)
    return Chart(
        "Distance to speakers", bars(rows, title="Distance to speakers", description=f"{spoken}."), caption, []
    )


def likeness_chart(evaluation: Evaluation) -> Chart | None:
    """Cosine of each sentence to the speaker: recordings, the voice with each vocoder, and other people."""
    judged = [each for each in evaluation.sentences if each.judged_real is not None]
    own = [
        each.judged_real.similarity for each in judged if each.judged_real and each.judged_real.similarity is not None
    ]
    if not own:
        return None
    rows: list[tuple[str, Sequence[float], str]] = [("the speaker's recordings", own, "real")]
    names = [each.name for each in evaluation.vocoders if each.usable]
    for name in sorted(names, key=lambda name: name != evaluation.chosen_vocoder):
        sounds = [each.judged_synthesised[name] for each in judged if name in each.judged_synthesised]
        values = [sound.similarity for sound in sounds if sound.similarity is not None]
        shipped = name == evaluation.chosen_vocoder
        rows.append((f"voice, {name}{' (ships)' if shipped else ''}", values, "made" if shipped else "c2"))
    people = evaluation.other_people
    if people:
        rows.append((f"{len(people)} other people", people, "other"))
    means = ", ".join(f"{label} {sum(values) / len(values):.3f}" for label, values, _ in rows if values)
    caption = (
        "Cosine of a sentence's speaker embedding to the mean of the training clips. Each dot is a sentence or another "
        "person; the line is the mean of a row."
    )
    svg = dots(rows, title="Whom the voice sounds like", description=f"{means}.", axis="similarity to the speaker")
    return Chart("Whom the voice sounds like", svg, caption, [])


def stage_chart(stages: Sequence[tuple[str, float]]) -> Chart | None:
    """Seconds of each stage."""
    if not stages:
        return None
    total = sum(seconds for _, seconds in stages)
    described = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in stages)
    svg = bars(
        [(name, seconds, "c0") for name, seconds in stages],
        title="Seconds per stage",
        description=f"{described}.",
        digits=1,
    )
    return Chart("Time per stage", svg, f"Seconds per stage; {total / 60:.1f} minutes in total.", [])
