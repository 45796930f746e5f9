"""Pieces, durations and takes, through engines that run here."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from voicemill.errors import BlockedError, UsageError
from voicemill_cloning import chunking, durations
from voicemill_cloning.engines.engine import EngineDescription, EngineRequest, EngineSpeech, SamplingOptions
from voicemill_cloning.engines.programs import EspeakEngine, FliteEngine
from voicemill_cloning.languages import LANGUAGES, find_language
from voicemill_cloning.speaking import SpeakOptions, speak

flite = pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
SENTENCES = {
    "Chinese": "今天天气很好，我们去公园吧。",
    "English": "The weather is fine today, so we walk to the park.",
    "Japanese": "今日は天気がいいので、公園に行きましょう。",
    "Korean": "오늘은 날씨가 좋아서 공원에 갑니다.",
    "German": "Heute ist das Wetter schön, also gehen wir in den Park.",
    "French": "Il fait beau aujourd'hui, alors nous allons au parc.",
    "Russian": "Сегодня хорошая погода, поэтому мы идём в парк.",
    "Portuguese": "Hoje o tempo está bom, então vamos ao parque.",
    "Spanish": "Hoy hace buen tiempo, así que vamos al parque.",
    "Italian": "Oggi il tempo è bello, quindi andiamo al parco.",
}


class Recorder:
    """An engine that answers with a tone and keeps its requests."""

    def __init__(self, frames: float | None = None, sound: float = 0.1) -> None:
        self.description = EngineDescription("test", "tone", "1", "none", "MIT", frames_per_second=frames, varies=True)
        self.requests: list[EngineRequest] = []
        self._sound = sound

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        self.requests.append(request)
        return EngineSpeech(np.full(8000, self._sound, dtype=np.float32), 16_000)

    def close(self) -> None:
        pass


def test_takes_have_the_seeds_that_follow() -> None:
    engine = Recorder()
    takes = speak(engine, "One sentence.", SpeakOptions(variants=3, seed=7))
    assert [(take.index, take.seed) for take in takes] == [(1, 7), (2, 8), (3, 9)]
    assert [request.seed for request in engine.requests] == [7, 8, 9]
    assert takes[0].seconds == 0.5


def test_takes_that_are_compared_are_reproducible_without_a_seed() -> None:
    assert [take.seed for take in speak(Recorder(), "A sentence.", SpeakOptions(variants=2))] == [0, 1]


def test_pieces_are_joined_with_a_pause_and_have_budgets_of_their_own() -> None:
    engine = Recorder(frames=12.5)
    done: list[tuple[int, int]] = []
    text = "This is the first sentence of the two. And here comes the other one, which is a little longer than that."
    (take,) = speak(engine, text, SpeakOptions(chunk=True), lambda *state: done.append(state))
    assert take.pieces == 2
    assert take.seconds == pytest.approx(0.5 + 0.3 + 0.5)
    budgets = [request.sampling.max_new_tokens or 0 for request in engine.requests]
    assert budgets[0] < budgets[1]
    assert done == [(1, 2), (2, 2)]


def test_a_given_budget_is_kept() -> None:
    engine = Recorder(frames=12.5)
    speak(engine, "A sentence.", SpeakOptions(sampling=SamplingOptions(max_new_tokens=99)))
    assert engine.requests[0].sampling.max_new_tokens == 99


@pytest.mark.parametrize("text", ["", "  \n", "...", "?!"])
def test_nothing_to_say(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        speak(Recorder(), text)
    assert caught.value.reason == "nothing_to_say"


def test_a_sound_that_is_not_finite_is_refused() -> None:
    with pytest.raises(BlockedError) as caught:
        speak(Recorder(sound=float("nan")), "A sentence.")
    assert caught.value.reason == "engine_failed:test"


def test_numbers_count_as_they_are_read() -> None:
    written = durations.expected_seconds("It cost $1,234,567.89 in 1984.")
    spoken = durations.expected_seconds(
        "It cost one million two hundred thirty four thousand five hundred sixty seven dollars "
        "and eighty nine cents in nineteen eighty four."
    )
    assert written == pytest.approx(spoken, rel=0.05)
    assert written > 3 * len("It cost $1,234,567.89 in 1984.") / 13


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_sentence_takes_a_similar_time_in_every_language(language: str) -> None:
    english = durations.expected_seconds(SENTENCES["English"], "English")
    assert 0.6 < durations.expected_seconds(SENTENCES[language], language) / english < 1.7
    assert 0.5 < durations.expected_seconds(SENTENCES[language], "Auto") / english < 1.8


def test_budgets_have_limits() -> None:
    assert durations.token_budget("Hi.", "English", 12.5) == durations.LEAST_TOKENS
    assert durations.token_budget("word " * 20_000, "English", 12.5) == durations.MOST_TOKENS
    middle = "It was the best of times, it was the worst of times, it was the age of wisdom."
    assert durations.token_budget(middle, "English", 12.5, 2.0) > 1.9 * durations.token_budget(middle, "English", 12.5)


def test_pieces_keep_abbreviations_and_every_word() -> None:
    text = (
        'Dr. Smith paid $3.50 to Mr. Jones at 5 p.m. on Friday. "Is that all?" asked he.\n\n'
        + "The road went on over hills and through valleys, past farms and mills, " * 8
        + "to the sea. Yes."
    )
    found = chunking.pieces(text)
    assert found[0] == "Dr. Smith paid $3.50 to Mr. Jones at 5 p.m. on Friday."
    assert " ".join(found).split() == text.split()
    assert all(durations.expected_seconds(piece) <= chunking.LONGEST for piece in found)
    assert not found[-1].startswith("Yes"), "a very short sentence goes with its neighbour"


@pytest.mark.parametrize("language", ["Chinese", "Japanese", "French"])
def test_pieces_of_other_languages(language: str) -> None:
    sentence = SENTENCES[language]
    joint = " " if language == "French" else ""
    found = chunking.pieces(joint.join([sentence] * 12), language)
    assert len(found) > 3
    assert joint.join(found) == joint.join([sentence] * 12)


def test_one_very_long_word_is_cut() -> None:
    found = chunking.pieces("好" * 400, "Chinese")
    assert "".join(found) == "好" * 400
    assert all(durations.expected_seconds(piece, "Chinese") <= chunking.LONGEST for piece in found)


@pytest.mark.parametrize(("given", "found"), [("english", "English"), ("DE", "German"), ("auto", "Auto")])
def test_languages_by_name_and_code(given: str, found: str) -> None:
    assert find_language(given) == found


def test_an_unknown_language_names_the_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        find_language("Germn")
    assert caught.value.reason == "unknown_language:Germn"
    assert "German?" in caught.value.hint


@flite
def test_flite_speaks() -> None:
    engine = FliteEngine("slt")
    (take,) = speak(engine, SENTENCES["English"])
    low, high = durations.LIKELY
    assert low < take.seconds / durations.expected_seconds(SENTENCES["English"]) < high
    assert (take.sample_rate, take.marked, engine.description.licence) == (16_000, False, "MIT-Festival")


@flite
def test_flite_refuses_what_it_has_not() -> None:
    with pytest.raises(UsageError) as caught:
        FliteEngine("nobody")
    assert caught.value.reason == "unknown_speaker:nobody"
    assert "slt" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        speak(FliteEngine(), "Guten Tag.", SpeakOptions(language="German"))
    assert caught.value.reason == "language_not_spoken:German"


@flite
def test_a_text_is_never_an_option_or_a_file() -> None:
    (take,) = speak(FliteEngine(), "-h /etc/passwd")
    assert 0.5 < take.seconds < 4


@espeak
@pytest.mark.parametrize("language", LANGUAGES)
def test_espeak_speaks_every_language(language: str) -> None:
    (take,) = speak(EspeakEngine(), SENTENCES[language], SpeakOptions(language=language))
    assert 0.4 < take.seconds / durations.expected_seconds(SENTENCES[language], language) < 2


def test_a_program_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from voicemill.errors import DependencyError
    from voicemill_cloning.engines import programs

    monkeypatch.setenv("PATH", "")
    programs.flite_voices.cache_clear()
    with pytest.raises(DependencyError) as caught:
        FliteEngine()
    programs.flite_voices.cache_clear()
    assert caught.value.reason == "runtime_dependency_missing:flite"
    assert "apt-get install flite" in caught.value.hint
