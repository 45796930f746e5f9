"""Pages for people: paths below a prefix that a browser opens, with a session cookie in place of a bearer token.

The cookie is `<expiry>.<signature>`. Its key is the digest of the token that opened the session, so a session outlives
the server's process, ends when its token is removed from the file, and discloses no token.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from voicemill.errors import VoicemillError
from voicemill_serve.refusals import refusal, status_of
from voicemill_serve.settings import Tokens

SESSION_SECONDS = 7 * 24 * 3600
"""After this time a person logs in again."""


@dataclass(frozen=True)
class PageArea:
    """Pages below a path prefix.

    Attributes:
        prefix: with a slash at its end.
        entries: further paths that lead here, open to everyone.
        cookie: name of the session cookie.
        open: path prefixes that need no session: the form to log in, static files.
        error_page: an answer in place of JSON, from the path, the error and its status.
        body_bytes: of one request, where that is more than the server's limit.
        body_seconds: in which a body arrives.
    """

    prefix: str
    cookie: str
    open: tuple[str, ...]
    entries: tuple[str, ...]
    error_page: Callable[[str, VoicemillError, int], Response]
    body_bytes: int = 0
    body_seconds: float = 30.0

    def is_open(self, path: str) -> bool:
        """Whether a path needs no session."""
        return path in self.entries or path.startswith(self.open)

    def knows(self, headers: Headers, tokens: Tokens, now: float | None = None) -> bool:
        """Whether a request has a session cookie that holds."""
        value = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        expiry, _, signature = value.partition(".")
        if not (expiry.isascii() and expiry.isdigit()) or int(expiry[:12]) <= (time.time() if now is None else now):
            return False
        found = False
        for digest in tokens.digests:
            found |= hmac.compare_digest(_signature(digest, expiry).encode(), signature.encode("utf-8", "replace"))
        return found


@dataclass(frozen=True)
class PathRule:
    """What differs for one path.

    Attributes:
        body_bytes: of one request, where that is more than the server's limit.
        open: needs no token.
    """

    body_bytes: int = 0
    open: bool = False


def new_session(token: str, now: float | None = None) -> str:
    """The value of a session cookie for a token that was accepted."""
    expiry = str(int(time.time() if now is None else now) + SESSION_SECONDS)
    return f"{expiry}.{_signature(hashlib.sha256(token.encode()).digest(), expiry)}"


def area_of(areas: Sequence[PageArea], path: str) -> PageArea | None:
    """The area that a path lies in."""
    return next((area for area in areas if path in area.entries or path.startswith(area.prefix)), None)


def refused(areas: Sequence[PageArea], path: str, error: VoicemillError) -> Response:
    """The answer to a refused request: a page in an area, else the shape that clients of the path expect."""
    area = area_of(areas, path)
    return area.error_page(path, error, status_of(error)) if area else refusal(path, error)


def _signature(digest: bytes, expiry: str) -> str:
    return hmac.new(digest, f"voicemill session {expiry}".encode("ascii"), hashlib.sha256).hexdigest()
