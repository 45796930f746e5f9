"""The routes of the studio, and its area of the server."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill.workspace import Workspace
from voicemill_serve.areas import PageArea
from voicemill_serve.refusals import RequestRefusedError, refusal
from voicemill_serve.services import Router, Services
from voicemill_studio import (
    check,
    listen,
    listening_tests,
    login,
    new_voice,
    preparation,
    promotion,
    record,
    reports,
    review,
    static_files,
    train,
    voices,
)
from voicemill_studio.frame import HOME, LOGIN, PageRoutes, Studio, redirect

PAGES: tuple[PageRoutes, ...] = (
    voices.routes,
    new_voice.routes,
    record.routes,
    preparation.routes,
    review.routes,
    train.routes,
    listen.routes,
    listening_tests.routes,
    check.routes,
    promotion.routes,
    reports.routes,
)
"""Page modules, in the order of the navigation."""
ENTRIES = ("/", "/studio")
BODY_BYTES = 16 * 1024 * 1024
"""Of one request: a part of an upload, or a take."""
BODY_SECONDS = 120.0


def mounted(workspace: Workspace) -> Router:
    """The studio as a set of routes for `voicemill_serve.application.create_application`.

    Args:
        workspace: results and caches, the same as those of the server's jobs.
    """
    return partial(routes, workspace=workspace)


def routes(services: Services, workspace: Workspace) -> list[BaseRoute]:
    """Every route of the studio."""
    studio = Studio(services, workspace)
    services.areas.append(
        PageArea(
            prefix=HOME,
            cookie=login.COOKIE,
            open=(LOGIN, static_files.ADDRESS + "/"),
            entries=ENTRIES,
            error_page=studio.error_page,
            body_bytes=BODY_BYTES,
            body_seconds=BODY_SECONDS,
        )
    )
    found: list[BaseRoute] = [route for page in PAGES for route in page(studio)]
    found += login.routes(studio)
    found += [Route(path, studio.endpoint(_enter), methods=["GET"]) for path in ENTRIES]
    address = static_files.ADDRESS + "/{digest}/{name:path}"
    found.append(Route(address, studio.endpoint(studio.static.answer), methods=["GET"]))
    return found


async def _enter(request: Request) -> Response:
    """Lead a browser to the first page; for programs there is nothing at `/`, as clients of the backend expect."""
    if request.url.path == "/" and "text/html" not in request.headers.get("accept", ""):
        return refusal("/", RequestRefusedError("There is no GET /.", reason="not_found"))
    return redirect(HOME)
