"""Durations from a forced alignment: frames per token, or an attention prior, for FastPitch.

The aligner and our tokenizer share one lexicon, and heteronyms are written as their phones (`examples.aligned_text`).
So the aligned phones of an utterance are the phone tokens of its text, one to one; spaces and punctuation get the
pauses. The tokenizer of a base checkpoint may have stress marks or spell some words: with it, words are matched instead
of phones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import DatasetError


@dataclass(frozen=True)
class AlignedPhone:
    """An ARPABET phone without stress; start and end in seconds."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class AlignedWord:
    """A word and its phones, in order of time."""

    word: str
    phones: tuple[AlignedPhone, ...]

    @property
    def start(self) -> float:
        """Seconds."""
        return self.phones[0].start

    @property
    def end(self) -> float:
        """Seconds."""
        return self.phones[-1].end


@dataclass(frozen=True)
class TokenSpan:
    """The time of a token, in seconds; the spans of neighbouring tokens touch."""

    start: float
    end: float


def is_sounded(symbol: str) -> bool:
    """Whether a token is a phone or a letter, rather than a space or punctuation."""
    return any(unicodedata.category(character)[0] in "LN" for character in symbol)


def token_spans(
    symbols: Sequence[str], words: Sequence[AlignedWord], seconds: float, *, clip: str, strict: bool = True
) -> list[TokenSpan]:
    """Give each token its part of the utterance.

    Args:
        symbols: the tokenizer's symbols in order, for example `[" ", "HH", "AY", ".", " "]`.
        words: the forced alignment of the same text.
        seconds: length of the utterance.
        clip: its id, for messages.
        strict: the phones must be the tokens one to one. Otherwise words are matched to runs of sounded tokens, and a
            word that is spelled differently divides its time evenly among its tokens.

    Returns:
        One span a token; together they cover 0..`seconds` without gaps. A pause belongs to the first space or
        punctuation mark in it: a comma gets its pause, and the space after it has no duration.

    Raises:
        DatasetError: tokens and alignment do not fit (reason `alignment_mismatch:<clip>`).
    """
    sounded = [index for index, symbol in enumerate(symbols) if is_sounded(symbol)]
    phones = [phone for word in words for phone in word.phones]
    if not sounded or not phones:
        raise _mismatch(clip, "it has no phones")
    if [symbols[index].rstrip("012") for index in sounded] != [phone.symbol for phone in phones]:
        if strict:
            raise _mismatch(
                clip, _first_difference([symbols[index] for index in sounded], [phone.symbol for phone in phones])
            )
        phones = list(_shared_by_word(symbols, words, clip))
    return _cover(len(symbols), sounded, phones, seconds)


def frame_counts(spans: Sequence[TokenSpan], frames: int, frames_per_second: float) -> NDArray[np.int64]:
    """Frames per token, shape (tokens,), summing to `frames` exactly.

    Frame `i` of a centred short-time transform is centred on the time `i / frames_per_second`. Each boundary is rounded
    once to a frame, and a token lasts from its rounded start to that of the next token.
    """
    ends = np.array([span.end for span in spans])
    boundaries = np.clip(np.rint(ends * frames_per_second), 0, frames).astype(np.int64)
    boundaries = np.maximum.accumulate(boundaries)
    boundaries[-1] = frames
    return np.diff(boundaries, prepend=0)


def gaussian_prior(spans: Sequence[TokenSpan], frames: int, frames_per_second: float) -> NDArray[np.float32]:
    """Attention prior of shape (frames, tokens): a Gaussian around each token's centre, half its length as deviation.

    It replaces NeMo's beta-binomial prior, which depends on the numbers of frames and tokens alone; the aligner still
    finds the exact boundaries. The floor of 1e-6 keeps every path possible.
    """
    starts = np.array([span.start for span in spans]) * frames_per_second
    ends = np.array([span.end for span in spans]) * frames_per_second
    centres = (starts + ends) / 2
    deviations = np.maximum(1.0, (ends - starts) / 2)
    times = np.arange(frames)[:, None] + 0.5
    prior: NDArray[np.float64] = np.exp(-0.5 * ((times - centres) / deviations) ** 2) + 1e-6
    return prior.astype(np.float32)


def token_pitch(pitch: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean over the voiced frames of each token, 0 where none is voiced (as NeMo's `average_features`).

    Args:
        pitch: normalised pitch per frame, shape (frames,), exactly 0 where unvoiced.
        counts: frames per token, shape (tokens,).
    """
    ends = np.cumsum(counts)
    starts = ends - counts
    total = np.concatenate(([0.0], np.cumsum(pitch, dtype=np.float64)))
    voiced = np.concatenate(([0], np.cumsum(pitch != 0)))
    sums, numbers = total[ends] - total[starts], voiced[ends] - voiced[starts]
    means: NDArray[np.float64] = np.divide(sums, numbers, out=np.zeros(len(counts)), where=numbers > 0)
    return means.astype(np.float32)


def _cover(tokens: int, sounded: Sequence[int], phones: Sequence[AlignedPhone], seconds: float) -> list[TokenSpan]:
    """Spans without gaps: phones where they sound, pauses to the silent tokens between them or, without any, to the
    phone before.
    """
    ends = [0.0] * tokens
    following = [phone.start for phone in phones[1:]] + [seconds]
    if sounded[0] > 0:
        ends[: sounded[0]] = [phones[0].start] * sounded[0]
    for position, (index, phone, until) in enumerate(zip(sounded, phones, following, strict=True)):
        upto = sounded[position + 1] if position + 1 < len(sounded) else tokens
        silent = upto - index - 1
        ends[index] = min(phone.end, until) if silent else until
        ends[index + 1 : upto] = [until] * silent
    starts = [0.0, *ends[:-1]]
    return [TokenSpan(start, end) for start, end in zip(starts, ends, strict=True)]


def _shared_by_word(symbols: Sequence[str], words: Sequence[AlignedWord], clip: str) -> Iterator[AlignedPhone]:
    runs: list[list[str]] = [[]]
    for symbol in symbols:
        if is_sounded(symbol) or (symbol == "'" and runs[-1]):
            runs[-1].append(symbol)
        elif runs[-1]:
            runs.append([])
    runs = [run for run in runs if run]
    if len(runs) != len(words):
        raise _mismatch(clip, f"the text has {len(runs)} words and the alignment {len(words)}")
    for run, word in zip(runs, words, strict=True):
        spoken = [symbol for symbol in run if is_sounded(symbol)]
        if [symbol.rstrip("012") for symbol in spoken] == [phone.symbol for phone in word.phones]:
            yield from word.phones
            continue
        edges = np.linspace(word.start, word.end, len(spoken) + 1).tolist()
        for symbol, start, end in zip(spoken, edges[:-1], edges[1:], strict=True):
            yield AlignedPhone(symbol, start, end)


def _first_difference(tokens: Sequence[str], phones: Sequence[str]) -> str:
    for position, (token, phone) in enumerate(zip(tokens, phones, strict=False)):
        if token != phone:
            return f"phone {position + 1} is {token} in the text and {phone} in the alignment"
    return f"the text has {len(tokens)} phones and the alignment {len(phones)}"


def _mismatch(clip: str, detail: str) -> DatasetError:
    return DatasetError(
        f"The alignment of clip {clip} does not fit its text: {detail}.",
        reason=f"alignment_mismatch:{clip}",
        hint="Prepare the dataset again, so that aligner and tokenizer use the same lexicon.",
    )
