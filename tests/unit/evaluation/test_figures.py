from __future__ import annotations

from importlib import metadata

import pytest

from voicemill import __version__
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import figure, figures_of, library_version, mean_figures, missing_figures
from voicemill.metrics.catalogue import BY_NAME, METRICS
from voicemill.metrics.error_rate import ErrorRate
from voicemill.metrics.inputs import RecognisedSentences
from voicemill.metrics.metric import Estimate, Metric


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_figure_has_its_method_library_and_version(metric: Metric) -> None:
    found = figure(metric, Estimate(1.23456789))
    assert found.value == 1.234568
    assert found.method.endswith(".")
    assert not metric.method.endswith(".")
    assert found.version != "unknown"


def test_names_and_labels_are_unique() -> None:
    assert len(BY_NAME) == len({metric.label for metric in METRICS}) == len(METRICS)


def test_versions_are_those_installed() -> None:
    assert library_version("jiwer") == metadata.version("jiwer")
    assert library_version("voicemill") == __version__
    assert library_version("no-such-library") == "unknown"


class Voiced:
    """A test input."""

    UNMEASURED = "none"

    def __init__(self, value: float | None) -> None:
        self.value = value


def value_of(given: Voiced) -> float | None:
    if given.value == 0:
        raise NotMeasurableError("No frame is voiced.")
    return given.value


@pytest.fixture
def voiced(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = Metric("voiced", "Voiced", "ratio", "voicemill", "A test", Voiced, value_of, subject="on nothing")
    monkeypatch.setattr("voicemill.metrics.catalogue.METRICS", (metric,))


@pytest.mark.usefixtures("voiced")
def test_a_metric_without_meaning_becomes_null_with_the_reason() -> None:
    assert figures_of(Voiced(0))["voiced"].not_measured == "No frame is voiced."
    assert figures_of(Voiced(120.0))["voiced"].value == 120.0
    assert figures_of(Voiced(120.0))["voiced"].method == "A test, on nothing."
    assert figures_of(Voiced(120.0), subject="on one")["voiced"].method == "A test, on one."
    assert missing_figures(["mcd"], "why")["mcd"].value is None


@pytest.mark.usefixtures("voiced")
def test_means_skip_missing_values_and_count_the_rest() -> None:
    found = mean_figures(Voiced, map(Voiced, (4.0, None, 0, 6.0)))["voiced"]
    assert (found.value, found.samples) == (5.0, 2)
    assert mean_figures(Voiced, [Voiced(None)])["voiced"].not_measured == "none"


def test_one_sentence_has_no_interval() -> None:
    one, two = [ErrorRate(1, 10)], [ErrorRate(1, 10), ErrorRate(3, 10)]
    assert figures_of(RecognisedSentences(one, one))["cer"].interval is None
    several = figures_of(RecognisedSentences(two, two))["cer"]
    assert several.value == 0.2
    assert several.interval == (0.1, 0.3)
