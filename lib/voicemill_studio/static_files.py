"""Stylesheet, scripts and pictures. One digest of all of them is part of their address, so a browser may keep them."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from voicemill.evaluation import pages
from voicemill.review import dataset_page
from voicemill_serve.refusals import RequestRefusedError

FOLDER = Path(__file__).with_name("static")
STYLESHEET = "studio.css"
SHARED_STYLES = (pages.FOLDER / "style.css", pages.FOLDER.parent / "review" / "dataset_page.css")
"""Styles of the reports, which come before our own in the stylesheet."""
REVIEW_SCRIPTS = {f"review/{path.name}": path for path in (dataset_page.SCRIPT, dataset_page.REVIEW_SCRIPT)}
"""Scripts of the review, which `voice-prep review` has in its page."""
ADDRESS = "/studio/static"
FOREVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """The files of `static/`, in memory: modules import each other by relative paths, so one digest serves all."""

    @cached_property
    def contents(self) -> dict[str, bytes]:
        """Contents by path below `static/`."""
        found = {
            path.relative_to(FOLDER).as_posix(): path.read_bytes()
            for path in sorted(FOLDER.rglob("*"))
            if path.is_file()
        }
        shared = b"".join(path.read_bytes() for path in SHARED_STYLES)
        scripts = {name: path.read_bytes() for name, path in REVIEW_SCRIPTS.items()}
        return {**found, **scripts, STYLESHEET: shared + found[STYLESHEET]}

    @cached_property
    def digest(self) -> str:
        """Of every file and its name."""
        whole = hashlib.sha256()
        for name, data in sorted(self.contents.items()):
            whole.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
        return whole.hexdigest()[:16]

    def address(self, name: str) -> str:
        """The address of a file.

        Raises:
            KeyError: there is none of this name.
        """
        self.contents[name]
        return f"{ADDRESS}/{self.digest}/{name}"

    async def answer(self, request: Request) -> Response:
        """Send a file."""
        name = request.path_params["name"]
        if request.path_params["digest"] != self.digest or name not in self.contents:
            raise RequestRefusedError("There is no such file.", reason="not_found")
        kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
        headers = {"Cache-Control": FOREVER, "Content-Type": kind or "application/octet-stream"}
        return Response(self.contents[name], headers=headers)
