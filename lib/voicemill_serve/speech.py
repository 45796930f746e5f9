"""Texts spoken sentence by sentence by a pool of threads.

Each request has at most one sentence in the pool at a time, so requests take turns: a long text does not hold up short
ones, and a client that goes away costs no more than the sentence that is being computed.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemill.synthesis.options import SynthesisOptions
from voicemill_runtime.voice import SPEEDS, SpokenChunk, TimedMark, TimedWord
from voicemill_serve.metrics import Metrics
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.settings import Limits
from voicemill_serve.voice_store import ServedVoice, VoiceStore

Samples = NDArray[np.float32]


class RequestOptions(SynthesisOptions):
    """Options with the range of speeds that OpenAI's interface has, which is all that a voice can speak."""

    SPEEDS = SPEEDS


@dataclass(frozen=True)
class SpeechRequest:
    """A text for a voice.

    Attributes:
        voice: name of the voice.
        text: checked with `checked_text`.
        speed: 1 as trained, within `SPEEDS`.
        semitones: shift of the pitch, -12 to 12.
    """

    voice: str
    text: str
    speed: float = 1.0
    semitones: float = 0.0


class SpeechStream:
    """Speech as a stream: its first sound is computed, the rest follows while the stream is read.

    Attributes:
        served: the voice that speaks.
        seconds: of the sound so far.
        first_sound: seconds from the request to its first sound.
        words: with their times, as far as they are spoken.
        marks: of SSML, likewise.
    """

    def __init__(
        self, service: SpeechService, served: ServedVoice, chunks: Iterator[SpokenChunk], started: float
    ) -> None:
        self.served, self.seconds, self.first_sound = served, 0.0, 0.0
        self.words: list[TimedWord] = []
        self.marks: list[TimedMark] = []
        self._service, self._chunks, self._started = service, chunks, started
        self._first: Samples | None = None
        self._closed = False

    @property
    def sample_rate(self) -> int:
        """Of the samples, in Hz."""
        return self.served.voice.sample_rate

    async def begin(self) -> None:
        """Compute the first sound."""
        self._first = await self._next()
        self.first_sound = time.monotonic() - self._started
        self._service.metrics.first_sound.observe(self.first_sound)

    async def samples(self) -> AsyncIterator[Samples]:
        """The sound in order, each part in -1..1 as soon as it is computed.

        Raises:
            RequestRefusedError: `speech_timeout`.
        """
        part, self._first = self._first, None
        while part is not None:
            yield part
            part = await self._next()

    async def whole(self, disconnected: Callable[[], Awaitable[bool]] | None = None) -> Samples:
        """All of the sound.

        Args:
            disconnected: whether the client has gone away.

        Raises:
            ConnectionResetError: the client has gone away.
            RequestRefusedError: `speech_timeout`.
        """
        parts = []
        async for part in self.samples():
            parts.append(part)
            if disconnected is not None and await disconnected():
                raise ConnectionResetError("the client has gone away")
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the place in the queue; closing again has no effect."""
        if not self._closed:
            self._closed = True
            self.served.speaking -= 1
            self.served.used = time.monotonic()
            self._service.active -= 1

    async def _next(self) -> Samples | None:
        service = self._service
        left = self._started + service.limits.seconds - time.monotonic()
        pulled = asyncio.get_running_loop().run_in_executor(service.pool, _pull, self._chunks)
        try:
            chunks, spent = await asyncio.wait_for(pulled, max(left, 0.001))
        except TimeoutError as error:
            raise RequestRefusedError(
                f"The text was not spoken within {service.limits.seconds:g} seconds.",
                reason="speech_timeout",
                hint="Send a shorter text, or try again when the server has less to do.",
            ) from error
        for chunk in chunks:
            self.words += chunk.words
            self.marks += chunk.marks
        part = chunks[-1].samples if chunks else None
        if part is None or not part.size:
            return None
        seconds = part.size / self.sample_rate
        self.seconds += seconds
        service.metrics.sound_seconds.add(amount=seconds)
        service.metrics.synthesis_seconds.add(amount=spent)
        louder: Samples = np.clip(part * np.float32(self.served.gain), -1.0, 1.0).astype(np.float32)
        return louder


class SpeechService:
    """Speaks for all routes.

    Attributes:
        active: requests that are spoken or wait.
    """

    def __init__(self, voices: VoiceStore, pool: Executor, metrics: Metrics, limits: Limits) -> None:
        self.voices, self.pool, self.metrics, self.limits = voices, pool, metrics, limits
        self.active = 0

    async def speak(self, request: SpeechRequest) -> SpeechStream:
        """Begin to speak; the caller closes the stream.

        Raises:
            RequestRefusedError: `server_busy`, `voice_unknown`, `voice_not_served`, `speech_timeout`.
            UsageError: `nothing_to_say`, `markup_unsupported`, or a speed outside of its range.
            BundleError: `synthesis_non_finite`.
        """
        started = time.monotonic()
        options = RequestOptions(speed=request.speed, semitones=request.semitones)
        if self.active >= self.limits.queue:
            raise RequestRefusedError(
                "The server speaks for as many clients as it may.", reason="server_busy", hint="Try again in a second."
            )
        self.active += 1
        try:
            served = await self.voices.get(request.voice)
        except BaseException:
            self.active -= 1
            raise
        served.speaking += 1
        spoken = SpeechStream(self, served, served.voice.speak(request.text, options), started)
        try:
            await spoken.begin()
        except BaseException:
            spoken.close()
            raise
        return spoken


def checked_text(text: str, limit: int) -> str:
    """A text that may be spoken, without white space at its ends.

    Raises:
        RequestRefusedError: `nothing_to_say`, `text_too_long`, or `text_invalid` for control characters and what
            UTF-8 cannot encode.
    """
    text = text.strip()
    if not text:
        raise RequestRefusedError("There is no text.", reason="nothing_to_say", parameter="input")
    if len(text) > limit:
        raise RequestRefusedError(
            f"The text has {len(text)} characters; the limit is {limit}.", reason="text_too_long", parameter="input"
        )
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and character not in "\t\n\r"):
            raise RequestRefusedError(
                f"The text holds the character U+{ord(character):04X}, which cannot be spoken.",
                reason="text_invalid",
                parameter="input",
            )
    return text


def _pull(chunks: Iterator[SpokenChunk]) -> tuple[list[SpokenChunk], float]:
    """The next parts up to one with samples, and the seconds that they took; runs in the pool."""
    started = time.perf_counter()
    pulled = []
    for chunk in chunks:
        pulled.append(chunk)
        if chunk.samples.size:
            break
    return pulled, time.perf_counter() - started
