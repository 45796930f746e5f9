"""Training examples of FastPitch: tokens, mel, pitch, and durations or an attention prior of a clip."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import DatasetError
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.out_of_vocabulary import Vocabulary
from voicemill.text.frontend.heteronyms import pronunciations
from voicemill.training.batches import Example
from voicemill.training.config import AlignmentMode
from voicemill.training.data import PitchStatistics, TrainingClip, read_audio, read_pitch
from voicemill.training.durations import frame_counts, gaussian_prior, token_pitch, token_spans

if TYPE_CHECKING:
    import torch
    from nemo.collections.tts.models import FastPitchModel

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*", re.IGNORECASE)
"""A word as `text.normalise.words` finds it."""
CACHE_SECONDS = 4 * 3600.0
"""Mels of up to this much audio are cached (28 kB a second, so 400 MB); others are computed at each use."""


@dataclass
class ExampleSource:
    """Makes the example of a clip on demand, and caches examples of up to `CACHE_SECONDS` of audio.

    Attributes:
        model: its tokenizer and mel front end are used; it must be in evaluation mode.
        strict: tokens must be the aligned phones one to one (our own tokenizer), see `token_spans`.
    """

    model: FastPitchModel
    clips: tuple[TrainingClip, ...]
    pitch_statistics: PitchStatistics
    audio: AudioConfig
    mode: AlignmentMode
    strict: bool
    _cache: dict[int, Example] = field(default_factory=dict, repr=False)
    _cached_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Example:
        cached = self._cache.get(index)
        if cached is not None:
            return cached
        clip = self.clips[index]
        example = self._make(clip)
        if self._cached_seconds + clip.seconds <= CACHE_SECONDS:
            self._cache[index] = example
            self._cached_seconds += clip.seconds
        return example

    def _make(self, clip: TrainingClip) -> Example:
        import torch

        samples, hertz = read_audio(clip.audio, self.audio.sample_rate), read_pitch(clip)
        mel = log_mel(self.model, samples)
        frames = mel.shape[1]
        pitch = self._normalised_pitch(clip, hertz, frames)
        tokens, symbols = encode(self.model, aligned_text(self.model, clip, strict=self.strict))
        seconds = len(samples) / self.audio.sample_rate
        spans = token_spans(symbols, clip.words, seconds, clip=clip.id, strict=self.strict)
        durations = prior = None
        if self.mode == "durations":
            counts = frame_counts(spans, frames, self.audio.frames_per_second)
            durations = torch.from_numpy(counts)
            pitch = token_pitch(pitch, counts)
        elif self.mode == "forced_prior":
            prior = torch.from_numpy(gaussian_prior(spans, frames, self.audio.frames_per_second))
        else:
            prior = torch.from_numpy(beta_binomial_prior(len(tokens), frames))
        return Example(torch.tensor(tokens), mel, torch.from_numpy(pitch), durations, prior)

    def _normalised_pitch(self, clip: TrainingClip, hertz: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
        """(f0 - mean) / std where voiced, 0 elsewhere; cut to the mel, which is one frame shorter."""
        if not 0 <= len(hertz) - frames <= 1:
            raise DatasetError(
                f"The pitch of clip {clip.id} has {len(hertz)} frames and its mel {frames}.",
                reason=f"pitch_length:{clip.id}",
                hint="Prepare the dataset again with the present audio settings.",
            )
        hertz = hertz[:frames]
        return np.where(
            hertz > 0, (hertz - self.pitch_statistics.pitch_mean) / self.pitch_statistics.pitch_std, 0.0
        ).astype(np.float32)


def log_mel(model: FastPitchModel, samples: NDArray[np.float32]) -> torch.Tensor:
    """Log-mel of shape (mels, samples // hop).

    NeMo's front end computes one frame more and fills it with its padding value, because the length it reports is one
    short since NeMo 2.5. NeMo's own training cuts to the reported length too.
    """
    import torch

    with torch.no_grad():
        audio = torch.from_numpy(samples)[None].to(model.device)
        mel, length = model.preprocessor(input_signal=audio, length=torch.tensor([len(samples)], device=model.device))
    cut: torch.Tensor = mel[0, :, : int(length[0])].cpu()
    return cut


def mean_log_mel(source: ExampleSource) -> torch.Tensor:
    """Mean over all frames of the clips that fit in the cache, shape (mels,).

    Makes their examples, and so checks them.
    """
    import torch

    total, frames, seconds = torch.zeros(source.audio.n_mels, dtype=torch.float64), 0, 0.0
    for index, clip in enumerate(source.clips):
        seconds += clip.seconds
        if seconds > CACHE_SECONDS:
            break
        mel = source[index].mel
        total += mel.sum(dim=1, dtype=torch.float64)
        frames += mel.shape[1]
    return (total / max(1, frames)).to(torch.float32)


def encode(model: FastPitchModel, text: str) -> tuple[list[int], list[str]]:
    """Token ids and symbols of a text from the model's own tokenizer; words in its lexicon become phones."""
    ids = [int(token) for token in model.parse(text, normalize=False)[0].tolist()]
    labels = model.vocab.tokens
    return ids, [labels[token] for token in ids]


def aligned_text(model: FastPitchModel, clip: TrainingClip, *, strict: bool) -> str:
    """The text of a clip for the tokenizer: a word whose aligned phones the tokenizer would not give is written as
    `|PH OW N Z|`.

    Args:
        model: the acoustic model.
        clip: with its alignment.
        strict: for every such word: heteronyms, and letters. With the tokenizer of a base checkpoint only for
            heteronyms and words that its dictionary lacks.
    """
    matches = list(_WORD.finditer(clip.text))
    if len(matches) != len(clip.words):
        return clip.text  # `token_spans` refuses it
    vocabulary = vocabulary_of(model)
    pieces, end = [], 0
    for match, aligned in zip(matches, clip.words, strict=True):
        word, phones = aligned.word.lower(), tuple(phone.symbol for phone in aligned.phones)
        own = not vocabulary.knows(word) or (
            (strict or bool(pronunciations(word))) and phones != listed_phones(model, word)
        )
        pieces += [clip.text[end : match.start()], vocabulary.written(phones) if own else match[0]]
        end = match.end()
    return "".join([*pieces, clip.text[end:]])


def listed_phones(model: FastPitchModel, word: str) -> tuple[str, ...] | None:
    """The first pronunciation of a word in the tokenizer's dictionary, without stress; None for other words.

    Args:
        model: the acoustic model.
        word: in lower case.
    """
    entries = model.vocab.g2p.phoneme_dict
    found = (entries.get(word) or entries.get(word.upper())) if isinstance(entries, dict) else None
    if not found:
        return None
    first = found[0] if isinstance(found[0], list | tuple) else found
    return tuple(phone.rstrip("012") for phone in first)


def vocabulary_of(model: FastPitchModel) -> Vocabulary:
    """The words and tokens of the model's own tokenizer; no words where it has no pronunciation dictionary."""
    words = model.vocab.g2p.phoneme_dict
    return Vocabulary(words if isinstance(words, dict) else {}, model.vocab.tokens)


def beta_binomial_prior(tokens: int, frames: int) -> NDArray[np.float32]:
    """NeMo's beta-binomial attention prior, shape (frames, tokens), from the numbers of tokens and frames alone."""
    from nemo.collections.tts.parts.utils.tts_dataset_utils import (
        beta_binomial_prior_distribution,
    )  # Shih et al. 2021, RAD-TTS

    prior: NDArray[np.float32] = np.asarray(beta_binomial_prior_distribution(tokens, frames), dtype=np.float32)
    return prior
