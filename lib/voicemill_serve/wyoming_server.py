"""The Wyoming protocol, by which Home Assistant finds and uses voices: describe, synthesize, streaming synthesize.

The protocol has no authentication. Its events and messages are those of the package `wyoming`; they are read here with
limits, because that package reads as many bytes as a client announces.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from typing import Any

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeTextFormat,
    SynthesizeVoice,
)

from voicemill import __version__
from voicemill.errors import VoicemillError
from voicemill.text.frontend import read
from voicemill_serve.encoders import pcm16
from voicemill_serve.refusals import RequestRefusedError
from voicemill_serve.services import Services
from voicemill_serve.speech import SpeechRequest, checked_text

LINE_BYTES = 64 * 1024
DATA_BYTES = 1024 * 1024
IDLE_SECONDS = 600.0
"""A connection on which nothing arrives for so long is closed."""
LANGUAGES = ("en", "en_US", "en-US")
_BOUNDARY = re.compile(r"[.!?…][\"')\]]*\s+(?=\S)|\n\s*\n(?=\S)")


class WyomingServer:
    """Listens beside the HTTP server, with the same voices and limits."""

    def __init__(self, services: Services, listener: socket.socket) -> None:
        self._services, self._listener = services, listener
        self._connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled; then what is being spoken ends."""
        server = await asyncio.start_server(self._connected, sock=self._listener, limit=LINE_BYTES)
        try:
            async with server:
                await server.serve_forever()
        finally:
            for task in self._connections:
                task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task
        self._connections.add(task)
        try:
            await _Connection(self._services, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            self._services.metrics.errors.add("client_gone")
        except asyncio.CancelledError:
            pass  # the server stops
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class _Connection:
    """One client, whose events are answered in order."""

    def __init__(self, services: Services, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._services, self._reader, self._writer = services, reader, writer
        self._voice = ""
        self._waiting: str | None = None
        """Text of a streaming request that has not been spoken yet; None outside of one."""
        self._whole = False
        self._sounding = False

    async def run(self) -> None:
        """Answer events until the client goes away or sends what cannot be answered."""
        while True:
            try:
                event = await read_event(self._reader)
                if event is None:
                    return
                await self._answer(event)
            except VoicemillError as error:
                self._services.metrics.errors.add(error.code)
                self._services.log.write("wyoming", reason=error.code)
                await self._send(Error(f"{error} {error.hint}".strip(), error.code))
                return

    async def _answer(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self._send(await self._info())
        elif Ping.is_type(event.type):
            text = Ping.from_event(event).text
            await self._send(Pong(None if text is None else text.encode("utf-8", "replace").decode("utf-8")))
        elif Synthesize.is_type(event.type) and self._waiting is None:
            request = Synthesize.from_event(event)
            self._voice = self._name(request.voice)
            await self._speak(request.text)
            await self._silent()
        elif SynthesizeStart.is_type(event.type):
            start = SynthesizeStart.from_event(event)
            self._voice, self._waiting = self._name(start.voice), ""
            self._whole = start.text_format == SynthesizeTextFormat.SSML
        elif SynthesizeChunk.is_type(event.type) and self._waiting is not None:
            await self._more(SynthesizeChunk.from_event(event).text)
        elif SynthesizeStop.is_type(event.type) and self._waiting is not None:
            rest, self._waiting = self._waiting, None
            if rest.strip():
                await self._speak(rest)
            await self._silent()
            await self._send(SynthesizeStopped())
        # A `synthesize` within a stream repeats its text for servers without streams. Other events are not for voices.

    async def _more(self, text: str) -> None:
        """Speak the sentences that are complete."""
        waiting = (self._waiting or "") + text
        limit = self._services.settings.limits.characters
        end = 0 if self._whole else complete_sentences(waiting)
        if len(waiting) - end > limit:
            raise RequestRefusedError(f"A sentence has more than {limit} characters.", reason="text_too_long")
        self._waiting = waiting[end:]
        if end:
            await self._speak(waiting[:end])

    async def _speak(self, text: str) -> None:
        started = time.monotonic()
        text = checked_text(text, self._services.settings.limits.characters)
        spoken = await self._services.speech.speak(SpeechRequest(self._voice, text))
        rate = spoken.sample_rate
        try:
            async for samples in spoken.samples():
                if not self._sounding:
                    self._sounding = True
                    await self._send(AudioStart(rate=rate, width=2, channels=1))
                await self._send(AudioChunk(rate=rate, width=2, channels=1, audio=pcm16(samples)))
        finally:
            spoken.close()
        self._services.metrics.requests.add("wyoming", "200")
        self._services.log.write(
            "wyoming",
            voice=self._voice,
            characters=len(text),
            seconds=round(time.monotonic() - started, 4),
            first_sound_seconds=round(spoken.first_sound, 4),
            sound_seconds=round(spoken.seconds, 3),
            text=text if self._services.settings.log_text else None,
        )

    async def _silent(self) -> None:
        if self._sounding:
            self._sounding = False
            await self._send(AudioStop())

    def _name(self, voice: SynthesizeVoice | None) -> str:
        return voice.name if voice is not None and voice.name else self._services.default_voice()

    async def _info(self) -> Info:
        source = Attribution("voicemill", "")
        voices = [
            TtsVoice(
                name=state.voice_id,
                attribution=source,
                installed=True,
                description=state.display_name,
                version=__version__,
                languages=list(LANGUAGES),
            )
            for state in await self._services.voices.states()
            if not state.reason
        ]
        program = TtsProgram(
            name="voicemill",
            attribution=source,
            installed=True,
            description="Voices of voicemill",
            version=__version__,
            voices=voices,
            supports_synthesize_streaming=True,
        )
        return Info(tts=[program])

    async def _send(self, message: Any) -> None:
        await async_write_event(message.event(), self._writer)


def complete_sentences(text: str) -> int:
    """Length of the sentences at the start of a text that what follows cannot change; 0 if there is none.

    A mark ends a sentence only where the text front end ends one: not after "Dr." or within "3. May".
    """
    ends = [match.end() for match in _BOUNDARY.finditer(text)]
    for end in reversed(ends):
        if len(read(text[:end])) + len(read(text[end:])) == len(read(text)):
            return end
    return 0


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event, or None at the end of the connection.

    Raises:
        RequestRefusedError: `body_too_large`, or `bad_usage`: this is no event.
        TimeoutError: nothing arrived for `IDLE_SECONDS`.
        asyncio.IncompleteReadError: the connection ended within an event.
    """
    async with asyncio.timeout(IDLE_SECONDS):
        try:
            line = await reader.readline()
        except ValueError as error:  # longer than the reader's limit
            raise RequestRefusedError("An event's line is too long.", reason="body_too_large") from error
        if not line:
            return None
        try:
            head = json.loads(line)
            kind, data = head["type"], head.get("data") or {}
            sizes = [int(head.get(name) or 0) for name in ("data_length", "payload_length")]
            if not isinstance(kind, str) or not isinstance(data, dict):
                raise TypeError("its type or data has another type")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RequestRefusedError("This is no event of Wyoming.", reason="bad_usage") from error
        if min(sizes) < 0 or max(sizes) > DATA_BYTES:
            raise RequestRefusedError(f"An event has more than {DATA_BYTES} bytes.", reason="body_too_large")
        extra = await reader.readexactly(sizes[0])
        payload = await reader.readexactly(sizes[1])
    try:
        data |= json.loads(extra) if extra else {}
        _require_text(kind, data)
    except (ValueError, TypeError, RecursionError) as error:
        raise RequestRefusedError("This is no event of Wyoming.", reason="bad_usage") from error
    return Event(type=kind, data=data, payload=payload or None)


def _require_text(kind: str, data: dict[str, Any]) -> None:
    """Refuse fields of other types than the package expects."""
    if kind in ("synthesize", "synthesize-chunk") and not isinstance(data.get("text"), str):
        raise TypeError("text is not a string")
    voice = data.get("voice", {})
    if not isinstance(voice, dict) or not isinstance(voice.get("name", ""), str):
        raise TypeError("voice is not a name")
