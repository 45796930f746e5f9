from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio.embedding import SpeakerModel
from voicemill.evaluation import judging
from voicemill.evaluation.candidates import Candidate, ReferenceSentence
from voicemill.evaluation.evaluate import SpeakerReferences, TestMaterial, evaluate_voice
from voicemill.evaluation.figures import figures_of
from voicemill.evaluation.judging import Panel
from voicemill.evaluation.model import Evaluation, parse_evaluation
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.files import sha256_file
from voicemill.metrics.inputs import JudgedPair
from voicemill.metrics.judges import NO_JUDGE, NO_OWN, Judges
from voicemill.metrics.opinion import OpinionScores

OTHER_THROAT = (750.0, 1700.0, 3300.0)
MISSING = "somebody/model cannot be used: weights_unavailable:somebody/model."


@dataclass(frozen=True)
class LevelOpinion:
    """Rates a sound by its level; the seam of the opinion model."""

    name: str = "level"

    def score(self, samples: np.ndarray, sample_rate: int) -> OpinionScores:
        level = float(np.abs(samples).mean())
        return OpinionScores(level, level, level, 10 * level)


@pytest.fixture
def encoder(timbre_model: Path) -> SpeakerModel:
    return SpeakerModel("somebody/speaker", timbre_model, sha256_file(timbre_model))


def ignore() -> None:
    """Count nothing."""


def figures(judged) -> dict[str, float | None]:
    return {name: figure.value for name, figure in figures_of(judged.sentences).items()}


def test_similarity_is_the_mean_cosine_to_the_speaker(encoder, talk: Callable[..., np.ndarray]) -> None:
    panel = Panel(22_050, Judges(speaker=encoder), [talk(seed=seed) for seed in range(3)])
    mine, other = talk(seed=5), talk(formants=OTHER_THROAT, seed=6)
    near, far, both = (panel.judge(made, ["one"] * len(made), ignore) for made in ([mine], [other], [mine, other]))
    values = [figures(each)["speaker_similarity"] for each in (near, far, both)]
    assert values[0] > 0.9 > 0.7 > values[1]
    assert values[2] == pytest.approx((values[0] + values[1]) / 2, abs=1e-6)
    figure = figures_of(both.sentences)["speaker_similarity"]
    assert figure.samples == 2
    assert figure.interval == pytest.approx((values[1], values[0]), abs=1e-5)
    assert [sound.similarity for sound in both.sounds] == pytest.approx(values[:2], abs=1e-5)


def test_a_sentence_nearer_to_another_person_is_counted(encoder, talk: Callable[..., np.ndarray]) -> None:
    stranger = encoder.embed(talk(formants=OTHER_THROAT, seed=9), 22_050)
    panel = Panel(22_050, Judges(speaker=encoder), [talk(seed=1), talk(seed=2)], np.array([stranger]))
    judged = panel.judge([talk(seed=3), talk(formants=OTHER_THROAT, seed=4)], ["one", "two"], ignore)
    assert figures(judged)["speaker_confusion"] == 0.5
    assert panel.other_people == [pytest.approx(float(stranger @ panel.speaker), abs=1e-4)]
    himself = encoder.embed(talk(seed=8), 22_050)
    assert not len(Panel(22_050, panel.judges, panel.own, np.array([himself])).others)


def test_without_a_judge_recordings_or_meaning_a_figure_is_null_and_says_why(encoder, talk) -> None:
    own, sound = [talk(seed=1)], [talk(seed=2)]

    def why(panel: Panel, sounds=sound) -> str | None:
        return figures_of(panel.judge(sounds, ["one"], ignore).sentences)["speaker_similarity"].not_measured

    assert why(Panel(22_050)) == NO_JUDGE
    assert why(Panel(22_050, Judges(speaker=MISSING), own)) == MISSING
    assert why(Panel(22_050, Judges(speaker=encoder))) == NO_OWN
    broken = [np.full(22_050, np.nan, dtype=np.float32)]
    assert "not finite" in str(why(Panel(22_050, Judges(speaker=encoder), own), broken))


def test_a_package_that_does_not_load_leaves_its_figures_null(encoder, talk) -> None:
    class Broken(LevelOpinion):
        def score(self, samples, sample_rate):
            raise ImportError("libsomething.so is missing")

    panel = Panel(22_050, Judges(speaker=encoder, opinion=Broken()), [talk(seed=1)])
    found = figures_of(panel.judge([talk(seed=2)], ["one"], ignore).sentences)
    assert found["speaker_similarity"].value is not None
    assert found["dnsmos_p808"].not_measured == "A judge cannot be loaded: libsomething.so is missing."


def test_of_many_sentences_some_are_judged(monkeypatch, talk) -> None:
    monkeypatch.setattr(judging, "MOST_SENTENCES", 3)
    steps: list[int] = []
    sounds = [np.float32(0.1 * (index + 1)) * np.ones(100, dtype=np.float32) for index in range(7)]
    judged = Panel(22_050, Judges(opinion=LevelOpinion())).judge(sounds, ["one"] * 7, lambda: steps.append(1))
    assert [sound is not None for sound in judged.sounds] == [True, False, True, False, True, False, False]
    assert figures(judged)["dnsmos_p808"] == pytest.approx((1 + 3 + 5) / 3, abs=1e-5)
    assert len(steps) == 7


def test_ratio_and_drop_compare_with_the_recordings(encoder, talk) -> None:
    panel = Panel(22_050, Judges(speaker=encoder, opinion=LevelOpinion()), [talk(seed=1)])
    sounds = [talk(seed=2), talk(seed=3)]
    recorded, _ = panel.judge_recordings(sounds, ["one", "two"], ignore)
    halves = panel.judge([0.5 * sound for sound in sounds], ["one", "two"], ignore)
    found = figures_of(JudgedPair(halves.sentences, recorded))
    assert found["speaker_similarity_ratio"].value == pytest.approx(1.0, abs=0.02)
    p808 = figures_of(recorded)["dnsmos_p808_real"].value
    assert found["dnsmos_p808_drop"].value == pytest.approx(p808 / 2, abs=1e-4)
    assert found["wer_whisper_ratio"].not_measured == NO_JUDGE


def test_the_judges_decide_the_vocoder_and_are_recorded(encoder, talk, recogniser) -> None:
    """PocketSphinx prefers the first vocoder; the judges find the second one to be the speaker."""
    references = [ReferenceSentence(f"held-{index}", "one two three", talk(seconds=2.5, seed=index)) for index in range(3)]
    wrong = iter([talk(seconds=2.5, formants=OTHER_THROAT, seed=20 + index) for index in range(3)])
    own = iter([talk(seconds=2.5, seed=30 + index) for index in range(3)])
    candidates = [Candidate("first", lambda text: next(wrong)), Candidate("second", lambda text: next(own))]
    answers = ["one two three"] * 6 + ["one two tree"] * 3
    material = TestMaterial(
        22_050, references, SpeakerReferences([talk(seed=7)]), judges=Judges(speaker=encoder, opinion=LevelOpinion())
    )
    found = evaluate_voice(candidates, material, RecogniserPool(recogniser(answers))).evaluation
    assert found.chosen_vocoder == "second"
    assert "by likeness, quality and errors" in found.vocoder_choice
    assert found.judges == {"speaker": "somebody/speaker", "opinion": "level"}
    assert found.mos_proxy == found.figures["dnsmos_p808"].value
    assert "mos_proxy" not in found.not_measured
    sentence = found.sentences[0]
    assert sentence.judged_real is not None
    assert sentence.judged_synthesised["second"].similarity > sentence.judged_synthesised["first"].similarity
    assert sentence.judged_synthesised["second"].word_error_rate is None
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


def test_an_evaluation_of_version_1_is_read(evaluated) -> None:
    document = evaluated[1].evaluation.model_dump(mode="json")
    for name in ("judges", "other_people"):
        del document[name]
    for sentence in document["sentences"]:
        del sentence["judged_real"], sentence["judged_synthesised"]
    document["eval_version"] = "prod_tts_eval/1"
    found = parse_evaluation(document)
    assert found.eval_version == "prod_tts_eval/2"
    assert found.sentences[1].heard_real == "four nine"
    with pytest.raises(ValueError, match="judges"):
        parse_evaluation(document | {"judges": {}})
