"""Text -> takes, through any engine: pieces of the text, seeds, pauses and times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from voicemill.errors import BlockedError, UsageError
from voicemill_cloning import chunking, durations
from voicemill_cloning.engines.engine import EngineRequest, Samples, SamplingOptions, SpeechEngine
from voicemill_cloning.languages import AUTO

PAUSE = 0.3
"""Seconds of silence between two pieces."""
MOST_VARIANTS = 50


@dataclass(frozen=True)
class SpeakOptions:
    """How a text is spoken.

    Attributes:
        language: a name of `voicemill_cloning.languages`, or `AUTO`.
        variants: number of takes, 1 to `MOST_VARIANTS`.
        seed: of the first take; the next takes have the seeds that follow. None: 0 if takes are compared, else random.
        chunk: speak the text piece by piece, with pauses between them.
        sampling: of generative engines; without `max_new_tokens` each piece gets a budget for its length.
        token_factor: multiplies that budget.
        instruct: how to speak, for engines that take it.
    """

    language: str = AUTO
    variants: int = 1
    seed: int | None = None
    chunk: bool = False
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    token_factor: float = 1.0
    instruct: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.variants <= MOST_VARIANTS:
            raise UsageError(f"The number of variants must lie between 1 and {MOST_VARIANTS}.")


@dataclass(frozen=True)
class SynthesisedTake:
    """One reading of a text.

    Attributes:
        index: from 1.
        seed: the engine's.
        samples: mono.
        sample_rate: in Hz.
        computed: seconds that the engine needed.
        pieces: in which the text was spoken.
        complete: False where a generation was stopped at its longest, so that words may be missing.
        marked: whether the samples carry the watermark of their origin.
    """

    index: int
    seed: int
    samples: Samples
    sample_rate: int
    computed: float
    pieces: int = 1
    complete: bool = True
    marked: bool = False

    @property
    def seconds(self) -> float:
        """Length of the take."""
        return len(self.samples) / self.sample_rate

    @property
    def rtf(self) -> float:
        """Seconds of computation for each second of speech."""
        return self.computed / self.seconds


def speak(
    engine: SpeechEngine,
    text: str,
    options: SpeakOptions | None = None,
    advance: Callable[[int, int], object] = lambda done, of: None,
) -> list[SynthesisedTake]:
    """Speak a text, in as many takes as the options ask for.

    Args:
        engine: the voice.
        text: as written.
        options: see `SpeakOptions`.
        advance: called after each piece with the number of spoken pieces and of all.

    Returns:
        The takes in the order of their seeds.

    Raises:
        UsageError: `nothing_to_say`; what the engine refuses.
        BlockedError: what the engine fails with; `engine_failed:<engine>` for a sound that is empty or not finite.
    """
    options = options or SpeakOptions()
    pieces = chunking.pieces(text, options.language) if options.chunk else [text.strip()]
    if not any(piece and any(map(str.isalnum, piece)) for piece in pieces):
        raise UsageError("There is nothing to say in the text.", reason="nothing_to_say", hint="Give words to say.")
    first = options.seed if options.seed is not None else _seed(options.variants)
    takes = []
    for index in range(options.variants):
        takes.append(_take(engine, pieces, options, index + 1, first + index, advance))
    return takes


def _seed(variants: int) -> int:
    return 0 if variants > 1 else int(np.random.SeedSequence().generate_state(1)[0] >> 1)


def _take(
    engine: SpeechEngine,
    pieces: list[str],
    options: SpeakOptions,
    index: int,
    seed: int,
    advance: Callable[[int, int], object],
) -> SynthesisedTake:
    started = time.monotonic()
    parts: list[Samples] = []
    rate, complete, marked = 0, True, True
    for number, piece in enumerate(pieces):
        sampling = _with_budget(engine, piece, options)
        request = EngineRequest(piece, options.language, seed, sampling, options.instruct)
        speech = engine.synthesise(request)
        if not len(speech.samples) or not np.isfinite(speech.samples).all():
            name = engine.description.engine
            raise BlockedError(
                f"{name} returned a sound that is empty or not finite.",
                reason=f"engine_failed:{name}",
                hint="Try another seed, or a lower temperature.",
            )
        rate = speech.sample_rate
        if parts:
            parts.append(np.zeros(round(PAUSE * rate), dtype=np.float32))
        parts.append(speech.samples)
        complete, marked = complete and speech.complete, marked and speech.marked
        advance((index - 1) * len(pieces) + number + 1, options.variants * len(pieces))
    computed = time.monotonic() - started
    return SynthesisedTake(index, seed, np.concatenate(parts), rate, computed, len(pieces), complete, marked)


def _with_budget(engine: SpeechEngine, piece: str, options: SpeakOptions) -> SamplingOptions:
    """The sampling options, with a budget of tokens for engines that count them."""
    frames = engine.description.frames_per_second
    if frames is None or options.sampling.max_new_tokens is not None:
        return options.sampling
    budget = durations.token_budget(piece, options.language, frames, options.token_factor)
    return replace(options.sampling, max_new_tokens=budget)
