from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from voicemill.errors import ConfigError, DependencyError, NotAcceptableError
from voicemill.evaluation.candidates import Candidate, SentenceProgress
from voicemill.evaluation.evaluate import TestMaterial
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.reference_free import NEEDS_RECORDINGS, NO_RECORDING, evaluate_without_recordings
from voicemill.evaluation.trials import NOT_ASKED, SHIPPED, plan, run_trials, shipped_sentences
from voicemill.metrics.catalogue import BY_NAME
from voicemill.metrics.figure_limits import EvaluationSettings
from voicemill.progress import SilentObserver
from voicemill.text.normalise import chunks

RATE = 22_050
EVERYTHING = EvaluationSettings()
PROGRESS = SentenceProgress(SilentObserver())


def reading(text: str) -> str:
    """A correct normaliser: the answers of the file."""
    numbers = json.loads((Path(__file__).parents[3] / SHIPPED).read_text())["numbers"]
    return next(each["read"][0] for each in numbers if each["written"] == text)


def candidate(talk: Callable[..., np.ndarray], pace: Callable[[str], float] = lambda text: 1.0) -> Candidate:
    """A voice that speaks a character in 50 ms, or at another pace."""
    voice = talk(seconds=4.0)

    def speak(text: str) -> np.ndarray:
        return np.resize(voice, round(0.05 * RATE * len(text) * pace(text)))

    return Candidate("stub", speak)


def test_the_shipped_sentences_cover_lengths_and_number_formats(repository: Path) -> None:
    found = shipped_sentences(repository)
    parts = [chunks(", ".join(clauses) + ".") for clauses in found.long]
    assert sum(max(map(len, cut)) > 200 for cut in parts) >= 2, "more than 200 characters at once"
    assert max(map(len, parts)) > 2, "and one that has to be cut twice"
    written = " ".join(each.written for each in found.numbers)
    assert all(sign in written for sign in ("7:45", "2021", "1946", "$", "%", "21st", "1,200", "96.5"))
    assert not any(character.isdigit() for each in found.numbers for way in each.read for character in way)


def test_recognised_texts_and_lengths_become_figures(repository: Path, talk, recogniser) -> None:
    planned = plan(shipped_sentences(repository), EVERYTHING, reading, plain=False)
    heard = [trial.expected for trial in planned.trials]
    long = [index for index, trial in enumerate(planned.trials) if trial.kind == "long"]
    lost = planned.trials[long[0]].expected
    heard[long[0]] = lost[: len(lost) // 2]  # half a long sentence is lost

    def drawl(text: str) -> float:
        return 1.5 if len(text) > 200 else 1.0

    found = run_trials(planned, candidate(talk, drawl), RATE, RecogniserPool(recogniser(heard)), PROGRESS)
    values = {name: each.value for name, each in found.figures.items()}
    total = sum(len(planned.trials[index].expected.replace(",", "").rstrip(".")) for index in long)
    assert values["long_cer"] == pytest.approx(len(lost) / 2 / total, rel=0.05)
    assert values["long_cer_excess"] == values["long_cer"]
    assert values["long_duration_ratio"] == pytest.approx(1.5, rel=0.03)
    assert (values["number_cer"], values["number_wer"], values["number_reading"]) == (0.0, 0.0, 1.0)
    assert "cer" not in values
    assert [result.text for result in found.results] == [trial.written for trial in planned.trials]
    assert len(found.sounds) == len(found.results)


def test_a_wrong_reading_counts_as_an_error_however_well_it_is_spoken(repository: Path, talk, recogniser) -> None:
    sentences = shipped_sentences(repository)
    only = EvaluationSettings(long_sentences=False)

    def spelled(text: str) -> str:
        return "Room three one two holds four eight chairs." if text.startswith("Room") else reading(text)

    planned = plan(sentences, only, spelled, plain=False)
    fake = recogniser([trial.text for trial in planned.trials])
    found = run_trials(planned, candidate(talk), RATE, RecogniserPool(fake), PROGRESS)
    assert found.figures["number_reading"].value == pytest.approx(1 - 1 / len(sentences.numbers))
    assert found.figures["number_cer"].value > 0.02
    assert found.figures["long_cer"].not_measured == NOT_ASKED


def test_a_missing_normaliser_leaves_the_number_test_out_and_is_named(repository: Path) -> None:
    def missing(text: str) -> str:
        raise DependencyError("No normaliser.", reason="runtime_dependency_missing:nemo_text_processing")

    planned = plan(shipped_sentences(repository), EVERYTHING, missing, plain=False)
    assert planned.left_out == dict.fromkeys(("number_cer", "number_wer", "number_reading"), "No normaliser.")
    assert {trial.kind for trial in planned.trials} == {"long", "clause"}


def test_a_sentence_without_sound_is_the_outcome(repository: Path, recogniser) -> None:
    planned = plan(shipped_sentences(repository), EVERYTHING, reading, plain=False)
    silent = Candidate("silent", lambda text: np.zeros(1000, dtype=np.float32))
    found = run_trials(planned, silent, RATE, RecogniserPool(recogniser([])), PROGRESS)
    assert found.figures["long_cer"].not_measured == "The sentence long-1 gave silence."
    assert found.figures["number_cer"].value is None
    alone = plan(shipped_sentences(repository), EVERYTHING, reading, plain=True)
    with pytest.raises(NotAcceptableError) as caught:
        evaluate_without_recordings(silent, TestMaterial(RATE, trials=alone), RecogniserPool(recogniser([])))
    assert caught.value.reason == "synthesis_unusable"


def test_without_recordings_the_reference_free_metrics_are_measured(repository: Path, talk, recogniser) -> None:
    planned = plan(shipped_sentences(repository), EvaluationSettings(long_sentences=False), reading, plain=True)
    heard = ["", *(trial.expected for trial in planned.trials[1:])]
    found = evaluate_without_recordings(
        candidate(talk), TestMaterial(RATE, trials=planned), RecogniserPool(recogniser(heard))
    ).evaluation
    assert 0 < found.figures["cer"].value < 0.2
    assert found.wer_proxy == found.figures["wer"].value
    assert found.figures["real_time_factor"].value == pytest.approx(1 / found.figures["speed"].value, abs=1e-6)
    assert all(found.figures[name].not_measured == NO_RECORDING for name in NEEDS_RECORDINGS)
    assert set(found.figures) >= {name for name, metric in BY_NAME.items() if not metric.of_recordings}, (
        "every kind of figure is there, measured or null"
    )


@pytest.mark.parametrize("content", [None, "{", '{"plain": []}'])
def test_a_broken_file_is_a_sentence(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / SHIPPED).parent.mkdir(parents=True)
        (tmp_path / SHIPPED).write_text(content)
    with pytest.raises(ConfigError) as caught:
        shipped_sentences(tmp_path)
    assert caught.value.reason == "test_sentences_invalid"


@pytest.mark.slow
def test_the_real_normaliser_reads_them_as_a_person_would(repository: Path) -> None:
    from voicemill.text.normalise import normalise

    planned = plan(
        shipped_sentences(repository),
        EvaluationSettings(long_sentences=False),
        normalise,
        plain=False,
    )
    assert [trial.written for trial in planned.trials if not trial.read_well] == []
