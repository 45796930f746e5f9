"""Takes judged and ranked. The speech is flite's, recognised by the real judge where a test names it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import judging
from voicemill_cloning.engines.engine import EngineRequest, EngineSpeech, Samples
from voicemill_cloning.engines.programs import FliteEngine
from voicemill_cloning.selection import TakeScore, judge_take, measure_acoustics, ranked, repeated_share
from voicemill_cloning.speaking import SynthesisedTake, speak

TEXT = "The weather is fine today, so we walk to the park."
WORDS = "the weather is fine today so we walk to the park"
TWICE = " ".join(f"{word} {word}" for word in WORDS.split())
RATE = 16_000
flite = pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")


def sound(seconds: float, level: float = 0.1) -> Samples:
    """Noise that rises and falls like syllables."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(0, level, len(time))
    return np.asarray(noise * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)), dtype=np.float32)


def take(samples: Samples, index: int = 1, *, complete: bool = True) -> SynthesisedTake:
    return SynthesisedTake(index, index, samples, RATE, computed=1.0, complete=complete)


def judged(transcript: str | None = WORDS, seconds: float = 3.3, **more: float) -> TakeScore:
    return judge_take(take(sound(seconds)), TEXT, "English", transcript=transcript, **more)


def test_a_perfect_take_scores_one() -> None:
    found = judged(likeness=0.95, opinion=4.2)
    assert (found.score, found.faults, found.word_errors, found.repeated) == (1.0, (), 0.0, 0.0)
    assert set(found.parts) == {"words", "likeness", "quality", "duration", "pauses"}


def test_a_take_that_says_every_word_twice_is_at_fault() -> None:
    found = judged(TWICE, seconds=6.6)
    assert found.faults == ("words_repeated",)
    assert found.repeated == 1.0
    assert found.parts["words"] == 0.0
    assert found.score < 0.5


def test_a_sentence_said_twice_is_at_fault() -> None:
    assert judged(f"{WORDS} {WORDS}", seconds=6.6).faults == ("words_repeated",)


@pytest.mark.parametrize("transcript", ["", "the weather is fine", "something else entirely was said here by them"])
def test_missing_words_are_a_fault(transcript: str) -> None:
    assert "words_missing" in judged(transcript).faults


def test_the_order_of_words_counts() -> None:
    shuffled = " ".join(sorted(WORDS.split()))
    assert judged(shuffled).parts["words"] < 0.6


def test_numbers_are_judged_as_they_are_read() -> None:
    found = judge_take(
        take(sound(3)),
        "It cost $35 in 1984.",
        "English",
        transcript="it cost thirty five dollars in nineteen eighty four",
    )
    assert found.word_errors == 0.0


def test_a_repeated_word_of_the_text_is_no_repetition() -> None:
    assert repeated_share("that that is, is", "that that is is") == 0.0
    assert repeated_share("no no", "no no no no") == 1.0


def test_likeness_and_quality_order_takes_with_the_same_words() -> None:
    near, far = judged(likeness=0.94), judged(likeness=0.72)
    assert near.score > far.score
    assert judged(opinion=3.9).score > judged(opinion=2.2).score


def test_a_fault_outweighs_any_score() -> None:
    good = judge_take(take(sound(3.3), 1, complete=False), TEXT, "English", transcript=WORDS)
    plain = judge_take(
        take(sound(3.3), 2), TEXT, "English", transcript="the weather is fine today so we walk to a bark"
    )
    assert good.score > plain.score
    assert good.faults == ("stopped",)
    assert [one.index for one in ranked([good, plain])] == [2, 1]


def test_ties_go_to_the_earlier_take() -> None:
    both = [judge_take(take(sound(3.3), index), TEXT, "English", transcript=WORDS) for index in (2, 1)]
    assert [one.index for one in ranked(both)] == [1, 2]


@pytest.mark.parametrize("seconds", [1.0, 12.0])
def test_an_unlikely_length_costs_score(seconds: float) -> None:
    found = judged(seconds=seconds)
    assert found.parts["duration"] < 0.6
    assert found.score < judged().score


def test_long_pauses_cost_score() -> None:
    quiet = np.zeros(round(1.6 * RATE), dtype=np.float32)
    inside = measure_acoustics(np.concatenate([sound(1.6), quiet, sound(1.6)]), RATE)
    before = measure_acoustics(np.concatenate([quiet, sound(3.2)]), RATE)
    assert inside.longest_pause == pytest.approx(1.6, abs=0.15)
    assert inside.longest_edge < 0.3
    assert before.longest_edge == pytest.approx(1.6, abs=0.15)
    paused = judge_take(take(np.concatenate([sound(1.6), quiet, sound(1.6)])), TEXT, "English", transcript=WORDS)
    assert paused.parts["pauses"] < 0.5


def test_clipping_is_a_fault() -> None:
    found = judge_take(take(np.clip(sound(3.3, 1.0), -1, 1)), TEXT, "English", transcript=WORDS)
    assert found.faults == ("clipped",)


def test_takes_of_other_languages_are_ranked_without_words() -> None:
    found = judge_take(take(sound(2.5)), "Heute ist das Wetter schön.", "German", likeness=0.9)
    assert "words" not in found.parts
    assert 0.0 < found.score <= 1.0


def test_silence_is_measured() -> None:
    found = measure_acoustics(np.zeros(RATE, dtype=np.float32), RATE)
    assert (found.speech_share, found.clipping_share) == (0.0, 0.0)
    assert np.isfinite(list(found.as_dict().values())).all()


@flite
@pytest.mark.slow
def test_the_real_judges_prefer_the_text_to_its_faults() -> None:
    registry = WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY)
    recogniser = judging.TakeJudges(registry).recogniser("English")
    engine = FliteEngine("rms")
    texts = (TEXT, f"{TEXT} {TEXT}", "The weather is fine today.", "A completely different sentence about nothing.")
    scores = []
    for index, spoken in enumerate(texts, 1):
        (made,) = speak(engine, spoken)
        found = take(made.samples, index)
        transcript = judging.recognise(recogniser, made.samples, made.sample_rate, TEXT).transcript
        scores.append(judge_take(found, TEXT, "English", transcript=transcript))
    assert ranked(scores)[0].index == 1
    assert scores[0].faults == ()
    assert scores[0].score > 0.85
    assert scores[1].faults == ("words_repeated",)
    assert all("words_missing" in one.faults for one in scores[2:])


class Unsteady:
    """flite, which reads another text with each seed: an engine whose takes differ as a generative one's do."""

    READINGS = (f"{TEXT} {TEXT}", TEXT, "The weather is fine today.")

    def __init__(self) -> None:
        import dataclasses

        self._flite = FliteEngine("rms")
        self.description = dataclasses.replace(self._flite.description, varies=True)

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        return self._flite.synthesise(EngineRequest(self.READINGS[request.seed]))

    def close(self) -> None:
        pass


@flite
@pytest.mark.slow
def test_a_run_selects_the_take_that_says_the_text_once() -> None:
    from voicemill.progress import SilentObserver
    from voicemill_cloning.choice import choose_speaker
    from voicemill_cloning.generation import GenerationOptions, resolve
    from voicemill_cloning.speak_run import SpeakRequest, speak_run
    from voicemill_cloning.styles import Instruction

    registry = WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY)
    choice = choose_speaker("flite:rms", Instruction(), enabled=True)
    request = SpeakRequest(
        TEXT, choice, resolve(GenerationOptions(), choice.defaults), variants=3, select_best=True, qa=True
    )
    run = speak_run(request, Unsteady, judging.TakeJudges(registry), SilentObserver())
    assert run.selected is not None
    assert (run.selected.name, run.selected.rank) == ("take_02", 1)
    assert run.selection_policy["selected_wav"] == "take_02.wav"
    assert run.selection_metrics[0]["take"] == "take_02"
    assert [one.rank for one in run.takes] != [None] * 3
    assert run.takes[0].metrics is not None
    assert run.takes[0].metrics["faults"] == ["words_repeated"]
    assert run.takes[0].acoustics is not None
