"""The form that opens a session with one of the server's tokens."""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.areas import SESSION_SECONDS, new_session
from voicemill_serve.guard import note
from voicemill_studio.frame import HOME, LOGIN, Studio, form, redirect

COOKIE = "voicemill_session"
LOGOUT = "/studio/logout"
PAUSE = 1.0
"""Seconds before a wrong token is answered."""
_INSIDE = re.compile(r"/studio/[A-Za-z0-9._~%/-]*")


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/login` and `/studio/logout`."""
    tokens = studio.services.settings.tokens

    async def ask(request: Request) -> Response:
        if not tokens.digests:
            return redirect(HOME)
        return studio.page("login.html.j2", active="", next=_inside(request.query_params.get("next", "")), wrong=False)

    async def enter(request: Request) -> Response:
        fields = await form(request)
        token, target = fields.get("token", ""), _inside(fields.get("next", ""))
        if not tokens.accept(token):
            await asyncio.sleep(PAUSE)
            note(request.state, reason="unauthorized")
            return studio.page("login.html.j2", active="", status=401, next=target, wrong=True)
        answer = redirect(target)
        answer.set_cookie(
            COOKIE,
            new_session(token),
            max_age=SESSION_SECONDS,
            path="/studio",
            secure=request.headers.get("origin", "").startswith("https:"),
            httponly=True,
            samesite="strict",
        )
        return answer

    async def leave(request: Request) -> Response:
        answer = redirect(LOGIN)
        answer.delete_cookie(COOKIE, path="/studio")
        return answer

    return [
        Route(LOGIN, studio.endpoint(ask), methods=["GET"]),
        Route(LOGIN, studio.endpoint(enter), methods=["POST"]),
        Route(LOGOUT, studio.endpoint(leave), methods=["POST"]),
    ]


def _inside(path: str) -> str:
    """A path of the studio to go on to; its first page in place of everything else."""
    return path if _INSIDE.fullmatch(path) and ".." not in path and "//" not in path else HOME
