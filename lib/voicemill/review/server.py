"""The review page on loopback, for one person at this machine, while the command runs.

Each of these measures alone keeps others out: the socket is bound to 127.0.0.1; every address begins with a random
token; the Host header must name this socket (so DNS rebinding fails); a POST must carry our own Origin and JSON,
which a form or foreign page cannot send without a preflight that is refused.
"""

from __future__ import annotations

import json
import re
import secrets
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voicemill import files
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import StorageError, VoicemillError
from voicemill.progress import Observer
from voicemill.review.dataset_page import draw_clips, page
from voicemill.review.dataset_view import view_of
from voicemill.review.rejections import ClipSound
from voicemill.review.session import Decision, ReviewSession, sound_paths

MAX_BODY = 64 * 1024
"""Bytes of one decision; a text has at most 2,000 characters."""
_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")
_LENGTH = re.compile(r"[0-9]{1,9}")


class ReviewServer(ThreadingHTTPServer):
    """Serves one page and the clips of one dataset; `serve` returns when asked to stop."""

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, session: ReviewSession, page: Callable[[], str], port: int = 0) -> None:
        """
        Args:
            session: saves the decisions.
            page: renders the page with the current edits.
            port: 0 chooses a free port.

        Raises:
            StorageError: the port is taken.
        """
        self.session, self.page = session, page
        self.token = secrets.token_urlsafe(24)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise StorageError(
                f"The page cannot be served at port {port}: {error.strerror}.",
                reason=f"port_unavailable:{port}",
                hint="Choose another with --port, or leave it out.",
            ) from error

    def server_bind(self) -> None:
        """Bind without resolving this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    @property
    def url(self) -> str:
        """The page's address with its token."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def serve(self, should_stop: Callable[[], bool], poll_seconds: float = 0.2) -> None:
        """Serve until `should_stop`; open connections do not delay the end."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": poll_seconds}, daemon=True)
        thread.start()
        try:
            while not should_stop():
                thread.join(poll_seconds)
        finally:
            self.shutdown()
            self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that closes the connection in the middle of a clip."""


def serve_dataset(
    dataset: PreparedDataset,
    cache: Path,
    observer: Observer | None = None,
    *,
    port: int = 0,
    workers: int | None = None,
) -> ReviewServer:
    """Create a server that is bound and waits for `serve`.

    Args:
        dataset: the dataset to review.
        cache: folder of the pictures.
        observer: receives the progress of drawing.
        port: 0 chooses a free port.
        workers: processes that draw.

    Raises:
        DatasetError: `edits_invalid`.
        StorageError: `port_unavailable`.
    """
    session = ReviewSession(dataset)
    sounds = {path: ClipSound(path, embedded=False) for path in sound_paths(dataset)}
    view = view_of(dataset, draw_clips(dataset, cache, observer, workers), sounds)
    return ReviewServer(session, lambda: page(view, session.states()), port)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "voicemill", ""
    timeout = 30

    def log_message(self, format: str, *arguments: Any) -> None:
        """Do not log requests on stderr."""

    def do_GET(self) -> None:
        path = self._inside()
        if path is None:
            return
        if path == "":
            try:
                page = self.server.page().encode("utf-8")
            except VoicemillError as error:  # the edits file was damaged meanwhile
                self._fail(error)
                return
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", page)
            return
        clip = self.server.session.sound_file(path)
        if clip is None or not clip.is_file():
            self._refuse(HTTPStatus.NOT_FOUND, "not_found", "Not found.")
            return
        self._send_clip(clip)

    def do_POST(self) -> None:
        path = self._inside()
        if path is None:
            return
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length) or not 0 < int(length) <= MAX_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The request is not a valid decision.")
            return
        if self.headers.get("Origin") != f"http://{self.headers['Host']}":
            self._refuse(HTTPStatus.FORBIDDEN, "foreign_origin", "Decisions are accepted only from the page itself.")
            return
        if self.headers.get_content_type() != "application/json" or path != "edit":
            self._refuse(HTTPStatus.NOT_FOUND, "not_found", "Not found.")
            return
        try:
            decision = Decision.model_validate(files.parse_json(self.rfile.read(int(length)), max_bytes=MAX_BODY))
            state = self.server.session.decide(decision)
        except (files.InvalidJsonError, ValidationError):
            self._refuse(HTTPStatus.BAD_REQUEST, "bad_request", "The request is not a valid decision.")
        except VoicemillError as error:
            self._fail(error)
        else:
            self._json(HTTPStatus.OK, state.model_dump(mode="json"))

    def _inside(self) -> str | None:
        """The path below the token; None after a refusal because of a wrong host or token."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST, "foreign_host", "This server is reachable only from its own machine."
            )
            return None
        token, slash, path = self.path.removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.NOT_FOUND, "not_found", "Not found.")
            return None
        return path

    def _send_clip(self, clip: Path) -> None:
        """Send a clip, or the range that a player asks for when it seeks."""
        data = clip.read_bytes()
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None:
            self._send(HTTPStatus.OK, "audio/wav", data, {"Accept-Ranges": "bytes"})
            return
        first = int(asked[1])
        last = min(int(asked[2]) if asked[2] else len(data) - 1, len(data) - 1)
        if first > last:
            self._send(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "audio/wav", b"", {"Content-Range": f"bytes */{len(data)}"}
            )
            return
        where = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self._send(HTTPStatus.PARTIAL_CONTENT, "audio/wav", data[first : last + 1], where)

    def _fail(self, error: VoicemillError) -> None:
        self._refuse(HTTPStatus.CONFLICT, error.reason, f"{error} {error.hint}".strip())

    def _refuse(self, status: HTTPStatus, code: str, sentence: str) -> None:
        self.close_connection = True  # an unread body must not be parsed as the next request
        self._json(status, {"error": code, "sentence": sentence})

    def _json(self, status: HTTPStatus, value: dict[str, object]) -> None:
        self._send(status, "application/json", json.dumps(value, sort_keys=True).encode("utf-8"))

    def _send(self, status: HTTPStatus, kind: str, data: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            **(more or {}),
        }
        if self.close_connection:
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
