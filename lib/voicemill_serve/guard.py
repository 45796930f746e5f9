"""Checks of every HTTP request (Host, Origin, token, rate, body size), and the access log."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TextIO
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voicemill.errors import VoicemillError
from voicemill_serve.areas import PageArea, PathRule, area_of, refused
from voicemill_serve.metrics import Metrics
from voicemill_serve.refusals import CROSS_ORIGIN, RequestRefusedError
from voicemill_serve.settings import ServeSettings

OPEN_PATHS = ("/ready",)
"""Answered without a token and under any host name: probes of a cluster."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
BODY_SECONDS = 30.0
MOST_CLIENTS = 10_000
"""Client addresses whose rate is kept; the oldest are dropped first."""


class AccessLog:
    """One JSON object a line on stderr for each request; the spoken text only with `ServeSettings.log_text`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def write(self, event: str, **fields: object) -> None:
        """Write one line; fields that are None are left out."""
        row = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event}
        row |= {name: value for name, value in fields.items() if value is not None}  # type: ignore[misc]
        stream = self._stream or sys.stderr
        try:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
        except OSError:
            return  # the reader of the log has gone away, or its disk is full


class Rates:
    """Requests of each client address within the last minute."""

    def __init__(self, per_minute: int) -> None:
        self._limit = per_minute
        self._seen: dict[str, deque[float]] = {}

    def take(self, client: str, now: float) -> bool:
        """Count a request; False if it is one too many."""
        if not self._limit:
            return True
        times = self._seen.pop(client, deque())
        while times and now - times[0] >= 60.0:
            times.popleft()
        self._seen[client] = times
        while len(self._seen) > MOST_CLIENTS:
            del self._seen[next(iter(self._seen))]
        if len(times) >= self._limit:
            return False
        times.append(now)
        return True


class Guard:
    """The outermost layer of the application."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ServeSettings,
        metrics: Metrics,
        log: AccessLog,
        areas: Sequence[PageArea] = (),
        rules: Mapping[str, PathRule] | None = None,
    ) -> None:
        self._app, self._settings, self._metrics, self._log, self._areas = app, settings, metrics, log, areas
        self._rules = rules or {}
        self._rates = Rates(settings.limits.rate_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, pass it on, and log its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        facts: dict[str, Any] = {}
        scope.setdefault("state", {})["log"] = facts
        answer = _Answer(send, self._settings.uncertified)
        try:
            try:
                self._check(scope, Headers(scope=scope))
                receive = await self._with_body(scope, receive)
            except VoicemillError as error:
                facts["reason"] = error.code
                await refused(self._areas, scope["path"], error)(scope, receive, answer.send)
                return
            await self._app(scope, receive, answer.send)
        finally:
            self._record(scope, answer, facts, time.monotonic() - started)

    def _check(self, scope: Scope, headers: Headers) -> None:
        path, settings = scope["path"], self._settings
        if path in OPEN_PATHS or (scope["method"] == "OPTIONS" and path.startswith(CROSS_ORIGIN)):
            return
        area = area_of(self._areas, path)
        if settings.tokens.digests:
            kind, _, token = headers.get("authorization", "").partition(" ")
            known = kind.lower() == "bearer" and settings.tokens.accept(token.strip())
            known = known or self._rule(path).open
            if not known and not (area and (area.is_open(path) or area.knows(headers, settings.tokens))):
                raise RequestRefusedError(
                    "This server needs a token.", reason="unauthorized", hint="Send Authorization: Bearer <token>."
                )
        elif not settings.allows_host(host_name(headers.get("host", ""))):
            raise RequestRefusedError(
                "This server is not known by the name that the Host header gives.",
                reason="foreign_host",
                hint="Call it as localhost, or start it with --allow-host NAME.",
            )
        if scope["method"] not in SAFE_METHODS and not path.startswith(CROSS_ORIGIN):
            _check_origin(headers, required=area is not None and "authorization" not in headers)
        client = (scope.get("client") or ("unknown", 0))[0]
        if not self._rates.take(client, time.monotonic()):
            raise RequestRefusedError(
                f"More than {settings.limits.rate_per_minute} requests in a minute came from this address.",
                reason="rate_limited",
                hint="Wait a second before the next one.",
            )

    def _rule(self, path: str) -> PathRule:
        return self._rules.get(path, PathRule())

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the body within the limits of size and time; what follows reads it again from memory."""
        limit, seconds = self._settings.limits.body_bytes, BODY_SECONDS
        area = area_of(self._areas, scope["path"])
        if area is not None and not area.is_open(scope["path"]):
            limit, seconds = max(limit, area.body_bytes), area.body_seconds
        limit = max(limit, self._rule(scope["path"]).body_bytes)
        too_large = RequestRefusedError(f"The request is larger than {limit} bytes.", reason="body_too_large")
        length = Headers(scope=scope).get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length[:20]) > limit:
            raise too_large
        if scope["method"] in SAFE_METHODS:
            return receive
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return _again(message, receive)
                    body += message.get("body", b"")
                    if len(body) > limit:
                        raise too_large
                    if not message.get("more_body"):
                        break
        except TimeoutError as error:
            raise RequestRefusedError("The request did not arrive in time.", reason="body_timeout") from error
        return _again({"type": "http.request", "body": bytes(body), "more_body": False}, receive)

    def _record(self, scope: Scope, answer: _Answer, facts: Mapping[str, Any], seconds: float) -> None:
        route = scope.get("route")
        path = getattr(route, "path", None) or "other"
        self._metrics.requests.add(path, str(answer.status or 499))
        if "reason" in facts:
            self._metrics.errors.add(str(facts["reason"]))
        self._log.write(
            "request",
            id=answer.request_id,
            method=scope["method"],
            path=path,
            status=answer.status or 499,
            seconds=round(seconds, 4),
            **{name: value for name, value in facts.items() if name != "text" or self._settings.log_text},
        )


class _Answer:
    """Passes an answer on, with the headers that every answer has."""

    def __init__(self, send: Send, uncertified: bool) -> None:
        self._send, self._uncertified = send, uncertified
        self.status = 0
        self.request_id = uuid.uuid4().hex

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            headers["X-Content-Type-Options"] = "nosniff"
            if self._uncertified:
                headers["X-Voicemill-Uncertified"] = "allowed"
        await self._send(message)


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _check_origin(headers: Headers, *, required: bool = False) -> None:
    """Refuse a request that a page of another origin sends.

    Args:
        headers: of the request.
        required: refuse one without an Origin too: browsers send it with every form and script.
    """
    origin = headers.get("origin", "" if required else None)
    if origin is None:
        return
    try:
        own = urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        own = False
    if not own:
        raise RequestRefusedError(
            "Pages of other origins may not send this request.", reason="foreign_origin", hint="Call it from a program."
        )


def _again(first: Message, receive: Receive) -> Receive:
    """A `receive` that gives one message first."""
    messages = [first]

    async def read() -> Message:
        return messages.pop() if messages else await receive()

    return read


def note(scope_state: Any, **facts: object) -> None:
    """Add facts to a request's line in the log: `note(request.state, voice="anna")`."""
    getattr(scope_state, "log", {}).update(facts)
