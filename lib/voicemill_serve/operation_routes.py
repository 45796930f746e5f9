"""For operators: `GET /ready` and `GET /metrics`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.metrics import CONTENT_TYPE
from voicemill_serve.refusals import json_response
from voicemill_serve.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Ready: at least one voice may be served. Metrics: Prometheus' text format."""

    async def ready(request: Request) -> Response:
        served = sum(not state.reason for state in await services.voices.states())
        return json_response({"ready": served > 0, "voices": served}, 200 if served else 503)

    async def metrics(request: Request) -> Response:
        return Response(services.metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return [Route("/ready", ready, methods=["GET"]), Route("/metrics", metrics, methods=["GET"])]
