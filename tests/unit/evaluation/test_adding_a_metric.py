"""docs/extending.md, "Add a metric": one entry of the catalogue reaches the evaluation, the limits and the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import dataclasses
import numpy as np
from voicemill.metrics import catalogue
from voicemill.metrics.inputs import SentencePair
from voicemill.metrics.metric import Better, Display, LimitRule, Metric

level = Metric(
    name="level_difference",
    label="Difference in level",
    unit="dB",
    library="numpy",
    method="Difference of the root mean square levels, mean over sentences",
    needs=SentencePair,
    measure=lambda pair: float(20 * np.log10(np.std(pair.synthesised) / np.std(pair.real))),
    better=Better.NEAR_ONE,
    limit=LimitRule("dB of difference", lowest=-100),
    display=Display(digits=2, suffix="decibels"),
)
catalogue.METRICS = (*catalogue.METRICS, level)
catalogue.BY_NAME[level.name] = level

from voicemill.evaluation.candidates import Candidate, ReferenceSentence
from voicemill.evaluation.evaluate import TestMaterial, evaluate_voice
from voicemill.evaluation.limit_results import apply_limits
from voicemill.evaluation.model import Evaluation
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.reference_free import NEEDS_RECORDINGS
from voicemill.evaluation.voice_report import ReportData, render_report
from voicemill.evaluation.wording import lines
from voicemill.metrics.figure_limits import FigureLimits

class Recogniser:
    name, version = "fake", "1"
    def transcribe(self, samples):
        return "one two"

rng = np.random.default_rng(0)
time = np.arange(22_050) / 22_050
sound = (0.2 * np.sin(2 * np.pi * 120 * time) + 0.01 * rng.standard_normal(22_050)).astype(np.float32)
reference = ReferenceSentence("held-0", "one two", sound)
voice = Candidate("stub", lambda text: 0.5 * sound)
found = evaluate_voice([voice], TestMaterial(22_050, [reference]), RecogniserPool(Recogniser())).evaluation
figure = Evaluation.model_validate_json(found.model_dump_json()).figures["level_difference"]
assert (round(figure.value, 1), figure.unit, figure.samples) == (-6.0, "dB", 1), figure
assert "level_difference" in found.vocoders[0].figures
assert FigureLimits.model_json_schema()["properties"]["min_level_difference"]["description"] == "dB of difference"
assert apply_limits(found, FigureLimits(min_level_difference=-7, max_level_difference=0)).status == "ok"
outside = apply_limits(found, FigureLimits(min_level_difference=-5))
assert outside.root_cause == "quality_outside_limits:level_difference"
assert any(line.startswith("Difference in level") and "-6.02 decibels" in line for line in lines(found))
page = render_report(ReportData("A", "a", "2026-01-01T00:00:00Z", outside))
assert "at least -5.00 decibels" in page and page.count("Difference in level") >= 3
assert "level_difference" in NEEDS_RECORDINGS
"""


def test_one_entry_reaches_the_evaluation_the_limits_and_the_report(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=repository, env={"PYTHONPATH": "lib"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_catalogue_and_the_limits_load_no_numerical_library(repository: Path) -> None:
    program = "import sys, voicemill.metrics.figure_limits; print({'numpy', 'scipy', 'librosa'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, env={"PYTHONPATH": "lib"}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_every_metric_is_described_in_the_documentation(repository: Path) -> None:
    from voicemill.metrics.catalogue import BY_NAME

    text = (repository / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert [name for name in BY_NAME if f"`{name}`" not in text] == []
