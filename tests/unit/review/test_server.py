"""The session, and the server's answers to a browser, to a foreign page and to the network."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicemill.dataset import description, edits
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import StorageError, UsageError
from voicemill.review.server import ReviewServer, serve_dataset
from voicemill.review.session import Decision, ReviewSession

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def session(dataset: PreparedDataset) -> ReviewSession:
    return ReviewSession(dataset)


def _decide(session: ReviewSession, **values: object) -> dict[str, object]:
    decision = Decision.model_validate({"dataset": session.dataset.sha256, **values})
    return session.decide(decision).model_dump()


def test_decisions_become_edits_and_go_away_again(session: ReviewSession) -> None:
    entry = session.dataset.entries[2]
    state = _decide(session, clip=entry.id, text="  Other\n words. ")
    assert (state["text"], state["was"], state["waiting"], state["edits"]) == ("Other words.", entry.text, True, 1)
    assert "1 decision in" in session.farewell()
    _decide(session, clip=entry.id, verdict="drop")
    written = edits.read(session.root)
    assert [(edit.text, edit.verdict, edit.start) for edit in written] == [("Other words.", "drop", entry.start)]
    assert written[0].source_sha256 == edits.recordings(session.dataset.description.inputs)[entry.source]
    _decide(session, clip=entry.id, verdict="none")
    assert edits.read(session.root)[0].text == "Other words."
    state = _decide(session, clip=entry.id, text=entry.text)
    assert (state["text"], state["waiting"], state["edits"]) == (None, False, 0)
    assert "includes all decisions" in session.farewell()


def test_rejected_stretches_can_be_kept(hostile: PreparedDataset) -> None:
    session = ReviewSession(hostile)
    assert _decide(session, rejected=0, verdict="keep")["verdict"] == "keep"
    assert [edit.verdict for edit in edits.read(hostile.root)] == ["keep"]
    assert _decide(session, rejected=0, verdict="none")["edits"] == 0
    with pytest.raises(UsageError) as caught:
        _decide(session, rejected=2, verdict="keep")
    assert caught.value.reason == "no_such_clip"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"clip": "nobody", "verdict": "drop"}, "no_such_clip"),
        ({"rejected": 99, "verdict": "keep"}, "no_such_clip"),
        ({"clip": "demo_0001", "text": " \n "}, "invalid_edit"),
        ({"clip": "demo_0001", "text": "a\x00b"}, "invalid_edit"),
        ({"clip": "demo_0001", "verdict": "drop", "dataset": "0" * 64}, "dataset_changed"),
    ],
)
def test_decisions_that_are_refused(session: ReviewSession, values: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        _decide(session, **values)
    assert caught.value.reason == reason
    assert not (session.root / edits.NAME).exists()


def test_a_dataset_that_was_prepared_again_meanwhile(session: ReviewSession) -> None:
    path = session.root / description.NAME
    path.write_text(path.read_text("utf-8").replace(session.dataset.sha256, "1" * 64), "utf-8")
    with pytest.raises(UsageError) as caught:
        _decide(session, clip="demo_0001", verdict="drop")
    assert caught.value.reason == "dataset_changed"


@contextlib.contextmanager
def serving(made: ReviewServer) -> Iterator[ReviewServer]:
    stop = threading.Event()
    thread = threading.Thread(target=made.serve, args=(stop.is_set, 0.02))
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def server(session: ReviewSession) -> Iterator[ReviewServer]:
    with serving(ReviewServer(session, lambda: "<!doctype html><p>page</p>")) as made:
        yield made


def _ask(server: ReviewServer, method: str, path: str, body: object = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    if data is not None and "Content_Length" not in headers:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


def test_page_and_clips(server: ReviewServer, session: ReviewSession) -> None:
    status, headers, body = _ask(server, "GET", f"/{server.token}/")
    assert (status, body) == (200, b"<!doctype html><p>page</p>")
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
    whole = (session.root / "clips/demo_0001.wav").read_bytes()
    status, headers, body = _ask(server, "GET", f"/{server.token}/clips/demo_0001.wav")
    assert (status, headers["content-type"], body) == (200, "audio/wav", whole)
    status, headers, body = _ask(server, "GET", f"/{server.token}/clips/demo_0001.wav", Range="bytes=100-199")
    assert (status, headers["content-range"], body) == (206, f"bytes 100-199/{len(whole)}", whole[100:200])
    assert _ask(server, "GET", f"/{server.token}/clips/demo_0001.wav", Range=f"bytes={len(whole)}-")[0] == 416


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/{token}",
        "/wrong/",
        "/{token}x/",
        "/{token}/dataset.json",
        "/{token}/clips/../dataset.json",
        "/{token}/clips/..%2fdataset.json",
        "/{token}/clips/demo_9999.wav",
        "/{token}/clips/",
    ],
)
def test_nothing_else_is_there(server: ReviewServer, path: str) -> None:
    status, _, body = _ask(server, "GET", path.format(token=server.token))
    assert status == 404
    assert server.token.encode() not in body


def test_only_loopback_and_only_our_name(server: ReviewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    for host in (
        "example.org",
        f"example.org:{server.server_port}",
        "127.0.0.1",
        "",
        f"127.0.0.2:{server.server_port}",
    ):
        assert _ask(server, "GET", f"/{server.token}/", Host=host)[0] == 421
    assert _ask(server, "GET", f"/{server.token}/", Host=f"localhost:{server.server_port}")[0] == 200


def _post(server: ReviewServer, body: object, **changes: str) -> Answer:
    headers = {"Content_Type": "application/json", "Origin": f"http://127.0.0.1:{server.server_port}"} | changes
    return _ask(server, "POST", f"/{server.token}/edit", body, **{k: v for k, v in headers.items() if v})


def test_a_decision_over_the_wire(server: ReviewServer, session: ReviewSession) -> None:
    body = {"dataset": session.dataset.sha256, "clip": "demo_0002", "verdict": "drop"}
    status, _, answer = _post(server, body)
    assert (status, json.loads(answer)["verdict"]) == (200, "drop")
    assert [edit.verdict for edit in edits.read(session.root)] == ["drop"]
    status, _, answer = _post(server, body | {"dataset": "0" * 64})
    assert (status, json.loads(answer)["error"]) == (409, "dataset_changed")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Origin": "http://example.org"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Content_Type": "text/plain"}, 404),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 404),
        ({"Host": "example.org"}, 421),
        ({"Content_Length": "-1"}, 413),
        ({"Content_Length": "9999999"}, 413),
        ({"Content_Length": "0000000019999999"}, 413),
    ],
)
def test_decisions_from_elsewhere_are_refused(
    server: ReviewServer, session: ReviewSession, changes: dict[str, str], status: int
) -> None:
    body = {"dataset": session.dataset.sha256, "clip": "demo_0002", "verdict": "drop"}
    assert _post(server, body, **changes)[0] == status
    assert not (session.root / edits.NAME).exists()


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"clip": "demo_0001"}', b'{"a": 1, "a": 2}', b"\xff"])
def test_bodies_that_are_no_decision(server: ReviewServer, body: bytes) -> None:
    assert _post(server, body)[0] == 400
    assert _ask(server, "OPTIONS", f"/{server.token}/edit")[0] == 501
    assert _ask(server, "PUT", f"/{server.token}/edit", b"{}")[0] == 501


def test_damaged_edits_are_reported_instead_of_the_page(dataset: PreparedDataset) -> None:
    with serving(serve_dataset(dataset, dataset.root.parent / "cache", workers=1)) as server:
        (dataset.root / edits.NAME).write_text("{")
        status, _, body = _ask(server, "GET", f"/{server.token}/")
    assert (status, json.loads(body)["error"].partition(":")[0]) == (409, "edits_invalid")


def test_a_port_that_is_taken(session: ReviewSession, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(StorageError) as caught:
            ReviewServer(session, str, other.getsockname()[1])
    assert caught.value.code == "port_unavailable"
