"""The application inside the test: routers of its own, and defects."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.application import ROUTERS, create_application, create_services
from voicemill_serve.guard import AccessLog
from voicemill_serve.services import Services
from voicemill_serve.settings import ServeSettings


def page(services: Services) -> list[BaseRoute]:
    async def show(request: Request) -> Response:
        return PlainTextResponse(f"{services.default_voice()} speaks")

    async def broken(request: Request) -> Response:
        raise ZeroDivisionError("a secret")

    return [Route("/page", show), Route("/broken", broken), Route("/v1/broken", broken)]


def ask(tmp_path: Path, *paths: str) -> tuple[list[httpx.Response], list[dict[str, object]]]:
    log = io.StringIO()
    services = create_services(ServeSettings((tmp_path,), tmp_path), AccessLog(log))
    application = create_application(services, (*ROUTERS, page))

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [await client.get(path) for path in paths]

    answers = asyncio.run(run())
    services.pool.shutdown()
    return answers, [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_router_of_its_own(tmp_path: Path) -> None:
    (answer,), rows = ask(tmp_path, "/page")
    assert answer.text == "dottie_default speaks"
    assert (rows[0]["path"], rows[0]["status"]) == ("/page", 200)


def test_a_defect_is_answered_without_its_details(tmp_path: Path) -> None:
    (plain, openai), rows = ask(tmp_path, "/broken", "/v1/broken")
    assert plain.status_code == openai.status_code == 500
    assert plain.json() == {"error": "internal_error", "message": "The server failed with ZeroDivisionError."}
    assert openai.json()["error"]["code"] == "internal_error"
    assert "secret" not in plain.text + openai.text
    assert [row["reason"] for row in rows] == ["internal_error"] * 2
