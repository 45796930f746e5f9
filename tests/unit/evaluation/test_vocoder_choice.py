from __future__ import annotations

import pytest

from voicemill.errors import NotAcceptableError
from voicemill.evaluation.model import VocoderResult
from voicemill.evaluation.vocoder_choice import choose_vocoder


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
