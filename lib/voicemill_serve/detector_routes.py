"""The detector of synthetic speech: `POST /v1/audio/marks` takes a sound and names its marks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from voicemill_serve.areas import PathRule
from voicemill_serve.detector import MOST_BYTES, Detector, public
from voicemill_serve.refusals import json_response
from voicemill_serve.services import Services, answering

ADDRESS = "/v1/audio/marks"


def routes(services: Services) -> list[BaseRoute]:
    """`POST /v1/audio/marks`."""
    services.detector = detector = Detector(services.voices)
    services.closing.append(detector.close)
    services.rules[ADDRESS] = PathRule(body_bytes=MOST_BYTES, open=services.settings.open_detector)

    async def marks(request: Request) -> Response:
        return json_response(public(await detector.examine(request)))

    return [Route(ADDRESS, answering(marks, services.metrics), methods=["POST"])]
