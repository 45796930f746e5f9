"""Record: one sentence at a time, judged at once; the statement of consent; and the preparation of the takes."""

from __future__ import annotations

import asyncio
import functools
import secrets
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.dataset import recorded_consent
from voicemill.dataset.description import MANIFEST
from voicemill.dataset.rights import parse_rights
from voicemill.settings import REPOSITORY
from voicemill.text import sentence_choice
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_studio import preparation, preparation_source
from voicemill_studio.frame import API, Link, Studio, form, redirect
from voicemill_studio.overview import VoiceOverview
from voicemill_studio.session_store import (
    MOST_SENTENCES,
    RecordingSession,
    SentenceState,
    SessionStore,
    Take,
    sentences_of,
)
from voicemill_studio.take_verdict import TakeJudge, read_take

HOME = "/studio/record"
COUNTS = (20, 60, 100, 200)
"""Sentences of a session."""
DEFAULT_COUNT = 60


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/record` and what its script calls."""
    studio.links.append(Link("record", "Record", HOME))
    found = _Endpoints(studio)
    session = f"{API}sessions/{{session}}"
    return [
        Route(HOME, studio.endpoint(found.begin), methods=["GET"]),
        Route(HOME, studio.endpoint(found.create), methods=["POST"]),
        Route(f"{HOME}/{{session}}", studio.endpoint(found.show), methods=["GET"]),
        Route(f"{HOME}/{{session}}/prepare", studio.endpoint(found.prepare), methods=["POST"]),
        Route(f"{HOME}/{{session}}/remove", studio.endpoint(found.remove), methods=["POST"]),
        Route(f"{HOME}/{{session}}/consent", studio.endpoint(found.consent), methods=["POST"]),
        Route(f"{HOME}/{{session}}/takes/{{number:int}}/{{take:int}}", studio.endpoint(found.sound), methods=["GET"]),
        Route(session, studio.endpoint(found.state), methods=["GET"]),
        Route(f"{session}/coverage", studio.endpoint(found.coverage), methods=["GET"]),
        Route(f"{session}/takes/{{number:int}}", studio.endpoint(found.take), methods=["POST"]),
        Route(f"{session}/choices/{{number:int}}", studio.endpoint(found.choose), methods=["POST"]),
    ]


def sessions_of(studio: Studio) -> SessionStore:
    """The recording sessions of the server."""
    return SessionStore(studio.workspace.work / "studio" / "sessions")


def unchecked_consent(studio: Studio, voice: VoiceOverview) -> str:
    """The session whose recorded consent is not yet checked against the voice's dataset; empty without one."""
    if voice.prepared is None or voice.prepared.state != "ready":
        return ""
    manifest = voice.prepared.dataset / MANIFEST
    if recorded_consent.of_manifest(manifest, voice.prepared.record.dataset_sha256) is not None:
        return ""
    session = sessions_of(studio).with_consent(voice.id)
    return "" if session is None else session.record.id


class _Judge:
    """The process's one judge, loaded in a thread as soon as a session is opened."""

    def __init__(self, studio: Studio) -> None:
        self._registry = WeightsRegistry(REPOSITORY / SHIPPED, studio.workspace.weights_cache, REPOSITORY)
        self._lock = threading.Lock()

    def get(self) -> TakeJudge:
        with self._lock:
            return self._loaded

    @functools.cached_property
    def _loaded(self) -> TakeJudge:
        return TakeJudge.load(self._registry)


class _Endpoints:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._sessions = sessions_of(studio)
        self._judge = _Judge(studio)

    async def begin(self, request: Request) -> Response:
        sessions = await asyncio.to_thread(self._sessions.all)
        rows = [(one.record, *await asyncio.to_thread(_counts, one)) for one in sessions[:50]]
        return self._studio.page(
            "record.html.j2",
            active="record",
            sessions_=rows,
            counts=COUNTS,
            default=DEFAULT_COUNT,
            most=MOST_SENTENCES,
            voice=request.query_params.get("voice", "")[:64],
        )

    async def create(self, request: Request) -> Response:
        fields = await form(request)
        asked = fields.get("count", "")
        count = int(asked) if asked in map(str, COUNTS) else DEFAULT_COUNT
        seed = secrets.randbelow(2**31)

        def make() -> RecordingSession:
            chosen = sentences_of(fields.get("sentences", "")) or sentence_choice.choose(count, seed)
            return self._sessions.create(fields.get("voice", ""), fields.get("speaker", ""), chosen, seed)

        session = await asyncio.to_thread(make)
        return redirect(f"{HOME}/{session.record.id}")

    async def show(self, request: Request) -> Response:
        session = self._session(request)
        self._studio.services.pool.submit(self._judge.get)
        return self._studio.page("session.html.j2", active="record", session=session.record)

    async def remove(self, request: Request) -> Response:
        await asyncio.to_thread(self._sessions.remove, request.path_params["session"])
        return redirect(HOME)

    async def state(self, request: Request) -> Response:
        session = self._session(request)
        return json_response(await asyncio.to_thread(_session_fields, session))

    async def coverage(self, request: Request) -> Response:
        session = self._session(request)

        def count() -> dict[str, int]:
            used = [state.text for state in session.states()[1:] if state.used is not None]
            whole = sentence_choice.distinct_pairs(session.record.sentences)
            return {"pairs": sentence_choice.distinct_pairs(used), "all": whole}

        return json_response(await asyncio.to_thread(count))

    async def take(self, request: Request) -> Response:
        session, number = self._session(request), int(request.path_params["number"])
        text = session.text(number)
        data = await request.body()

        def judge() -> dict[str, Any]:
            samples, rate = read_take(data)
            session.add_take(number, data, self._judge.get().judge(samples, rate, text))
            return _sentence_fields(session, session.states()[number])

        found = await asyncio.to_thread(judge)
        note(request.state, good=found["takes"][-1]["good"])
        return json_response(found)

    async def choose(self, request: Request) -> Response:
        session, number = self._session(request), int(request.path_params["number"])
        try:
            asked = files.parse_json(await request.body(), max_bytes=1024)
            skip, keep = asked.get("skip"), asked.get("keep")
        except (ValueError, AttributeError) as error:
            raise RequestRefusedError("Give skip or keep.", reason="bad_usage") from error
        if not (isinstance(skip, bool | None) and isinstance(keep, int | None)):
            raise RequestRefusedError("Give skip or keep.", reason="bad_usage")
        await asyncio.to_thread(functools.partial(session.choose, number, skip=skip, keep=keep))
        return json_response(_sentence_fields(session, session.states()[number]))

    async def sound(self, request: Request) -> Response:
        session = self._session(request)
        number, take = int(request.path_params["number"]), int(request.path_params["take"])
        found = await asyncio.to_thread(session.take, number, take)
        return FileResponse(found.path, media_type="audio/wav", headers={"Cache-Control": "private, max-age=3600"})

    async def prepare(self, request: Request) -> Response:
        session, fields = self._session(request), await form(request)
        licence = fields.get("licence", "")

        def collect() -> preparation_source.SourceFolder:
            parse_rights(None, licence or None)
            return preparation_source.from_session(session, session.folder / "source")

        source = await asyncio.to_thread(collect)
        more = ["--replace-reviewed", *(["--licence", licence] if licence else [])]
        job = await preparation.start(self._studio, session.record.voice, source, more)
        note(request.state, voice=session.record.voice)
        return redirect(preparation.address_of(job))

    async def consent(self, request: Request) -> Response:
        """Let voice-prep compare the recorded statement with its words and with the voice of the dataset."""
        session = self._session(request)
        used = session.states()[0].used
        if used is None:
            raise RequestRefusedError("The statement of consent is not recorded yet.", reason="consent_not_recorded")
        text = session.folder / "statement.txt"
        await asyncio.to_thread(files.write_text, text, session.consent_text + "\n")
        options = ["consent", session.record.voice, "--recording", str(used.path), "--text", str(text)]
        done = (
            "The recorded consent holds for this dataset: the words are those of the statement, the voice is the same."
        )
        job = await preparation.submit(self._studio, session.record.voice, options, done)
        return redirect(preparation.address_of(job))

    def _session(self, request: Request) -> RecordingSession:
        return self._sessions.get(request.path_params["session"])


def _counts(session: RecordingSession) -> tuple[int, bool]:
    """Sentences with a take that is used, and whether the consent is recorded."""
    consent, *sentences = session.states()
    return sum(one.used is not None for one in sentences), consent.used is not None


def _session_fields(session: RecordingSession) -> dict[str, Any]:
    record = session.record
    return {
        "id": record.id,
        "voice": record.voice,
        "speaker": record.speaker,
        "sentences": [_sentence_fields(session, state) for state in session.states()],
    }


def _sentence_fields(session: RecordingSession, state: SentenceState) -> dict[str, Any]:
    return {
        "number": state.number,
        "text": state.text,
        "skipped": state.skipped,
        "used": None if state.used is None else state.used.number,
        "takes": [_take_fields(session, state.number, take) for take in state.takes],
    }


def _take_fields(session: RecordingSession, number: int, take: Take) -> dict[str, Any]:
    return {
        "number": take.number,
        "good": take.record.good,
        "sound": f"{HOME}/{session.record.id}/takes/{number}/{take.number}",
        "verdict": take.record.verdict,
    }
