"""Listen: type a text, hear voices and kept versions side by side, and download the speech with its times."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.guard import note
from voicemill_serve.refusals import RequestRefusedError, json_response
from voicemill_serve.speech import SpeechRequest
from voicemill_studio import candidates, overview, versions
from voicemill_studio.frame import Link, Studio
from voicemill_studio.sounds import split_name

ADDRESS = "/studio/listen"
SUGGESTED = (
    "The morning train leaves at 7:45, so please be at the station a little earlier.\n\n"
    "Have you read what the paper says about it? I would not have thought so."
)
MOST_VOICES = 4
"""Side by side."""


class SpeakBody(BaseModel):
    """Body of `POST /studio/api/speak`."""

    model_config = ConfigDict(extra="forbid")

    voice: str = Field(min_length=1, max_length=200)
    text: str
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    semitones: Annotated[float, Field(ge=-12.0, le=12.0)] = 0.0


@dataclass(frozen=True)
class Choice:
    """A voice or version that can be listened to."""

    name: str
    title: str


async def choices(studio: Studio) -> list[Choice]:
    """Voices that may be served, each after its trained bundle that waits and before its kept versions."""
    found = []
    for voice in await overview.every_voice(studio):
        if voice.candidate is not None and not voice.candidate.reason:
            name = f"{voice.id}{versions.SEPARATOR}{candidates.SUFFIX}"
            found.append(Choice(name, f"{voice.candidate.display_name}, not promoted yet"))
        if voice.promoted is None:
            continue
        if not voice.promoted.reason:
            found.append(Choice(voice.id, voice.display_name))
        for version in voice.versions:
            if version.name != voice.version:
                title = f"{voice.display_name}, version of {version.promoted_at.replace('T', ' ').rstrip('Z')}"
                found.append(Choice(f"{voice.id}{versions.SEPARATOR}{version.name}", title))
    return found


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/listen`, `/studio/api/speak` and `/studio/sounds/<id>.<format>`."""
    studio.links.append(Link("listen", "Listen", ADDRESS))
    sounds = studio.sounds

    async def page(request: Request) -> Response:
        known = await choices(studio)
        names = [choice.name for choice in known]
        asked = [name for name in request.query_params.getlist("voice") if name in names][:MOST_VOICES]
        return studio.page(
            "listen.html.j2",
            active="listen",
            choices=known,
            chosen=asked or names[:1],
            text=request.query_params.get("text", SUGGESTED)[:10_000],
            limit=studio.services.settings.limits.characters,
            most=MOST_VOICES,
        )

    async def speak(request: Request) -> Response:
        try:
            body = SpeakBody.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"][:1])) or "The body"
            raise RequestRefusedError(f"{where}: {first['msg']}.", reason="bad_usage") from error
        note(request.state, voice=body.voice[:100], characters=len(body.text), text=body.text)
        wanted = SpeechRequest(body.voice, body.text, body.speed, body.semitones)
        return json_response((await sounds.speak(request, wanted)).as_dict())

    async def sound(request: Request) -> Response:
        sound_id, suffix = split_name(request.path_params["name"])
        found = sounds.get(sound_id)
        loop = asyncio.get_running_loop()
        data, kind = await loop.run_in_executor(studio.services.pool, sounds.encoded, found, suffix)
        headers = {"Cache-Control": "no-store"}
        if "download" in request.query_params:
            headers["Content-Disposition"] = f'attachment; filename="speech{suffix}"'
        return Response(data, media_type=kind, headers=headers)

    return [
        Route(ADDRESS, studio.endpoint(page), methods=["GET"]),
        Route("/studio/api/speak", studio.endpoint(speak), methods=["POST"]),
        Route("/studio/sounds/{name}", studio.endpoint(sound), methods=["GET"]),
    ]
