"""The table of all voices."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_studio.frame import HOME, Link, Studio


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/`."""
    studio.links.append(Link("voices", "Voices", HOME))

    async def table(request: Request) -> Response:
        return studio.page("voices.html.j2", active="voices", states=await studio.services.voices.states())

    return [Route(HOME, studio.endpoint(table), methods=["GET"])]
