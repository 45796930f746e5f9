"""What the pages share: templates with escaping, security headers, forms, and errors as a page."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import jinja2
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from voicemill.errors import VoicemillError
from voicemill.evaluation import pages
from voicemill.review import dataset_page
from voicemill.workspace import Workspace
from voicemill_serve.guard import note
from voicemill_serve.jobs import JobRunner
from voicemill_serve.refusals import RequestRefusedError, refusal, status_of
from voicemill_serve.services import Services
from voicemill_serve.train_routes import job_runner
from voicemill_studio.sounds import Sounds
from voicemill_studio.static_files import StaticFiles

HOME = "/studio/"
API = "/studio/api/"
"""Paths that scripts call: their errors are JSON, `{"error": reason, "message": sentence}`."""
LOGIN = "/studio/login"
TEMPLATES = Path(__file__).with_name("templates")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every page. With the policy `no-referrer`, browsers would send forms with the origin `null`."""
MOST_FIELDS = 200
TEXTS = frozenset(("text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"))
SHORT = 1400
"""Bytes that fit into one packet, and are not compressed."""
TITLES = {401: "Log in", 403: "Not allowed", 404: "Not found", 429: "Too many requests", 500: "The server failed"}


@dataclass(frozen=True)
class Link:
    """An entry of the navigation.

    Attributes:
        name: of the page group, as `Studio.page` marks it.
        title: for people.
        address: of its first page.
    """

    name: str
    title: str
    address: str


Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass
class Studio:
    """Shared by the pages.

    Attributes:
        services: of the server: voices, speech, settings, log.
        workspace: results and caches.
        links: the navigation, in order.
    """

    services: Services
    workspace: Workspace
    links: list[Link] = field(default_factory=list)
    static: StaticFiles = field(default_factory=StaticFiles)

    @functools.cached_property
    def environment(self) -> jinja2.Environment:
        """Templates of the pages and the parts of the reports; text is escaped unless it is `Markup`."""
        environment = jinja2.Environment(
            autoescape=True,
            auto_reload=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            loader=jinja2.FileSystemLoader([TEMPLATES, pages.FOLDER, dataset_page.FOLDER]),
        )
        environment.globals["static"] = self.static.address
        environment.filters["segment"] = lambda text: quote(str(text), safe="")
        return environment

    @functools.cached_property
    def sounds(self) -> Sounds:
        """Makes speech for the pages."""
        return Sounds(self.services, self.workspace)

    @property
    def jobs(self) -> JobRunner:
        """The runner of the server's jobs.

        Raises:
            VoicemillError: `training_unavailable`, `jobs_busy`.
        """
        return job_runner(self.services)

    def page(self, template: str, *, active: str, status: int = 200, **values: object) -> Response:
        """A page.

        Args:
            template: name of a file in `templates/` that extends `layout.html.j2`.
            active: name of the `Link` that is marked in the navigation; may be empty.
            status: of the answer.
            values: variables of the template.
        """
        known = {"links": self.links, "active": active, "sessions": bool(self.services.settings.tokens.digests)}
        text = self.environment.get_template(template).render(**known, **values)
        return HTMLResponse(text, status, HEADERS)

    def error_page(self, path: str, error: VoicemillError, status: int) -> Response:
        """An error as a page with its sentence; below `API` as JSON; the form to log in where a session is missing."""
        if path.startswith(API):
            return refusal(path, error, status)
        if status == 401:
            return redirect(f"{LOGIN}?next={quote(path, safe='/')}")
        answer = self.page(
            "error.html.j2",
            active="",
            status=status,
            title=TITLES.get(status, "That did not work"),
            sentence=str(error),
            hint=error.hint,
            reason=error.reason,
        )
        answer.headers["X-Voicemill-Reason"] = error.code.encode("ascii", "replace").decode("ascii")
        return answer

    def endpoint(self, handler: Endpoint) -> Endpoint:
        """A handler whose library errors become error pages, with the security headers on every answer."""

        async def answer(request: Request) -> Response:
            try:
                found = await handler(request)
            except VoicemillError as error:
                note(request.state, reason=error.code)
                status = status_of(error)
                # The library refused on purpose, which is no failure of the server.
                found = self.error_page(request.url.path, error, 409 if status == 500 else status)
            for name, value in HEADERS.items():
                found.headers.setdefault(name, value)
            return compressed(request, found)

        return answer


PageRoutes = Callable[[Studio], Sequence[BaseRoute]]
"""Of a page module: adds its links to the navigation and returns its routes."""


def redirect(address: str) -> Response:
    """Show another page; after a form too."""
    return RedirectResponse(address, 303, HEADERS)


def compressed(request: Request, answer: Response) -> Response:
    """The same answer, as gzip where it is text of some length and the browser takes it.

    Pages hold no secret that their compressed length could disclose: sessions are in a cookie.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0]
    body = getattr(answer, "body", b"")
    if kind not in TEXTS or len(body) < SHORT or "content-encoding" in answer.headers:
        return answer
    answer.headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("accept-encoding", ""):
        answer.body = gzip.compress(bytes(body), 6, mtime=0)
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


async def form(request: Request) -> dict[str, str]:
    """The fields of a form without files; of several fields with one name the last, without white space at its ends.

    Raises:
        RequestRefusedError: `bad_usage`: it is no form, or has too many fields or a file.
    """
    try:
        found = await request.form(max_files=0, max_fields=MOST_FIELDS)
    except Exception as error:  # the parsers raise classes of three packages
        raise RequestRefusedError("The form cannot be read.", reason="bad_usage") from error
    fields = {name: value for name, value in found.items() if not isinstance(value, UploadFile)}
    return {name: value.strip() for name, value in fields.items()}
