"""The gate in this process: a remote adapter on loopback, its answers, and what is written of them."""

from __future__ import annotations

import http.server
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.apps.test_casimir import (
    EXPORT,
    GOLDEN,
    GOLDEN_HASH,
    RUN,
    Adapter,
    _changed,
    _dripping,
    _gzipped,
    _says,
    document,
)

from voicemill.casimir import adapter as client
from voicemill.casimir.answer import MAX_REQUEST_BYTES, read_request
from voicemill.casimir.gate import RemoteAdapter, ask, ledger_block
from voicemill.errors import NotAcceptableError, UsageError
from voicemill.settings import REPOSITORY


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    made = Adapter()
    yield made
    made.server.shutdown()
    made.server.server_close()


def question(**parts: object) -> bytes:
    return document(**parts).encode()


def test_what_is_sent_and_what_comes_back(tmp_path: Path, adapter: Adapter) -> None:
    context = {"traceparent": "00-1-2-01"}
    remote = RemoteAdapter(adapter.url + "/", token="secret", tenant="anna", trace_context=context)
    telemetry = {"build": {"exitCode": 1}}
    verdict = ask(question(traceId="t", pack={"telemetry": telemetry}), REPOSITORY, remote, tmp_path / "trace")
    assert verdict.refusal is None
    ((method, path, headers, body),) = adapter.seen
    assert (method, path) == ("POST", RUN)
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Tenant-Id"] == "anna"
    assert headers["traceparent"] == "00-1-2-01"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Content-Type"] == "application/json"
    assert set(body) == {"mode", "traceId", "pack"}
    assert body["traceId"] == "t"
    assert body["pack"] == {"id": "repo-convergence", "metrics": GOLDEN}
    assert not (tmp_path / "trace").exists(), "traces are exported on demand"
    assert "secret" not in repr(remote)
    assert "secret" not in repr(client.Adapter(adapter.url, "secret"))


def test_without_token_and_tenant_neither_is_sent(tmp_path: Path, adapter: Adapter) -> None:
    assert ask(question(), REPOSITORY, RemoteAdapter(adapter.url), tmp_path / "trace").refusal is None
    ((_, _, headers, body),) = adapter.seen
    assert {"Authorization", "X-Tenant-Id"}.isdisjoint(headers)
    assert body["traceId"].startswith("voicemill:")


@pytest.mark.parametrize(("export_url", "ci"), [(None, True), ("own", False), ("own", True)])
def test_traces_are_exported(tmp_path: Path, adapter: Adapter, export_url: str | None, ci: bool) -> None:
    url = adapter.url if export_url else None
    remote = RemoteAdapter(adapter.url + RUN, True, url, trace_limit=7, ci=ci)
    assert ask(question(), REPOSITORY, remote, tmp_path / "trace").refusal is None
    assert [(method, path) for method, path, *_ in adapter.seen] == [("POST", RUN), ("GET", f"{EXPORT}?limit=7")]
    assert [json.loads(line)["seq"] for line in (tmp_path / "trace").read_text().splitlines()] == [1, 2]
    assert "Content-Type" not in adapter.seen[1][2]


@pytest.mark.parametrize(("url", "explicit"), [(None, True), (None, False), ("http://127.0.0.1:1", False), ("", True)])
def test_ci_asks_only_an_adapter_that_the_caller_named(tmp_path: Path, url: str | None, explicit: bool) -> None:
    with pytest.raises(UsageError):
        ask(question(), REPOSITORY, RemoteAdapter(url, explicit, ci=True), tmp_path / "trace")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_gzipped, "casimir_malformed"),
        (_says(b"{}", 301, Location="http://127.0.0.1:1/"), "casimir_redirect"),
        (_says(b"{}", 307, Location="http://127.0.0.1:1/"), "casimir_redirect"),
        (_says(b"{}", 204), "casimir_malformed"),
        (_says(b"{}", 401), "casimir_status:401"),
        (_says(b"{}", 503), "casimir_status:503"),
        (_says(b'{"verdict":"FAIL","verdict":"PASS"}'), "casimir_malformed"),
        (_says(b'"PASS"'), "casimir_malformed"),
        (_says(b""), "casimir_malformed"),
        (_says(b" " * (client.MAX_ANSWER_BYTES + 1)), "casimir_oversized"),
        (_says(b" " * client.MAX_ANSWER_BYTES), "casimir_malformed"),
    ],
)
def test_an_answer_that_cannot_be_used(
    tmp_path: Path, adapter: Adapter, reply: Callable[..., None], reason: str
) -> None:
    adapter.reply = reply
    with pytest.raises(NotAcceptableError) as caught:
        ask(question(), REPOSITORY, RemoteAdapter(adapter.url, timeout=5.0), tmp_path / "trace")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (b"", False),
        (b"\n \n", False),
        (b"[]\n", False),
        (b'{"a":1}\nx', False),
        (b'{"a":1}', True),
        (b"{}\n\n{}", True),
    ],
)
def test_exported_traces_are_lines_of_objects(adapter: Adapter, lines: bytes, right: bool) -> None:
    adapter.reply = _says(lines)
    if right:
        assert client.Adapter(adapter.url).export(adapter.url, 1) == lines.replace(b"\n\n", b"\n") + b"\n"
        return
    with pytest.raises(NotAcceptableError) as caught:
        client.Adapter(adapter.url).export(adapter.url, 1)
    assert caught.value.reason == "casimir_malformed"


def _slowly(handler: http.server.BaseHTTPRequestHandler, body: Any) -> None:
    """An honest answer in pieces: longer than one timeout, shorter than all that an answer may take."""
    data = json.dumps(Adapter.answer(body)).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    for at in range(0, len(data), -(-len(data) // 5)):
        handler.wfile.write(data[at : at + -(-len(data) // 5)])
        handler.wfile.flush()
        time.sleep(0.3)


def test_a_slow_answer_counts_and_one_without_an_end_does_not(tmp_path: Path, adapter: Adapter) -> None:
    adapter.reply = _slowly
    assert ask(question(), REPOSITORY, RemoteAdapter(adapter.url, timeout=1.0), tmp_path / "trace").refusal is None
    adapter.reply = _dripping  # for two minutes, a byte every tenth of a second
    began = time.monotonic()
    with pytest.raises(NotAcceptableError) as caught:
        ask(question(), REPOSITORY, RemoteAdapter(adapter.url, timeout=0.5), tmp_path / "trace")
    assert caught.value.reason == "casimir_timeout"
    assert 1.9 < time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a.example", f"http://a.example{RUN}"),
        ("https://a.example//", f"https://a.example{RUN}"),
        ("https://a.example/api/x", "https://a.example/api/x"),
        ("https://a.example/apix", f"https://a.example/apix{RUN}"),
        ("ftp://a.example", None),
        ("http://", None),
        ("http://[", None),
        ("a.example", None),
    ],
)
def test_the_address_of_an_adapter(url: str, address: str | None) -> None:
    if address is None:
        with pytest.raises(UsageError):
            client.endpoint(url, RUN)
    else:
        assert client.endpoint(url, RUN) == address
    assert client.export_address("http://a.example/x/api/y/api/z") == "http://a.example/x"
    assert client.export_address("http://a.example") == "http://a.example"


LEDGER = """\
prompt_id: '7'
files_changed:
- a.py
- 'b: c.py'
casimir_verdict: {verdict}
casimir_firstFail: {first}
casimir_certificateHash: {hash}
casimir_integrityOk: {intact}
casimir_traceId: t
casimir_runId: '1'
commit_sha: abc
status: {status}
blocker_reason: {reason}
"""


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ("PASS", "none", GOLDEN_HASH, "true", "done", "none")),
        (
            {"verdict": "FAIL", "pass": False, "firstFail": {"id": "é", "severity": "HARD"}},
            ("FAIL", "é", GOLDEN_HASH, "true", "blocked", "casimir_fail:é"),
        ),
        (
            {"certificate": {"certificateHash": None, "integrityOk": 1}},
            ("PASS", "none", "none", "false", "blocked", "casimir_certificate_hash"),
        ),
    ],
)
def test_the_ledger_block_of_an_answer(
    tmp_path: Path, adapter: Adapter, changes: dict[str, Any], shown: tuple[str, ...]
) -> None:
    adapter.reply = _changed(**changes)
    verdict = ask(question(traceId="t"), REPOSITORY, RemoteAdapter(adapter.url), tmp_path / "trace")
    block = ledger_block(verdict, "abc", {"prompt_id": "7", "files_changed": ("a.py", "b: c.py")})
    names = ("verdict", "first", "hash", "intact", "status", "reason")
    assert block == LEDGER.format(**dict(zip(names, shown, strict=True)))
    assert yaml.safe_load(block)["files_changed"] == ["a.py", "b: c.py"]


def test_a_ledger_block_without_a_certificate(tmp_path: Path, adapter: Adapter) -> None:
    adapter.reply = _says(json.dumps({"traceId": "t", "verdict": "PASS", "pass": True}).encode())
    verdict = ask(question(traceId="t"), REPOSITORY, RemoteAdapter(adapter.url), tmp_path / "trace")
    block = yaml.safe_load(ledger_block(verdict, "abc", {}))
    assert (block["casimir_certificateHash"], block["casimir_integrityOk"]) == ("none", False)
    assert block["blocker_reason"] == "casimir_certificate_missing"
    with pytest.raises(NotAcceptableError) as caught:
        verdict.require()
    assert caught.value.reason == "casimir_certificate_missing"


@pytest.mark.parametrize(
    ("trace", "right"), [("t" * 200, True), ("t" * 201, False), ("", False), ("a\nb", False), ("t", True), (7, False)]
)
def test_the_trace_id_of_a_request(trace: object, right: bool) -> None:
    if right:
        assert read_request(question(traceId=trace))[0] == trace
        return
    with pytest.raises(UsageError) as caught:
        read_request(question(traceId=trace))
    assert caught.value.reason == "casimir_request_invalid:traceId"


def test_the_largest_request() -> None:
    data = question()
    assert MAX_REQUEST_BYTES == 4 * 2**20
    assert read_request(data + b" " * (MAX_REQUEST_BYTES - len(data)))[0] is None
    with pytest.raises(UsageError) as caught:
        read_request(data + b" " * (MAX_REQUEST_BYTES + 1 - len(data)))
    assert caught.value.reason == "casimir_request_invalid:document"
