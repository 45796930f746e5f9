from __future__ import annotations

from importlib import metadata

import pytest

from voicemill import __version__
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import METHODS, error_figure, figure, library_version, mean_of, measured, missing
from voicemill.metrics.error_rate import ErrorRate


@pytest.mark.parametrize("kind", METHODS)
def test_every_kind_carries_method_library_and_version(kind: str) -> None:
    found = figure(kind, 1.23456789)
    assert found.value == 1.234568
    assert found.method.endswith(".")
    assert found.version != "unknown"


def test_versions_are_those_installed() -> None:
    assert library_version("jiwer") == metadata.version("jiwer")
    assert library_version("voicemill") == __version__
    assert library_version("no-such-library") == "unknown"


def test_what_has_no_meaning_becomes_null_with_the_reason() -> None:
    def fail() -> float:
        raise NotMeasurableError("No frame is voiced.")

    assert measured("median_f0", fail).not_measured == "No frame is voiced."
    assert measured("median_f0", lambda: 120.0).value == 120.0
    assert missing("mcd", "why").value is None


def test_means_skip_what_is_missing_and_count_the_rest() -> None:
    assert mean_of("mcd", [4.0, None, 6.0], why="none").value == 5.0
    assert mean_of("mcd", [4.0, None, 6.0], why="none").samples == 2
    assert mean_of("mcd", [None], why="none").not_measured == "none"


def test_one_sentence_has_no_interval() -> None:
    assert error_figure("cer", [ErrorRate(1, 10)]).interval is None
    several = error_figure("cer", [ErrorRate(1, 10), ErrorRate(3, 10)])
    assert several.value == 0.2
    assert several.interval == (0.1, 0.3)
