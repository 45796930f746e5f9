from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from voicemill.evaluation.limit_results import apply_limits
from voicemill.evaluation.model import JudgedSound, TrialResult, dry_run_evaluation
from voicemill.evaluation.report_charts import LossCurve
from voicemill.evaluation.report_sentences import ReportSounds, trial_rows
from voicemill.evaluation.voice_report import Licence, ReportData, render_report, write_report
from voicemill.metrics.figure_limits import FigureLimits

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """Collects tags, and checks that they nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def data(evaluated) -> ReportData:
    references, measured = evaluated
    return ReportData(
        display_name="Dottie <b>",
        voice="dottie_default",
        created_at="2026-11-21T03:10:00Z",
        evaluation=measured.evaluation,
        sounds=ReportSounds(references=references, spoken=measured.spoken, pitch_range=(70.0, 300.0)),
        clip_seconds=[1.0, 2.0, 3.5],
        curves=[LossCurve("FastPitch", "training", [0, 1, 2], [30.0, 4.0, 2.0])],
        dataset=[("Clips", "3")],
        training=[("Seed", "1")],
        stage_seconds=[("decode", 1.5)],
        licences=[Licence("Weights", "CC-BY-4.0", "By A.\nAnd B.", "https://example.org/licence")],
        provenance=[("Commit", "0" * 40)],
        notes=["A note."],
    )


def outline(document: str) -> Outline:
    found = Outline()
    found.feed(document)
    return found


def test_the_document_nests_and_everything_has_a_name(data: ReportData) -> None:
    found = outline(render_report(data))
    assert found.problems == []
    assert found.open == []
    assert len(found.all("h1")) == 1
    assert all(image["alt"] for image in found.all("img"))
    assert all(player["aria-label"] for player in found.all("audio"))
    assert all("scope" in cell for cell in found.all("th"))
    assert all(chart.get("aria-label") or chart.get("aria-hidden") for chart in found.all("svg"))
    identifiers = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    pointed = {attributes["aria-labelledby"] for _, attributes in found.tags if "aria-labelledby" in attributes}
    assert pointed <= set(identifiers)


def test_nothing_is_loaded_from_elsewhere(data: ReportData) -> None:
    document = render_report(data)
    found = outline(document)
    sources = [attributes["src"] for _, attributes in found.tags if "src" in attributes]
    assert len(sources) == 12  # two sentences, three sounds and three pictures each
    assert all(source.startswith("data:") for source in sources)
    assert not any("href" in attributes for _, attributes in found.tags)
    assert re.search(r"https?://|url\(|@import", document) is None
    assert "default-src 'none'" in document


def test_text_of_others_is_escaped(data: ReportData) -> None:
    document = render_report(data)
    assert "Dottie &lt;b&gt;" in document
    assert "Dottie <b>" not in document
    assert "example.org/licence" in document


def test_a_dry_run_reports_that_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "dry.html"
    size = write_report(
        path,
        ReportData(
            display_name="Dry",
            voice="dry",
            created_at="2026-01-01T00:00:00Z",
            evaluation=dry_run_evaluation(source_status="ok"),
        ),
    )
    document = path.read_text(encoding="utf-8")
    assert size == path.stat().st_size
    assert "nothing was trained" in document
    assert "<audio" not in document
    assert outline(document).problems == []


def test_the_same_voice_gives_the_same_report(data: ReportData) -> None:
    assert render_report(data) == render_report(data)


def test_sentences_without_recordings_and_limits_are_shown(data: ReportData, talk) -> None:
    trials = [
        TrialResult(kind="long", text="One, two.", spoken="One, two.", heard="one", seconds=2.0, character_error_rate=0.5),
        TrialResult(kind="clause", text="Two.", spoken="Two.", heard="two", seconds=1.0, character_error_rate=0.0),
        TrialResult(
            kind="number", text="Room <12>.", spoken="Room one two.", read_well=False, heard="room one two", seconds=1.0,
            character_error_rate=0.25,
        ),
    ]  # fmt: skip
    limits = FigureLimits(max_mcd=0.001, max_cer_excess=1, min_f0_correlation=0, max_number_cer=1)
    evaluation = apply_limits(data.evaluation.model_copy(update={"trials": trials}), limits)
    sounds = dataclasses.replace(data.sounds, trials=[talk(seconds=2.0), talk(seconds=1.0), talk(seconds=1.0)])
    document = render_report(dataclasses.replace(data, evaluation=evaluation, sounds=sounds))
    found = outline(document)
    assert found.problems == []
    labels = [str(player["aria-label"]) for player in found.all("audio")]
    assert [label for label in labels if label.startswith("Synthesised: ")] == [
        "Synthesised: One, two.",
        "Synthesised: Room <12>.",
    ], "a clause lies in its long sentence"
    assert "Room &lt;12&gt;." in document
    assert "not how a person would read it" in document
    assert "outside its limits and was not bundled: Mel-cepstral distortion; " in document
    rows = re.findall(r"<td class=\"n[^>]*>([^<]*)</td><td class=\"n\">(at [^<]*)</td><td>(?:<b>)?(\w+)", document)
    assert [(bound, verdict) for _, bound, verdict in rows] == [
        ("at most 100.0 %", "inside"),
        ("at most 0.0 dB", "outside"),
        ("at least 0.000", "inside"),
        ("at most 1", "outside"),
    ]
    assert rows[-1][0] == "not measured"
    kept = trial_rows(sounds, evaluation, budget=10)
    assert [each.audio for each in kept] == ["", ""], "beyond the budget there are no players"


def test_whom_the_voice_sounds_like_is_drawn(data: ReportData) -> None:
    evaluation = data.evaluation
    assert "Whom the voice sounds like" not in render_report(data)
    sentences = [
        each.model_copy(
            update={
                "judged_real": JudgedSound(similarity=0.95),
                "judged_synthesised": {
                    "HiFi-GAN": JudgedSound(similarity=0.84),
                    "Griffin-Lim": JudgedSound(similarity=0.9),
                },
            }
        )
        for each in evaluation.sentences
    ]
    people = [0.4, 0.55, 0.7]
    judged = evaluation.model_copy(update={"sentences": sentences, "other_people": people})
    page = render_report(dataclasses.replace(data, evaluation=judged))
    outline = Outline()
    outline.feed(page)
    assert outline.problems == []
    marks = [each["class"] for each in outline.all("circle")]
    assert (marks.count("mark real"), marks.count("mark made"), marks.count("mark other")) == (2, 2, 3)
    drawn = next(each for each in outline.all("svg") if "Whom the voice sounds like" in str(each.get("aria-label")))
    assert "the speaker&#39;s recordings 0.950" in page or "the speaker's recordings 0.950" in str(drawn["aria-label"])
    by_class = {each["class"]: float(str(each["cx"])) for each in outline.all("circle")}
    assert by_class["mark other"] < by_class["mark made"] < by_class["mark real"]
