from __future__ import annotations

import numpy as np
import pytest

from voicemill.errors import NotAcceptableError, UsageError
from voicemill.evaluation.candidates import Candidate, ReferenceSentence
from voicemill.evaluation.evaluate import TestMaterial, evaluate_voice
from voicemill.evaluation.recogniser_pool import RecogniserPool


def test_error_rates_are_those_of_the_recognised_texts(evaluated) -> None:
    evaluation = evaluated[1].evaluation
    assert evaluation.figures["wer_real"].value == pytest.approx(1 / 5)
    by_name = {each.name: each.figures for each in evaluation.vocoders}
    assert by_name["HiFi-GAN"]["wer"].value == 0.0
    assert by_name["Griffin-Lim"]["wer"].value == pytest.approx(3 / 5)
    assert evaluation.chosen_vocoder == "HiFi-GAN"
    assert evaluation.wer_proxy == 0.0
    assert evaluation.sentences[1].heard_real == "four nine"


def test_sound_is_compared_with_sound(evaluated) -> None:
    figures = {each.name: each.figures for each in evaluated[1].evaluation.vocoders}
    for kind in ("mcd", "copy_stft", "voicing_error"):
        assert figures["HiFi-GAN"][kind].value is not None, kind
    assert 0 < figures["HiFi-GAN"]["mcd"].value < figures["Griffin-Lim"]["mcd"].value
    assert figures["Griffin-Lim"]["copy_stft"].not_measured == "No copy synthesis was offered for this vocoder."
    assert figures["HiFi-GAN"]["duration_ratio"].value == 1.0
    assert evaluated[1].evaluation.own_speaker_nearest is True
    assert 0 < evaluated[1].evaluation.figures["speaker_distance_real"].value < 1


def test_no_figure_comes_from_the_loss(evaluated) -> None:
    evaluation = evaluated[1].evaluation
    assert evaluation.final_loss == 2.5
    assert evaluation.mos_proxy is None
    assert "listeners" in evaluation.not_measured["mos_proxy"]
    assert not any("loss" in name for name in evaluation.figures)


def test_a_broken_vocoder_is_named_and_left_out(talk, recogniser) -> None:
    reference = ReferenceSentence("held-0", "one two", talk(seconds=2.5))
    broken = {"nan": np.full(100, np.nan), "nothing": np.zeros(0), "silence": np.zeros(22_050)}
    candidates = [Candidate(name, lambda text, sound=sound: sound.astype(np.float32)) for name, sound in broken.items()]
    with pytest.raises(NotAcceptableError, match="nan: sentence held-0"):
        evaluate_voice(candidates, TestMaterial(22_050, [reference]), RecogniserPool(recogniser(["one two"])))
    candidates.append(Candidate("good", lambda text: reference.samples))
    found = evaluate_voice(
        candidates, TestMaterial(22_050, [reference]), RecogniserPool(recogniser(["one two", "one two"]))
    )
    assert found.evaluation.chosen_vocoder == "good"
    assert list(found.spoken) == ["good"]
    assert [each.usable for each in found.evaluation.vocoders] == [False, False, False, True]


def test_no_error_on_the_recordings_leaves_no_ratio(talk, recogniser) -> None:
    reference = ReferenceSentence("held-0", "one two", talk(seconds=1.0))
    found = evaluate_voice(
        [Candidate("a", lambda text: reference.samples)],
        TestMaterial(22_050, [reference]),
        RecogniserPool(recogniser(["one two", "one"])),
    ).evaluation
    assert "nothing to divide by" in (found.figures["cer_ratio"].not_measured or "")
    assert "too few" in (found.figures["speaker_distance"].not_measured or "")
    assert "No other recordings" in (found.figures["speaker_distance_real"].not_measured or "")
    assert found.not_measured["final_loss"] == "The training status carries no final loss."


def test_progress_counts_every_sentence_once(talk, recogniser) -> None:
    class Counting:
        def __init__(self) -> None:
            self.stages: list[tuple[str, int | None]] = []
            self.done: list[int] = []

        def stage(self, name: str, total: int | None = None) -> None:
            self.stages.append((name, total))

        def advance(self, done: int, note: str = "") -> None:
            self.done.append(done)

        def note(self, text: str) -> None:
            raise AssertionError(text)

    observer = Counting()
    reference = ReferenceSentence("held-0", "one", talk(seconds=1.0))
    evaluate_voice(
        [Candidate("a", lambda text: reference.samples)],
        TestMaterial(22_050, [reference]),
        RecogniserPool(recogniser(["one", "one"])),
        observer=observer,
    )
    assert observer.stages == [("evaluation", 3)]
    assert observer.done == [1, 2, 3]


def test_nothing_to_evaluate_is_refused(talk, recogniser) -> None:
    reference = ReferenceSentence("held-0", "one", talk(seconds=1.0))
    good = Candidate("a", lambda text: reference.samples)
    wrong = ([], [reference]), ([good], []), ([good, good], [reference]), ([good], [reference] * 2)
    for candidates, references in wrong:
        with pytest.raises(UsageError) as caught:
            evaluate_voice(candidates, TestMaterial(22_050, references), RecogniserPool(recogniser([])))
        assert caught.value.reason == "nothing_to_evaluate"
