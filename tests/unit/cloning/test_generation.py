"""Profiles, the order of their values, styles, and texts that look like directions."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import ConfigError, UsageError
from voicemill.settings import REPOSITORY
from voicemill_cloning import styles
from voicemill_cloning.generation import PROFILES, GenerationOptions, as_defaults, resolve
from voicemill_cloning.voice_file import GenerationDefaults

SHIPPED = REPOSITORY / styles.SHIPPED


@pytest.mark.parametrize(
    ("options", "defaults", "expected", "source"),
    [
        ({}, {}, ("balanced", 0.70, 0.90, 1.05, 1.0), "default"),
        ({"profile": "stable"}, {}, ("stable", 0.45, 0.78, 1.12, 0.9), "explicit"),
        ({}, {"profile": "expressive"}, ("expressive", 0.92, 0.96, 1.0, 1.2), "voice_default"),
        ({"profile": "stable"}, {"profile": "expressive"}, ("stable", 0.45, 0.78, 1.12, 0.9), "explicit"),
        ({}, {"profile": "stable", "temperature": 0.6}, ("stable", 0.6, 0.78, 1.12, 0.9), "voice_default"),
        ({"temperature": 0.5}, {"temperature": 0.6}, ("balanced", 0.5, 0.90, 1.05, 1.0), "default"),
    ],
)
def test_options_come_before_the_voice_and_the_voice_before_the_profile(
    options: dict[str, object], defaults: dict[str, object], expected: tuple[object, ...], source: str
) -> None:
    found = resolve(GenerationOptions(**options), GenerationDefaults(**defaults))  # type: ignore[arg-type]
    sampling = found.sampling
    assert (
        found.profile, sampling.temperature, sampling.top_p, sampling.repetition_penalty, found.token_factor
    ) == expected  # fmt: skip
    assert found.source == source


def test_saved_defaults_give_the_same_generation_again() -> None:
    first = resolve(GenerationOptions(profile="stable", top_p=0.5), GenerationDefaults())
    again = resolve(GenerationOptions(), as_defaults(first))
    assert (again.sampling, again.profile, again.token_factor) == (first.sampling, "stable", first.token_factor)


def test_the_profiles_are_those_of_the_options() -> None:
    from voicemill_cloning import app_options

    assert set(app_options.PROFILES) == set(PROFILES)


def test_the_shipped_styles() -> None:
    found = styles.load_styles(SHIPPED)
    assert set(found) == {
        "serious_doc", "nature_doc", "excited", "energetic", "punchy", "warm", "conversational", "sad", "melancholic",
        "whisper", "hushed", "calm", "formal", "audiobook",
    }  # fmt: skip
    assert styles.find_instruction(None, "warm", SHIPPED).source == "style_template:warm"
    assert styles.find_instruction(" Slowly. ", None, SHIPPED) == styles.Instruction("Slowly.", "explicit")
    assert styles.find_instruction(None, None, SHIPPED) == styles.Instruction()


def test_the_forms_of_a_style(tmp_path: Path) -> None:
    path = tmp_path / "styles.yaml"
    path.write_text(
        "a: Softly.\nb: {instruct: Loudly.}\nc: {instruction: Slowly.}\nd: {prefix: Very, suffix: quietly.}\n", "utf-8"
    )
    assert styles.load_styles(path) == {"a": "Softly.", "b": "Loudly.", "c": "Slowly.", "d": "Very quietly."}
    for damage in ("a: []\n", "- a\n", "a: {x: y}\n", "a: ''\n", "a: &x b\nc: *x\n", "a: [\n"):
        path.write_text(damage, "utf-8")
        with pytest.raises(ConfigError) as caught:
            styles.load_styles(path)
        assert caught.value.reason == "styles_invalid:styles.yaml"


def test_an_unknown_style_names_those_that_are_near() -> None:
    with pytest.raises(UsageError) as caught:
        styles.find_instruction(None, "whispr", SHIPPED)
    assert (caught.value.reason, "whisper" in caught.value.hint) == ("unknown_style:whispr", True)


@pytest.mark.parametrize(
    "text",
    [
        "[softly] Come in.", "(laughing) No!", "Style: sad. It was late.", "tone: warm", "Emotion = joy. Yes.",
        "MOOD: dark", "Read this in a calm voice: hello.", "Say it with anger.", "Tell it in the style of a pirate.",
        "*sighs* All right.", "Speak in a whisper. Hello.", "Please read this with feeling.", "Good. Say it with joy.",
        "{angry} Go away.", "<whisper>Come here.", "\uff08小声\uff09你好。", "【开心】早上好。",
    ],
)  # fmt: skip
def test_texts_that_look_like_directions(text: str) -> None:
    assert styles.looks_like_direction(text)


@pytest.mark.parametrize(
    "text",
    [
        "Good morning.", "The tone was warm.", "He read the letter in silence.", "She could speak with animals.",
        "I will say this in the morning again.", "Prices (with tax) rise.", "His style: none at all.", "Mood swings.",
        "They say it in every village.", "2 * 3 is 6.", "2 < 3 and 5 > 4.", "I can read that with ease.",
    ],
)  # fmt: skip
def test_texts_that_do_not(text: str) -> None:
    assert not styles.looks_like_direction(text)
