"""The interface between the commands and the engines that turn a text into speech.

An engine speaks with one voice. It is made with everything that the voice needs (a bundle, a prompt, the name of a
speaker), and then takes one text after the other. `voicemill_cloning.speaking` cuts texts, makes several takes and
measures times; an engine does none of that.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import UsageError
from voicemill_cloning.languages import AUTO

Samples = NDArray[np.float32]
"""Mono samples (n,), full scale 1.0."""


@dataclass(frozen=True)
class SamplingOptions:
    """How a generative engine chooses among likely sounds. `None` takes the model's own value.

    Engines that are not generative ignore all of them.

    Attributes:
        temperature: above 0; low values vary less.
        top_p: share of the probability that is chosen from, above 0 to 1.
        top_k: number of sounds that are chosen from, from 1.
        repetition_penalty: from 1, where nothing is penalised.
        max_new_tokens: length at which the generation is stopped, in codec frames.
        do_sample: False takes the likeliest sound each time.
        subtalker_temperature, subtalker_top_p, subtalker_top_k: the same for the codes below the first of each frame.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int | None = None
    do_sample: bool | None = None
    subtalker_temperature: float | None = None
    subtalker_top_p: float | None = None
    subtalker_top_k: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0.01, 2.0),
            ("top_p", 0.01, 1.0),
            ("top_k", 1, 10_000),
            ("repetition_penalty", 1.0, 2.0),
            ("max_new_tokens", 2, 8192),
            ("subtalker_temperature", 0.01, 2.0),
            ("subtalker_top_p", 0.01, 1.0),
            ("subtalker_top_k", 1, 10_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} must lie between {low:g} and {high:g}.")

    def given(self) -> dict[str, float | int | bool]:
        """The options that are not None, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class EngineRequest:
    """One text for an engine, short enough to be spoken at once.

    Attributes:
        text: as written.
        language: a name of `voicemill_cloning.languages`, or `AUTO`.
        seed: the same request with the same seed gives the same speech, on one machine.
        sampling: of generative engines.
        instruct: a sentence that says how to speak, for engines whose description says `takes_instruct`.
    """

    text: str
    language: str = AUTO
    seed: int = 0
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    instruct: str = ""


@dataclass(frozen=True)
class EngineSpeech:
    """What an engine returned for one request.

    Attributes:
        samples: mono.
        sample_rate: in Hz.
        complete: False where the generation was stopped by `max_new_tokens`, so that the end may be missing.
        marked: whether the samples already carry the watermark of their origin.
    """

    samples: Samples
    sample_rate: int
    complete: bool = True
    marked: bool = False

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True)
class EngineDescription:
    """What speaks, for listings and for the provenance of a dataset that is made from its speech.

    Attributes:
        engine: `qwen`, `trained`, `flite` or `espeak-ng`.
        voice: name of the voice in the engine.
        version: of the engine's program or package.
        model: id of the weights, digest of a bundle's manifest, or name of the program.
        licence: SPDX expression of the licence under which the voice may be used.
        attribution: what has to be passed on with speech of this voice; may be empty.
        languages: names of `voicemill_cloning.languages` that it speaks.
        varies: whether another seed gives another take.
        takes_instruct: whether `EngineRequest.instruct` has an effect.
        frames_per_second: codec frames of a generative engine, which `max_new_tokens` counts.
        note: a sentence for the person who runs it, such as why it is slower than it could be; may be empty.
    """

    engine: str
    voice: str
    version: str
    model: str
    licence: str
    attribution: str = ""
    languages: tuple[str, ...] = ("English",)
    varies: bool = False
    takes_instruct: bool = False
    frames_per_second: float | None = None
    note: str = ""


def require_language(engine: str, voice: str, languages: Sequence[str], language: str) -> None:
    """Refuse a language that a voice does not speak; every engine takes `AUTO`.

    Raises:
        UsageError: `language_not_spoken:<language>`.
    """
    if language not in (AUTO, *languages):
        raise UsageError(
            f"{engine} with the voice {voice} does not speak {language}.",
            reason=f"language_not_spoken:{language}",
            hint=f"It speaks {', '.join(languages)}.",
        )


class SpeechEngine(Protocol):
    """A voice that speaks. Close it, or use it in a `with` statement: it may hold a process."""

    @property
    def description(self) -> EngineDescription:
        """What speaks."""

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """Speak one text.

        Raises:
            UsageError: the engine cannot speak this request.
            BlockedError: the engine failed; the reason names the cause.
        """

    def close(self) -> None:
        """Release models and processes; a closed engine may be closed again."""


def unknown_speaker(engine: str, name: str, known: Sequence[str]) -> UsageError:
    """The refusal of a speaker that an engine or a model does not have, with the names that are near it."""
    by_name = {each.casefold(): each for each in known}
    near = [by_name[each] for each in difflib.get_close_matches(name.strip().casefold(), by_name, 3)]
    return UsageError(
        f"{engine} has no speaker {name[:60]!r}.",
        reason=f"unknown_speaker:{name[:60]}",
        hint=f"Did you mean {' or '.join(near)}?" if near else f"Choose one of: {', '.join(known[:40])}.",
    )
