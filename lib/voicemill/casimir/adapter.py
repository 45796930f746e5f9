"""Client of a remote Casimir adapter; any answer that is not clearly valid is refused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voicemill.casimir.javascript import Value, parse, stringify, utf8
from voicemill.errors import DependencyError, NotAcceptableError, UsageError
from voicemill.files import InvalidJsonError

if TYPE_CHECKING:
    import httpx

RUN_PATH = "/api/agi/adapter/run"
EXPORT_PATH = "/api/agi/training-trace/export"
MAX_ANSWER_BYTES = 1024 * 1024
MAX_EXPORT_BYTES = 64 * 1024 * 1024
TIMEOUTS_PER_ANSWER = 4
"""Timeouts that a whole answer may take."""


@dataclass(frozen=True)
class Adapter:
    """A remote adapter, and the identity of the caller.

    Attributes:
        url: its address, see `endpoint`.
        token: sent as a bearer token; never shown.
        tenant: sent as `X-Tenant-Id`.
        trace_context: W3C `traceparent` and `tracestate`, where given.
        timeout: seconds for connecting, and for each read.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    tenant: str | None = None
    trace_context: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0

    def run(self, trace_id: str, pack: Mapping[str, Value]) -> dict[str, Value]:
        """POST a request and return the answer, PASS or not.

        Args:
            trace_id: sent along; the answer must carry it, which `answer.refusal` checks.
            pack: the `pack` object, with explicit metrics.

        Raises:
            UsageError: the address is not a web address.
            NotAcceptableError: `casimir_unreachable:…`, `casimir_timeout`, `casimir_redirect`, `casimir_status:<code>`,
                `casimir_oversized`, `casimir_malformed`.
        """
        body = utf8(stringify({"mode": "constraint-pack", "traceId": trace_id, "pack": dict(pack)}))
        data = self._fetch("POST", endpoint(self.url, RUN_PATH), MAX_ANSWER_BYTES, body=body)
        answer = _document(data)
        if not isinstance(answer, dict):
            raise _refused("casimir_malformed", "The adapter's answer is not an object")
        return answer

    def export(self, url: str, limit: int) -> bytes:
        """GET the training traces as JSON Lines, each line checked to be an object.

        Raises:
            UsageError, NotAcceptableError: as `run`.
        """
        data = self._fetch("GET", endpoint(url, EXPORT_PATH), MAX_EXPORT_BYTES, params={"limit": str(limit)})
        lines = [line for line in data.split(b"\n") if line.strip()]
        if not lines or not all(isinstance(_document(line), dict) for line in lines):
            raise _refused("casimir_malformed", "The exported traces are not JSON Lines")
        return b"\n".join(lines) + b"\n"

    def _fetch(
        self, method: str, url: str, most: int, *, body: bytes | None = None, params: Mapping[str, str] | None = None
    ) -> bytes:
        httpx = _httpx()
        # Not compressed: a few kilobytes may unpack to gigabytes before they can be counted.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **self.trace_context}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.tenant:
            headers["X-Tenant-Id"] = self.tenant
        try:
            with (
                httpx.Client(timeout=self.timeout, follow_redirects=False, trust_env=False) as client,
                client.stream(method, url, content=body, params=params, headers=headers) as response,
            ):
                if response.is_redirect:
                    raise _refused("casimir_redirect", "The adapter answered with a redirect, which is not followed")
                if not response.is_success:
                    raise _refused(
                        f"casimir_status:{response.status_code}", f"The adapter answered {response.status_code}"
                    )
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise _refused("casimir_malformed", "The adapter's answer is compressed, which was not requested")
                return _bounded(response, most, time.monotonic() + TIMEOUTS_PER_ANSWER * self.timeout)
        except httpx.TimeoutException as error:
            raise _refused("casimir_timeout", f"The adapter did not answer in {self.timeout:g} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            kind = type(error).__name__
            raise _refused(f"casimir_unreachable:{kind}", f"The adapter cannot be reached ({kind})") from error


def endpoint(url: str, path: str) -> str:
    """The address to ask: a URL that holds `/api/` as it is, any other with the path appended.

    Raises:
        UsageError: it is not an http or https address.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(
            f"{url!r} is not the address of a Casimir adapter.",
            reason="bad_usage",
            hint="Give an http or https URL, for example https://casimir.example.",
        )
    return url if "/api/" in url else url.rstrip("/") + path


def export_address(url: str) -> str:
    """Where the traces of the adapter at `url` are exported."""
    return url.partition("/api/")[0]


def _bounded(response: httpx.Response, most: int, until: float) -> bytes:
    held = bytearray()
    for block in response.iter_raw():
        held += block
        if time.monotonic() > until:  # a drop now and then would keep each single read in time for ever
            raise _refused("casimir_timeout", "The adapter's answer does not end")
        if len(held) > most:
            raise _refused("casimir_oversized", f"The adapter's answer is larger than {most} bytes")
    return bytes(held)


def _document(data: bytes) -> Value:
    try:
        return parse(data.decode("utf-8"))
    except (UnicodeDecodeError, InvalidJsonError) as error:
        raise _refused("casimir_malformed", f"The adapter's answer is not JSON ({error})") from error


def _httpx() -> Any:
    """The module, or a plain refusal."""
    try:
        import httpx
    except ImportError as error:
        raise DependencyError(
            "Asking a remote adapter needs the package httpx, which is not installed.",
            reason="runtime_dependency_missing:httpx",
            hint="Run the set-up again, or leave --url out: the embedded evaluator answers offline.",
        ) from error
    return httpx


def _refused(reason: str, sentence: str) -> NotAcceptableError:
    return NotAcceptableError(
        f"{sentence}: this is no PASS.", reason=reason, hint="Mend the adapter, or ask the embedded evaluator."
    )
