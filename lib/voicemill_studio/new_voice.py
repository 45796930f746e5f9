"""New voice: recordings and their text are dropped on a page, checked while they arrive, and prepared."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill import files
from voicemill.dataset.rights import parse_rights
from voicemill.errors import VoicemillError
from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_studio import preparation, preparation_source, recognisers
from voicemill_studio.draft_store import Draft, DraftStore
from voicemill_studio.frame import API, Link, Studio, form, redirect
from voicemill_studio.upload_store import Upload, UploadOffsetError

HOME = "/studio/new"
CHECKS = 4
"""Parts of a recording that are measured before it is complete."""
PRESETS = (
    ("standard", "An ordinary room", "The usual limits: clear speech, little noise."),
    ("studio", "A quiet studio", "Strict: noisy and clipped speech is left out."),
    ("archive", "Old or found recordings", "Mild: some noise and narrow sound are kept. Listen to the result."),
)
SEPARATIONS = (
    ("auto", "Only where music or noise is found", ""),
    ("never", "No", ""),
    ("always", "Yes, everywhere", "Takes about as long as the recordings are."),
)


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/new` and what its script calls."""
    studio.links.append(Link("new", "New voice", HOME))
    found = _Endpoints(studio)
    draft, upload = f"{API}drafts/{{draft}}", f"{API}drafts/{{draft}}/uploads"
    return [
        Route(HOME, studio.endpoint(found.begin), methods=["GET"]),
        Route(HOME, studio.endpoint(found.create), methods=["POST"]),
        Route(f"{HOME}/{{draft}}", studio.endpoint(found.show), methods=["GET"]),
        Route(f"{HOME}/{{draft}}", studio.endpoint(found.prepare), methods=["POST"]),
        Route(f"{HOME}/{{draft}}/remove", studio.endpoint(found.remove_draft), methods=["POST"]),
        Route(draft, studio.endpoint(found.state), methods=["GET"]),
        Route(upload, studio.endpoint(found.add), methods=["POST"]),
        Route(f"{upload}/{{upload}}", studio.endpoint(found.upload), methods=["GET"]),
        Route(f"{upload}/{{upload}}", studio.endpoint(found.append), methods=["PUT"]),
        Route(f"{upload}/{{upload}}", studio.endpoint(found.remove), methods=["DELETE"]),
    ]


class _Endpoints:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._drafts = DraftStore(studio.workspace.work / "studio" / "drafts")
        self._checking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, request: Request) -> Response:
        drafts = await asyncio.to_thread(self._drafts.all)
        return self._studio.page("new_voice.html.j2", active="new", drafts=[draft.record for draft in drafts])

    async def create(self, request: Request) -> Response:
        fields = await form(request)
        draft = await asyncio.to_thread(self._drafts.create, fields.get("voice", ""))
        return redirect(f"{HOME}/{draft.record.id}")

    async def show(self, request: Request) -> Response:
        draft = self._draft(request)
        return self._studio.page(
            "draft.html.j2",
            active="new",
            draft=draft.record,
            presets=PRESETS,
            separations=SEPARATIONS,
            recogniser=await asyncio.to_thread(recognisers.find, self._studio.workspace),
        )

    async def prepare(self, request: Request) -> Response:
        draft, fields = self._draft(request), await form(request)

        def collect() -> preparation_source.SourceFolder:
            chosen = {name: fields.get(name, "") for name in ("licence", "consent", "preset", "separate", "recognise")}
            draft.change(**{name: value for name, value in chosen.items() if name in fields})
            parse_rights(draft.record.consent or None, draft.record.licence or None)
            recogniser = recognisers.require(self._studio.workspace).option if draft.record.recognise else ""
            return preparation_source.from_uploads(draft.uploads, draft.folder / "source", recogniser=recogniser)

        source = await asyncio.to_thread(collect)
        record = draft.record
        more = ["--preset", record.preset, "--separate", record.separate, "--replace-reviewed"]
        if record.licence:
            more += ["--licence", record.licence]
        if record.consent:
            files.write_text(source.folder / preparation_source.CONSENT_FILE, record.consent + "\n")
            more += ["--consent", str(source.folder / preparation_source.CONSENT_FILE)]
        job = await preparation.start(self._studio, record.voice, source, more)
        note(request.state, voice=record.voice)
        draft.change(job=job)
        return redirect(preparation.address_of(job))

    async def remove_draft(self, request: Request) -> Response:
        await asyncio.to_thread(self._drafts.remove, self._draft(request).record.id)
        return redirect(HOME)

    async def state(self, request: Request) -> Response:
        draft = self._draft(request)
        uploads = await asyncio.to_thread(draft.uploads.all)
        ready = ""
        try:
            preparation_source.layout_of(uploads, recognise=request.query_params.get("recognise") == "yes")
        except VoicemillError as error:
            ready = f"{error} {error.hint}".strip()
        return json_response({"uploads": [_fields(one) for one in uploads], "missing": ready})

    async def add(self, request: Request) -> Response:
        draft = self._draft(request)
        try:
            asked = files.parse_json(await request.body(), max_bytes=64 * 1024)
            name, total, modified = str(asked["name"]), int(asked["bytes"]), int(asked.get("modified", 0))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise RequestRefusedError("Give name and bytes of the file.", reason="bad_usage") from error
        return json_response(_fields(await asyncio.to_thread(draft.uploads.create, name, total, modified)))

    async def upload(self, request: Request) -> Response:
        draft = self._draft(request)
        return json_response(_fields(await asyncio.to_thread(draft.uploads.get, request.path_params["upload"])))

    async def append(self, request: Request) -> Response:
        draft, upload_id = self._draft(request), request.path_params["upload"]
        offset = request.query_params.get("offset", "")
        if not (offset.isascii() and offset.isdigit()):
            raise RequestRefusedError("Give the offset of the part.", reason="bad_usage")
        part = await request.body()
        try:
            upload = await asyncio.to_thread(draft.uploads.append, upload_id, int(offset[:18]), part)
        except UploadOffsetError as error:
            answer = {"error": error.code, "message": str(error), "received": error.received}
            return json_response(answer, 409, {"X-Voicemill-Reason": error.code})
        if upload.complete:
            upload = await asyncio.to_thread(draft.uploads.check, upload_id)
        else:
            self._check_meanwhile(draft, upload)
        return json_response(_fields(upload))

    async def remove(self, request: Request) -> Response:
        draft = self._draft(request)
        await asyncio.to_thread(draft.uploads.remove, request.path_params["upload"])
        return json_response({})

    def _draft(self, request: Request) -> Draft:
        return self._drafts.get(request.path_params["draft"])

    def _check_meanwhile(self, draft: Draft, upload: Upload) -> None:
        """Measure another part of a file that is still arriving, beside the requests that bring it."""
        record = upload.record
        measured = len(record.check.stretches)
        due = measured < 1 + CHECKS * upload.received / record.bytes
        if record.check.kind == "text" or not due or record.id in self._checking:
            return
        self._checking.add(record.id)

        async def check() -> None:
            try:
                await asyncio.to_thread(draft.uploads.check, record.id)
            except VoicemillError as error:
                self._studio.services.log.write("upload_check", reason=error.code)
            finally:
                self._checking.discard(record.id)

        task = asyncio.create_task(check())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _fields(upload: Upload) -> dict[str, Any]:
    """A file as the page shows it."""
    record, check = upload.record, upload.record.check
    level = [one for one in check.stretches if one.speech_share > 0]
    return {
        "id": record.id,
        "name": record.name,
        "bytes": record.bytes,
        "received": upload.received,
        "complete": upload.complete and (check.whole or record.refused is not None),
        "kind": check.kind,
        "described": check.described,
        "seconds": check.seconds,
        "level_dbfs": None if not level else round(sum(one.level_dbfs for one in level) / len(level), 1),
        "snr_db": None if not level else round(min(one.snr_db for one in level), 1),
        "warnings": [one.sentence for one in check.warnings],
        "refused": None if record.refused is None else record.refused[1],
    }
