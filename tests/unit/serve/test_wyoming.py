"""The Wyoming protocol with the real `wyoming` client, against a server in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.unit.serve.conftest import LONG, TEXT, Server, end, start_server
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from voicemill_serve.wyoming_server import complete_sentences

pytestmark = pytest.mark.slow

ANNA = SynthesizeVoice(name="anna")


@pytest.fixture(scope="module")
def server(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = start_server(certified, tmp_path_factory.mktemp("wyoming"), "--wyoming", "0")
    yield found
    end(found)


def ask(server: Server, *events: Event, last: type) -> list[Event]:
    """Send events, and read until one of the type `last`, or the end of the connection."""

    async def run() -> list[Event]:
        found: list[Event] = []
        async with AsyncTcpClient("127.0.0.1", int(str(server.started["wyoming_port"]))) as client:
            for event in events:
                await client.write_event(event)
            while event := await asyncio.wait_for(client.read_event(), 60):
                found.append(event)
                if last.is_type(event.type):
                    break
        return found

    return asyncio.run(run())


def sound(events: list[Event]) -> bytes:
    return b"".join(AudioChunk.from_event(event).audio for event in events if AudioChunk.is_type(event.type))


def test_describe(server: Server) -> None:
    (event,) = ask(server, Describe().event(), last=Info)
    (program,) = Info.from_event(event).tts
    assert program.supports_synthesize_streaming
    assert [(voice.name, voice.description, voice.languages[0]) for voice in program.voices] == [("anna", "Anna", "en")]
    (pong,) = ask(server, Ping(text="x").event(), last=Pong)
    assert Pong.from_event(pong).text == "x"


def test_a_ping_with_half_of_a_surrogate_pair_is_answered(server: Server) -> None:
    port = int(str(server.started["wyoming_port"]))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b'{"type": "ping", "data": {"text": "a\\ud800b"}}\n')
        answer = connection.makefile("rb").readline()
    assert json.loads(answer)["type"] == "pong"


def samples_of(data: bytes) -> bytes:
    """The samples of a WAV, without the signed metadata behind them."""
    return data[44 : 44 + int.from_bytes(data[40:44], "little")]


def test_synthesize(server: Server) -> None:
    events = ask(server, Synthesize(TEXT, voice=ANNA).event(), last=AudioStop)
    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (22_050, 2, 1)
    assert all(AudioChunk.is_type(event.type) for event in events[1:-1])
    assert sound(events) == samples_of(server.post("/speak", {"text": TEXT}).content)
    assert sound(ask(server, Synthesize(TEXT).event(), last=AudioStop)) == sound(events)


def test_a_text_that_arrives_in_pieces_is_spoken_sentence_by_sentence(server: Server) -> None:
    pieces = [LONG[at : at + 7] for at in range(0, len(LONG), 7)]
    events = ask(
        server,
        SynthesizeStart(voice=ANNA).event(),
        *(SynthesizeChunk(piece).event() for piece in pieces),
        Synthesize(LONG, voice=ANNA).event(),
        SynthesizeStop().event(),
        last=SynthesizeStopped,
    )
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("audio-start", "audio-stop", "synthesize-stopped")
    assert kinds.count("audio-start") == kinds.count("audio-stop") == 1
    alone = np.concatenate(
        [
            np.frombuffer(samples_of(server.post("/speak", {"text": f"{one}."}).content), "<i2")
            for one in LONG[:-1].split(". ")
        ]
    )
    assert np.array_equal(np.frombuffer(sound(events), "<i2"), alone)


def test_the_first_sentence_is_spoken_before_the_text_ends(server: Server) -> None:
    async def run() -> Event | None:
        async with AsyncTcpClient("127.0.0.1", int(str(server.started["wyoming_port"]))) as client:
            await client.write_event(SynthesizeStart(voice=ANNA).event())
            await client.write_event(SynthesizeChunk("Good morning. And now").event())
            return await asyncio.wait_for(client.read_event(), 60)

    event = asyncio.run(run())
    assert event is not None
    assert AudioStart.is_type(event.type)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("One. Two", "Two"),
        ("One. Two. Three", "Three"),
        ("Dr. Smith", "Dr. Smith"),
        ("Ask Dr. Smith. He knows", "He knows"),
        ("It costs 3.50", "It costs 3.50"),
        ("One.", "One."),
        ('"Really?" she said', '"Really?" she said'),
        ("A heading\n\nA text", "A text"),
        ("", ""),
    ],
)
def test_where_a_sentence_is_complete(text: str, rest: str) -> None:
    assert text[complete_sentences(text) :] == rest


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Synthesize("Hello.", voice=SynthesizeVoice(name="nobody")).event(), "voice_unknown"),
        (Synthesize("Hello.", voice=SynthesizeVoice(name="../anna")).event(), "voice_unknown"),
        (Synthesize("").event(), "nothing_to_say"),
        (Synthesize("a" * 5000).event(), "text_too_long"),
        (Synthesize("a\x00").event(), "text_invalid"),
        (Event("synthesize", {"text": 5}), "bad_usage"),
        (Event("synthesize", {"text": "Hello.", "voice": "anna"}), "bad_usage"),
    ],
)
def test_what_cannot_be_spoken(server: Server, event: Event, code: str) -> None:
    (answer,) = ask(server, event, last=Error)
    assert Error.from_event(answer).code == code


def test_a_sentence_without_end(server: Server) -> None:
    chunks = [SynthesizeChunk("word " * 300).event() for _ in range(3)]
    (answer,) = ask(server, SynthesizeStart(voice=ANNA).event(), *chunks, last=Error)
    assert Error.from_event(answer).code == "text_too_long"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n", "bad_usage"),
        (b"[]\n", "bad_usage"),
        (b'{"type":"synthesize","data_length":99999999999}\n', "body_too_large"),
        (b'{"type":"synthesize","data_length":-1}\n', "body_too_large"),
        (b'{"type":"synthesize","data_length":3}\nnot', "bad_usage"),
    ],
)
def test_what_is_no_event(server: Server, data: bytes, code: str) -> None:
    with socket.create_connection(("127.0.0.1", int(str(server.started["wyoming_port"]))), timeout=30) as raw:
        raw.sendall(data)
        received = b""
        while part := raw.recv(65_536):
            received += part
    head, _, rest = received.partition(b"\n")
    assert json.loads(head)["type"] == "error"
    assert json.loads(rest)["code"] == code


def test_a_line_without_end_closes_the_connection(server: Server) -> None:
    closed = False
    with socket.create_connection(("127.0.0.1", int(str(server.started["wyoming_port"]))), timeout=30) as raw:
        try:
            for _ in range(1000):
                raw.sendall(b"a" * 65_536)
        except OSError:
            closed = True
    assert closed
    assert ask(server, Describe().event(), last=Info)
