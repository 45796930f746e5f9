from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemill.evaluation.candidates import Candidate, ReferenceSentence
from voicemill.evaluation.evaluate import (
    SpeakerReferences,
    TestMaterial,
    TrainingSummary,
    VoiceEvaluation,
    evaluate_voice,
)
from voicemill.evaluation.model import Figure
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.metrics.speaker import speaker_profile

Talk = Callable[..., NDArray[np.float32]]


@dataclass(frozen=True)
class FakeRecogniser:
    """Answers from a list, in the order of the calls; the seam that evaluation needs."""

    answers: list[str]
    calls: list[int] = field(default_factory=list)
    name: str = "fake"
    version: str = "1"

    def transcribe(self, samples: NDArray[np.float32]) -> str:
        self.calls.append(len(samples))
        return self.answers[len(self.calls) - 1]


@pytest.fixture
def recogniser() -> Callable[[list[str]], FakeRecogniser]:
    return FakeRecogniser


@pytest.fixture
def figure() -> Callable[..., Figure]:
    def make(value: float | None = 0.5, unit: str = "ratio", **more: object) -> Figure:
        if value is None:
            more.setdefault("not_measured", "There was nothing to measure.")
        return Figure(value=value, unit=unit, method="A test.", library="none", version="0", **more)

    return make


@pytest.fixture(scope="session")
def evaluated(talk: Talk) -> tuple[list[ReferenceSentence], VoiceEvaluation]:
    """Two sentences, two vocoders (one mishears a word), another speaker; measured for real but for the recogniser."""
    texts = ["one two three", "four five"]
    references = [ReferenceSentence(f"held-{index}", text, talk(seconds=2.5, seed=index)) for index, text in enumerate(texts)]
    sounds = {reference.text: reference.samples for reference in references}

    def noisy(level: float) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        rng = np.random.default_rng(1)
        return lambda samples: (samples + level * rng.standard_normal(len(samples))).astype(np.float32)

    candidates = [
        Candidate("HiFi-GAN", lambda text: noisy(0.002)(sounds[text]), noisy(0.002), "A neural vocoder."),
        Candidate("Griffin-Lim", lambda text: noisy(0.01)(sounds[text])),
    ]
    heard = FakeRecogniser(["one two three", "four nine", "one two three", "four five", "one too three", "for nine"])
    others = {"other": speaker_profile([talk(formants=(350.0, 1000.0, 2200.0), seconds=6.0)])}
    return references, evaluate_voice(
        candidates,
        TestMaterial(22_050, references, SpeakerReferences([talk(seconds=6.0, seed=7)], others)),
        RecogniserPool(heard),
        TrainingSummary(final_loss=2.5),
    )
