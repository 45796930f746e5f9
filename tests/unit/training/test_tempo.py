"""The tempo of a voice: held-out sentences are as long as their recordings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from voicemill.training.batches import Example
from voicemill.training.data import read_dataset
from voicemill.training.examples import ExampleSource
from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon
from voicemill.training.runtime import nemo_runtime

from .conftest import tiny_config

pytestmark = pytest.mark.slow  # builds a small model, with NeMo


@pytest.fixture(scope="module")
def voice(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Example]]:
    """A model with random weights, and the examples of all clips."""
    dataset, config = read_dataset(tone_dataset), tiny_config()
    lexicon = tmp_path_factory.mktemp("voice") / "lexicon.cmudict"
    write_nemo_lexicon(dataset.lexicon, lexicon)
    with nemo_runtime():
        model = build_fastpitch(config, dataset.pitch_statistics, lexicon).eval()
        clips = (*dataset.train, *dataset.validation)
        source = ExampleSource(model, clips, dataset.pitch_statistics, config.audio, "durations", True)
        return model, [source[index] for index in range(len(source))]


def spoken_frames(model: Any, example: Any) -> int:
    """Frames that the model gives to the tokens from the first phone to the last: all but the blanks at the ends."""
    import torch

    with nemo_runtime(), torch.no_grad():
        frames = model.fastpitch.infer(text=example.tokens[None], pitch=torch.zeros((1, 1)))[2][0]
    labels = [model.vocab.tokens[token] for token in example.tokens.tolist()]
    phones = [index for index, label in enumerate(labels) if label.isalpha()]
    return int((frames[phones[0] : phones[-1] + 1] + 0.5).long().sum())


@pytest.mark.parametrize("off", [0.9, 1.1])
def test_sentences_become_as_long_as_recorded(voice: tuple[Any, list[Example]], off: float) -> None:
    from voicemill.training.tempo import SpeakerTempo

    model, examples = voice
    tempo = SpeakerTempo(model, examples)
    bias = model.fastpitch.duration_predictor.fc.bias.data.fill_(2.0)
    for _ in range(8):
        bias += math.log(tempo.frames / sum(spoken_frames(model, example) for example in examples))
    bias += math.log(off)
    before = sum(spoken_frames(model, example) for example in examples)
    factor = tempo.match(model)
    after = sum(spoken_frames(model, example) for example in examples)
    assert abs(before / tempo.frames - 1) > 0.04
    assert abs(after / tempo.frames - 1) < 0.01
    assert (factor > 1) == (before < tempo.frames)


def test_frames_before_and_after_the_sentence_do_not_count(voice: tuple[Any, list[Example]]) -> None:
    import dataclasses

    from voicemill.training.tempo import SpeakerTempo

    model, examples = voice
    before = SpeakerTempo(model, examples).frames
    longer = []
    for example in examples:
        durations = example.durations.clone()
        durations[0] += 50
        durations[-1] += 50
        longer.append(dataclasses.replace(example, durations=durations))
    assert SpeakerTempo(model, longer).frames == before > 0


def test_a_voice_that_has_not_learned_durations_is_changed_by_the_largest_factor(
    voice: tuple[Any, list[Example]],
) -> None:
    from voicemill.training.tempo import LARGEST_FACTOR, SpeakerTempo

    model, examples = voice
    bias = model.fastpitch.duration_predictor.fc.bias
    for wrong, factor in ((math.log(60), 1 / LARGEST_FACTOR), (0.0, LARGEST_FACTOR)):
        bias.data.fill_(wrong)
        assert SpeakerTempo(model, examples).match(model) == pytest.approx(factor, rel=1e-4)
        assert float(bias.detach()) == pytest.approx(wrong + math.log(factor), abs=1e-4)


def test_without_sentences_nothing_changes(voice: tuple[Any, list[Example]]) -> None:
    from voicemill.training.tempo import SpeakerTempo

    model, _ = voice
    bias = model.fastpitch.duration_predictor.fc.bias.clone()
    assert SpeakerTempo(model, []).match(model) == 1.0
    assert model.fastpitch.duration_predictor.fc.bias.equal(bias)
