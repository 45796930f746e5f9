"""Reports that the toolbox has written, served to a frame without rights: their scripts cannot touch the studio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from voicemill.dataset import description
from voicemill.workspace import Workspace
from voicemill_serve.refusals import RequestRefusedError
from voicemill_studio.frame import Studio

POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Reports have their styles and scripts inside; the sandbox gives them an origin of their own."""


@dataclass(frozen=True)
class ReportPage:
    """A report of a voice.

    Attributes:
        kind: in its address.
        title: for people.
        path: of the file.
    """

    kind: str
    title: str
    path: Path


def of_voice(workspace: Workspace, voice: str) -> list[ReportPage]:
    """The reports of a voice that are there."""
    found = (
        ReportPage("voice", "Voice report", workspace.reports / f"{voice}.html"),
        ReportPage("training", "Training report", workspace.reports / f"{voice}.training.html"),
        ReportPage("dataset", "Dataset report", workspace.dataset(voice) / description.REPORT),
    )
    return [report for report in found if report.path.is_file()]


def routes(studio: Studio) -> list[BaseRoute]:
    """`/studio/voices/<voice>/reports/<kind>`: a page with the report in a frame, and the report itself."""

    def find(request: Request) -> ReportPage:
        voice, kind = request.path_params["voice"], request.path_params["kind"]
        report = next((one for one in of_voice(studio.workspace, voice) if one.kind == kind), None)
        if report is None:
            raise RequestRefusedError(f"There is no {kind[:20]} report of {voice[:60]}.", reason="not_found")
        return report

    async def page(request: Request) -> Response:
        voice = request.path_params["voice"]
        return studio.page("report.html.j2", active="voices", voice=voice, report=find(request))

    async def content(request: Request) -> Response:
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
        return FileResponse(find(request).path, media_type="text/html; charset=utf-8", headers=headers)

    address = "/studio/voices/{voice}/reports/{kind}"
    return [
        Route(address, studio.endpoint(page), methods=["GET"]),
        Route(f"{address}/content", studio.endpoint(content), methods=["GET"]),
    ]
