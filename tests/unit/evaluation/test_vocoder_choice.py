from __future__ import annotations

import pytest

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import VocoderResult
from voicemill.evaluation.vocoder_choice import choose_vocoder
from voicemill.metrics.error_rate import ErrorRate
from voicemill.metrics.inputs import JudgedSentences, Likeness
from voicemill.metrics.opinion import OpinionScores


def result(name: str, make, *, usable: bool = True, **values: float | None) -> VocoderResult:
    problem = None if usable else "sentence 1 gave silence"
    return VocoderResult(
        name=name,
        description="",
        usable=usable,
        problem=problem,
        figures={kind: make(value) for kind, value in values.items()},
    )


def test_the_one_that_is_understood_best_wins(figure) -> None:
    choice = choose_vocoder([result("a", figure, cer=0.3, copy_stft=0.1), result("b", figure, cer=0.1, copy_stft=0.9)])
    assert choice.name == "b"
    assert "0.300" in choice.why
    assert "0.100" in choice.why


def test_among_equals_the_nearer_copy_wins(figure) -> None:
    choice = choose_vocoder([result("a", figure, cer=0.1, copy_stft=0.9), result("b", figure, cer=0.11, copy_stft=0.5)])
    assert choice.name == "b"
    assert "STFT" in choice.why


def test_without_copies_the_nearer_sound_wins_and_then_the_first(figure) -> None:
    assert (
        choose_vocoder(
            [
                result("a", figure, cer=0.1, copy_stft=None, mcd=6.0),
                result("b", figure, cer=0.1, copy_stft=0.2, mcd=5.0),
            ]
        ).name
        == "b"
    )
    assert choose_vocoder([result("a", figure, cer=0.1), result("b", figure, cer=0.1)]).name == "a"


def test_no_error_rate_falls_back_to_distance(figure) -> None:
    assert choose_vocoder([result("a", figure, cer=None, mcd=6.0), result("b", figure, mcd=5.0)]).name == "b"


def test_a_silent_one_never_wins(figure) -> None:
    choice = choose_vocoder([result("a", figure, usable=False), result("b", figure, cer=0.9)])
    assert choice.name == "b"


def test_none_usable_is_not_acceptable(figure) -> None:
    with pytest.raises(NotAcceptableError, match="a: sentence 1 gave silence") as caught:
        choose_vocoder([result("a", figure, usable=False)])
    assert caught.value.reason == "synthesis_unusable"
    assert caught.value.exit_code == 3


def judged(similarity: list[float], opinion: list[float], errors: list[int] | str = "No Whisper.") -> JudgedSentences:
    words = errors if isinstance(errors, str) else [ErrorRate(each, 10) for each in errors]
    return JudgedSentences(
        words=words,
        likeness=[Likeness(each) for each in similarity],
        opinions=[OpinionScores(each, each, each, each) for each in opinion],
    )


def pick(make, first: JudgedSentences, second: JudgedSentences, **more: object):
    results = [result("neural", make, cer=0.1), result("griffin-lim", make, cer=0.3)]
    return choose_vocoder(results, {"neural": first, "griffin-lim": second}, fallbacks={"griffin-lim"}, **more)


def test_the_judges_outweigh_the_error_rate(figure) -> None:
    """The demo's figures: nearer to the speaker, better rated, and read by Whisper with fewer errors."""
    choice = pick(
        figure,
        judged([0.84, 0.85, 0.84, 0.83], [2.4, 2.5, 2.5, 2.4], [1, 0, 1, 0]),
        judged([0.93, 0.94, 0.93, 0.92], [2.9, 3.0, 3.0, 2.9], [0, 0, 1, 0]),
    )
    assert choice.name == "griffin-lim"
    assert "griffin-lim is better than neural: score +" in choice.why


def test_griffin_lim_ships_only_where_it_is_better_by_more_than_chance(figure) -> None:
    near = judged([0.90, 0.92, 0.88, 0.93], [3.0, 3.2, 2.9, 3.3])
    assert pick(figure, near, judged([0.93, 0.89, 0.91, 0.92], [3.2, 3.0, 3.1, 3.2])).name == "neural"
    first_in_the_list = choose_vocoder(
        [result("griffin-lim", figure), result("neural", figure)],
        {"griffin-lim": near, "neural": near},
        fallbacks={"griffin-lim"},
    )
    assert first_in_the_list.name == "neural"


def test_errors_can_outweigh_likeness(figure) -> None:
    unintelligible = judged([0.95] * 4, [3.2] * 4, [6, 7, 6, 5])
    assert pick(figure, unintelligible, judged([0.90] * 4, [3.0] * 4, [1, 0, 0, 1])).name == "griffin-lim"


def test_one_sentence_decides_only_by_a_wide_margin(figure) -> None:
    assert pick(figure, judged([0.90], [3.0]), judged([0.93], [3.1])).name == "neural"
    assert pick(figure, judged([0.80], [2.5]), judged([0.95], [3.3])).name == "griffin-lim"


def test_without_likeness_and_quality_intelligibility_decides(figure) -> None:
    nothing = JudgedSentences("No Whisper.", "No encoder.", "No model.")
    assert pick(figure, nothing, nothing).why.startswith("neural is understood best")
