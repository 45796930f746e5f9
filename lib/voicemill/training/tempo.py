"""The tempo of a trained FastPitch: its sentences take as long as the speaker's. Imports torch at once.

The duration loss compares logarithms, so a predicted duration is nearer to the geometric than to the arithmetic mean of
what the speaker did, and sentences come out too short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from voicemill.training.durations import is_sounded

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel

    from voicemill.training.batches import Example

LARGEST_FACTOR = 1.15
"""A voice that is further off has not learned durations; its tempo is then changed by this factor only."""
_HALVINGS = 20


class SpeakerTempo:
    """The tempo of held-out sentences: measured on their recordings, then given to a model.

    Args:
        model: whose tokens the examples have.
        examples: of recordings that the model is not trained on, with durations.

    Attributes:
        frames: of all sentences, from the first phone to the last. What is before and after depends on where a clip
            was cut.
    """

    def __init__(self, model: FastPitchModel, examples: Iterable[Example]) -> None:
        labels = model.vocab.tokens
        self.frames = 0
        self._sentences: list[tuple[torch.Tensor, slice]] = []
        for example in examples:
            sounded = [index for index, token in enumerate(example.tokens.tolist()) if is_sounded(labels[token])]
            if sounded and example.durations is not None:
                spoken = slice(sounded[0], sounded[-1] + 1)
                self.frames += int(example.durations[spoken].sum())
                self._sentences.append((example.tokens, spoken))

    def match(self, model: FastPitchModel) -> float:
        """Change the bias of the model's duration predictor so that it gives the sentences as many frames as recorded.

        Args:
            model: to change, in evaluation mode.

        Returns:
            The factor of (frames + 1), whose logarithm is predicted: from 1 / `LARGEST_FACTOR` to `LARGEST_FACTOR`; 1
            where there are no sentences.
        """
        if not self._sentences:
            return 1.0
        with torch.no_grad():
            logs = torch.cat([self._log_durations(model, tokens)[spoken] for tokens, spoken in self._sentences])
            low, high = -math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR)
            for _ in range(_HALVINGS):
                middle = (low + high) / 2
                if _frames(logs + middle, model.fastpitch.max_token_duration) < self.frames:
                    low = middle
                else:
                    high = middle
            model.fastpitch.duration_predictor.fc.bias += middle
        return math.exp(middle)

    @staticmethod
    def _log_durations(model: FastPitchModel, tokens: torch.Tensor) -> torch.Tensor:
        encoded, mask = model.fastpitch.encoder(input=tokens[None].to(model.device), conditioning=None)
        logs: torch.Tensor = model.fastpitch.duration_predictor(encoded, mask, conditioning=None)[0]
        return logs


def _frames(logs: torch.Tensor, longest: float) -> int:
    """Frames of the tokens as NeMo rounds them."""
    return int((torch.clamp(torch.exp(logs) - 1, 0, longest) + 0.5).long().sum())
