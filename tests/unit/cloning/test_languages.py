"""Languages other than English: which one a text is in, how words are compared, and the multilingual recogniser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import soundfile

from voicemill import console
from voicemill.errors import DatasetError, GateError, UsageError
from voicemill.progress import SilentObserver
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import judging, languages, lesson, recogniser_files
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.durations import expected_seconds
from voicemill_cloning.judging import TakeJudges, error_rate, recogniser_name, spoken_units
from voicemill_cloning.reference_candidates import repetitive
from voicemill_cloning.selection import repeated_share
from voicemill_cloning.speak_run import language_of
from voicemill_cloning.text_language import by_text, language_if_clear

FOREIGN = REPOSITORY / "tests/data/people/foreign"
SENTENCES = {
    "English": ["The old bridge was closed.", "Hello, Mr. Müller!", "Café au lait costs five dollars.", "Chapter one"],
    "German": ["Wir treffen uns am Bahnhof.", "Aller Anfang ist schwer.", "Guten Morgen.", "Übung macht den Meister."],
    "French": [
        "Le livre est sur la table.",
        "On se retrouve devant la gare.",
        "Elle chante très bien.",
        "C’est la vie.",
    ],
    "Spanish": ["Más vale tarde que nunca.", "El libro está sobre la mesa.", "¿Dónde está la estación?"],
    "Portuguese": ["O livro está sobre a mesa.", "Ela canta muito bem.", "Não sei.", "Mais vale tarde do que nunca."],
    "Italian": ["Chi dorme non piglia pesci.", "Il libro è sul tavolo.", "Lei canta molto bene.", "Non lo so."],
    "Russian": ["Старый мост был закрыт на зиму."],
    "Chinese": ["那座老桥整个冬天都关闭了。"],
    "Japanese": ["古い橋は冬の間閉まっていました。"],
    "Korean": ["오래된 다리는 겨울 내내 닫혀 있었습니다."],
}


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_of_a_sentence(language: str) -> None:
    assert [by_text(text) for text in SENTENCES[language]] == [language] * len(SENTENCES[language])


def test_english_texts_are_taken_for_nothing_else() -> None:
    lines = (REPOSITORY / "data/demo/script.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if by_text(line) != "English"] == []


@pytest.mark.parametrize("text", ["", "1984", "...", "Xyzzy qwrtz"])
def test_a_text_without_known_words_is_in_no_language(text: str) -> None:
    assert language_if_clear(text) is None
    assert by_text(text) == "English"


def test_the_language_of_a_run() -> None:
    german = VoiceChoice("v", Path("v"), "clone_prompt", "clone_prompt", language="German")
    without = VoiceChoice("v", Path("v"), "flite", "program_voice")
    assert language_of("Auto", german, "The old bridge was closed.") == "English"
    assert language_of("Auto", german, "Xyzzy") == "German"
    assert language_of("fr", german, "The old bridge was closed.") == "French"
    assert language_of("Auto", without, "Der Zug kommt an.") == "Auto"


@pytest.mark.parametrize(
    ("language", "text", "transcript", "rate"),
    [
        ("German", "Die Brücke war zu.", "die brücke war zu", 0.0),
        ("German", "Die Brücke war zu.", "die Brücke Brücke war zu", 0.25),
        ("French", "C’est l'hiver.", "c'est l’hiver", 0.0),
        ("Russian", "Всё хорошо.", "все хорошо", 0.0),
        ("Chinese", "那座老桥。", "那座桥", 0.25),
        ("Japanese", "古い橋", "古い橋 古い橋", 1.0),
        ("Korean", "오래된 다리", "오래 된다리", 0.0),
        ("Italian", "Non lo so.", "", 1.0),
        ("English", "It cost $35.", "it cost thirty five dollars", 0.0),
    ],
)
def test_words_are_compared_in_their_language(language: str, text: str, transcript: str, rate: float) -> None:
    assert error_rate(text, transcript, language).rate == pytest.approx(rate)


def test_repeated_words_in_another_language() -> None:
    assert repeated_share("Non lo so.", "non non lo lo so so", "Italian") == 1.0
    assert repeated_share("古い橋", "古い橋", "Japanese") == 0.0
    assert spoken_units("Gut-Besuchte Häuser!", "German") == ["gut", "besuchte", "häuser"]


def test_a_transcript_that_repeats_itself_is_no_transcript() -> None:
    assert repetitive("V-1-1-2-2-2-2-2-2-2-2")
    assert repetitive("no no no no no no")
    assert not repetitive("No, no, no!")
    assert not repetitive("the cat and the dog and the bird sat on the wall")


def test_the_recogniser_of_a_language() -> None:
    assert [recogniser_name(language, None) for language in ("English", "Auto", "German")] == [
        "tiny.en", "tiny.en", "base"
    ]  # fmt: skip
    assert recogniser_name("English", "openai/whisper-base") == "base"
    for language, name, reason in (
        ("French", "tiny.en", "language_not_judged:French"),
        ("French", "large-v9", "unknown_recogniser:large-v9"),
    ):
        with pytest.raises(UsageError) as caught:
            recogniser_name(language, name)
        assert caught.value.reason == reason


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_each_language_takes_time(language: str) -> None:
    short, long = SENTENCES[language][0], " ".join(SENTENCES[language][:1] * 3)
    assert 0.3 < expected_seconds(short, language) < 6.0
    assert 2.0 < expected_seconds(long, language) / expected_seconds(short, language) <= 3.2


def test_sentences_to_teach_are_english(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text((FOREIGN / "german.txt").read_text("utf-8") * 3, "utf-8")
    with pytest.raises(DatasetError) as caught:
        lesson.own_sentences(tmp_path / "de.txt")
    assert caught.value.reason == "text_not_english"


def test_without_a_source_the_recogniser_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    shipped = json.loads((REPOSITORY / SHIPPED).read_text("utf-8"))
    for entry in shipped["weights"]:
        for item in entry["files"]:
            item["url"] = "https://localhost:9/none" if "url" in item else None
            if item["url"] is None:
                del item["url"]
    (tmp_path / "list.json").write_text(json.dumps(shipped), "utf-8")
    registry = WeightsRegistry(tmp_path / "list.json", tmp_path / "weights", REPOSITORY)
    with pytest.raises(GateError) as caught:
        TakeJudges(registry).recogniser("German")
    assert caught.value.reason == "weights_unavailable:openai/whisper-base"
    with pytest.raises(GateError) as caught:
        TakeJudges(registry).recogniser("German", "small")
    assert caught.value.reason == "weights_unavailable:Systran/faster-whisper-small"
    assert "pin_weights.py Systran/faster-whisper-small" in caught.value.hint


@pytest.fixture(scope="session")
def judges() -> TakeJudges:
    """The real multilingual recogniser, fetched once into the checkout's cache."""
    registry = WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY)
    if not recogniser_files.fetch(registry, SilentObserver()):
        pytest.skip("Whisper base cannot be fetched here")
    return TakeJudges(registry)


@pytest.mark.exhaustive
@pytest.mark.parametrize("language", ["German", "Spanish"])
def test_people_are_recognised_in_their_language(judges: TakeJudges, language: str) -> None:
    samples, rate = soundfile.read(FOREIGN / f"{language.lower()}.flac", dtype="float32")
    text = (FOREIGN / f"{language.lower()}.txt").read_text("utf-8")
    found = judging.recognise(judges.recogniser(language), samples, rate, text)
    assert found.word_errors <= 0.3, found.transcript
    words = judges.recogniser(language).load().words(samples)
    assert all(0.0 <= word.start <= word.end <= len(samples) / rate + 0.5 for word in words)
    assert len(words) >= 12
    detected = judges.recogniser("Auto", "base").load().scored(samples)
    assert detected.language == languages.CODES[language]
    assert detected.language_probability is not None
    assert detected.language_probability > 0.5


@pytest.mark.exhaustive
def test_a_reference_in_another_language(
    judges: TakeJudges, load_app: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache/weights/openai").mkdir(parents=True)
    (tmp_path / "cache/weights/openai/whisper-base").symlink_to(judges.registry.cache / "openai/whisper-base")
    command = ["prepare-ref", "--ref-audio", str(FOREIGN / "german.flac"), "--voice-name", "hans"]
    assert console.run(load_app("voice-clone").main, command, program="voice-clone") == 2  # no weights of Qwen3-TTS
    assert "weights_unavailable:Qwen" in capsys.readouterr().err
    ref = json.loads((tmp_path / "cache/voices/hans/voice.json").read_text("utf-8"))["ref"]
    assert (ref["language"], "Vaganten" in ref["transcript"] or "seltsamen" in ref["transcript"]) == ("German", True)
    assert ref["language_prob"] > 0.5
