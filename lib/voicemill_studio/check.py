"""Check a sound: is it synthetic speech, and whose? The detector of the server as a page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.areas import PathRule
from voicemill_serve.detector import MOST_BYTES, public
from voicemill_serve.detector_routes import ADDRESS as API_ADDRESS
from voicemill_serve.refusals import RequestRefusedError
from voicemill_studio.frame import Link, Studio

ADDRESS = "/studio/check"


def routes(studio: Studio) -> list[BaseRoute]:
    """The form, and its result on the same page."""
    services = studio.services
    studio.links.append(Link("check", "Check", ADDRESS))
    services.rules[ADDRESS] = PathRule(body_bytes=MOST_BYTES, open=services.settings.open_detector)

    async def show(request: Request) -> Response:
        return _page(studio)

    async def check(request: Request) -> Response:
        if services.detector is None:
            raise RequestRefusedError("This server has no detector.", reason="not_found")
        return _page(studio, public(await services.detector.examine(request)))

    return [
        Route(ADDRESS, studio.endpoint(show), methods=["GET"]),
        Route(ADDRESS, studio.endpoint(check), methods=["POST"]),
    ]


def _page(studio: Studio, report: dict[str, object] | None = None) -> Response:
    return studio.page("check.html.j2", active="check", report=report, api=API_ADDRESS, megabytes=MOST_BYTES >> 20)
