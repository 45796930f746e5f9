"""New voice in a real browser: upload, an interrupted one that goes on, hostile names, and the preparation."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from tests.browser import PHONE, Browser, needs_browser
from tests.unit.serve.conftest import Server, end, start_server

from voicemill.audio.decode import resample
from voicemill.settings import REPOSITORY
from voicemill_studio.draft_store import Draft, DraftStore

pytestmark = pytest.mark.slow

PEOPLE = REPOSITORY / "tests/data/people"
HOSTILE = "<img src=x onerror=alert(1)>.flac"


@pytest.fixture
def draft(server: Server, work: Path) -> Draft:
    return DraftStore(work / "work/studio/drafts").create("ann")


def call(server: Server, method: str, path: str, **arguments: object) -> httpx.Response:
    headers = {"Origin": server.url}
    return httpx.request(method, f"{server.url}/studio/api/drafts/{path}", headers=headers, timeout=60, **arguments)


def send(server: Server, draft: Draft, name: str, data: bytes, first: int = 0) -> dict[str, object]:
    uploads = f"{draft.record.id}/uploads"
    found = call(server, "POST", uploads, json={"name": name, "bytes": len(data)}).json()
    while not found["complete"]:
        offset = found["received"]
        part = data[offset : offset + (first or 100_000)]
        answer = call(server, "PUT", f"{uploads}/{found['id']}?offset={offset}", content=part)
        assert answer.status_code == 200, answer.text
        found = answer.json()
    return dict(found)


def test_parts_over_http(server: Server, draft: Draft) -> None:
    data = (PEOPLE / "lj/LJ001-0006.flac").read_bytes()
    uploads = f"{draft.record.id}/uploads"
    found = call(server, "POST", uploads, json={"name": "../a.flac", "bytes": len(data), "modified": 5}).json()
    assert (found["name"], found["received"]) == ("a.flac", 0)
    address = f"{uploads}/{found['id']}"
    assert call(server, "PUT", f"{address}?offset=0", content=data[:1000]).json()["received"] == 1000
    again = call(server, "POST", uploads, json={"name": "a.flac", "bytes": len(data), "modified": 5}).json()
    assert (again["id"], again["received"]) == (found["id"], 1000)
    wrong = call(server, "PUT", f"{address}?offset=999", content=b"x")
    assert (wrong.status_code, wrong.json()["error"], wrong.json()["received"]) == (409, "upload_offset", 1000)
    done = call(server, "PUT", f"{address}?offset=1000", content=data[1000:]).json()
    assert (done["complete"], done["kind"], done["refused"]) == (True, "recording", None)
    assert done["described"] == "FLAC, 22,050 Hz, mono"
    state = call(server, "GET", draft.record.id).json()
    assert [one["name"] for one in state["uploads"]] == ["a.flac"]
    assert state["missing"].startswith("There is no text yet")
    assert call(server, "DELETE", address).status_code == 200
    assert call(server, "GET", address).json()["error"] == "upload_unknown"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "uploads", b"{", 400, "bad_usage"),
        ("POST", "uploads", b"[]", 400, "bad_usage"),
        ("POST", "uploads", b'{"name": "a.wav"}', 400, "bad_usage"),
        ("POST", "uploads", b'{"name": "a.wav", "bytes": 0}', 400, "upload_empty"),
        ("POST", "uploads", b'{"name": "a.wav", "bytes": 99999999999999}', 413, "upload_too_large"),
        ("PUT", "uploads/0123456789abcdef?offset=0", b"x", 404, "upload_unknown"),
        ("PUT", "uploads/0123456789abcdef?offset=-1", b"x", 400, "bad_usage"),
        ("PUT", "uploads/..%2f..%2fdraft?offset=0", b"x", 404, "not_found"),
        ("GET", "uploads/..%2f..%2f..%2f..%2fetc%2fpasswd", b"", 404, "not_found"),
    ],
)
def test_what_is_refused(
    server: Server, draft: Draft, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = call(server, method, f"{draft.record.id}/{path}", content=body)
    assert (answer.status_code, answer.json()["error"]) == (status, reason)
    unknown = call(server, "GET", "0" * 16)
    assert (unknown.status_code, unknown.json()["error"]) == (404, "draft_unknown")


def test_a_page_of_another_origin_uploads_nothing(server: Server, draft: Draft) -> None:
    address = f"{server.url}/studio/api/drafts/{draft.record.id}/uploads"
    for headers in ({"Origin": "https://example.org"}, {}):
        assert httpx.post(address, json={"name": "a.wav", "bytes": 5}, headers=headers).status_code == 403


def test_nothing_is_prepared_without_a_text(server: Server, draft: Draft) -> None:
    address, headers = f"{server.url}/studio/new/{draft.record.id}", {"Origin": server.url}
    answer = httpx.post(address, data={"preset": "standard"}, headers=headers)
    assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (400, "no_recordings")
    answer = httpx.post(address, data={"licence": "none at all"}, headers=headers)
    assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (400, "licence_invalid")
    assert not (draft.folder / "source").exists()


def test_an_upload_goes_on_after_the_server_was_killed(work: Path, tmp_path: Path) -> None:
    arguments = (work / "bundles", tmp_path / "work")
    data = os.urandom(16) + b"text " * 50_000
    first = start_server(*arguments)
    draft = DraftStore(tmp_path / "work/studio/drafts").create("ann")
    uploads = f"{draft.record.id}/uploads"
    try:
        found = call(first, "POST", uploads, json={"name": "a.bin", "bytes": len(data)}).json()
        call(first, "PUT", f"{uploads}/{found['id']}?offset=0", content=data[:3000])
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    finally:
        end(first)
    second = start_server(*arguments)
    try:
        found = call(second, "GET", f"{uploads}/{found['id']}").json()
        assert found["received"] == 3000
        done = call(second, "PUT", f"{uploads}/{found['id']}?offset=3000", content=data[3000:]).json()
        assert done["received"] in (len(data), 0)  # random bytes are neither sound nor text
    finally:
        end(second)


@pytest.mark.slow
@needs_browser
def test_hostile_names_reloads_and_a_choice_of_files(server: Server, draft: Draft, work: Path, tmp_path: Path) -> None:
    hostile, notes = tmp_path / HOSTILE, tmp_path / "no sound.wav"
    hostile.write_bytes((PEOPLE / "lj/LJ001-0006.flac").read_bytes())
    notes.write_bytes(b"\x7fELF" + bytes(range(256)) * 40)
    with Browser(tmp_path / "profile") as browser:
        tab = browser.tab(PHONE)
        tab.open(f"{server.url}/studio/new/{draft.record.id}")
        tab.upload("#choose", hostile, notes)
        tab.wait("document.querySelectorAll('#list li[data-state=done]').length === 1")
        tab.wait("document.querySelectorAll('#list li[data-state=refused]').length === 1")
        assert HOSTILE in tab.text("#list")
        assert "neither a recording nor a text" in tab.text("#list")
        assert tab.evaluate("document.querySelector('#list img')") is None
        assert tab.evaluate("document.getElementById('prepare').disabled")
        tab.fill("#words", "And it is worth mention in passing that, as an example of fine typography,")
        tab.click("#add-words")
        tab.wait("document.querySelectorAll('#list li[data-state=done]').length === 2")
        tab.wait("!document.getElementById('prepare').disabled")
        assert tab.violations() == []
        assert not tab.is_too_wide()
        assert tab.bytes_loaded() < 300_000
        tab.open(f"{server.url}/studio/new/{draft.record.id}")
        tab.wait("document.querySelectorAll('#list li[data-state=done]').length === 2")
        tab.open(f"{server.url}/studio/new")
        assert tab.violations() == []


@pytest.mark.slow
@needs_browser
@pytest.mark.exhaustive
def test_an_interrupted_upload_goes_on_and_is_prepared(server: Server, draft: Draft, tmp_path: Path) -> None:
    long = tmp_path / "chapter.wav"
    noise, parts = np.random.default_rng(1), []
    for name in ("LJ001-0006", "LJ001-0011"):
        samples, rate = soundfile.read(PEOPLE / f"lj/{name}.flac", dtype="float32")
        parts += [(10 ** (-66 / 20) * noise.standard_normal(2 * rate)).astype(np.float32), samples]
    soundfile.write(long, resample(np.concatenate([*parts, parts[0]]), rate, 192_000), 192_000)
    texts = [
        "And it is worth mention in passing that, as an example of fine typography,",
        "it is of the first importance that the letter used should be fine in form;",
    ]
    with Browser(tmp_path / "profile") as browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/new/{draft.record.id}")
        # The connection breaks after the first part.
        tab.evaluate(
            "const real = window.fetch; let parts = 0;"
            "window.fetch = (path, options) => (options || {}).method === 'PUT' && (parts += 1) === 2"
            " ? Promise.reject(new TypeError('network')) : real(path, options); 0"
        )
        tab.upload("#choose", long)
        tab.wait("document.querySelector('#list li[data-state=done]')")
        assert tab.evaluate("parts") >= 3
        (stored,) = [one for one in draft.uploads.all() if one.record.name == "chapter.wav"]
        assert draft.uploads.data(stored.record.id).read_bytes() == long.read_bytes()
        tab.fill("#words", "\n".join(texts))
        tab.click("#add-words")
        tab.fill("#consent", "Read for <i>LibriVox</i>.")
        tab.fill("#licence", "LicenseRef-public-domain")
        tab.wait("!document.getElementById('prepare').disabled")
        tab.follow("#prepare")
        tab.open(server.url + tab.path)  # a reload in the middle
        tab.wait("document.getElementById('preparation').dataset.state === 'done'", 900)
        assert "2 clips" in tab.text("#sentence")
        assert tab.violations() == []
    described = json.loads((draft.folder.parents[2] / "datasets/ann/dataset.json").read_text("utf-8"))
    assert described["rights"]["consent"] == "Read for <i>LibriVox</i>."


@needs_browser
@pytest.mark.exhaustive
def test_recordings_without_text_are_recognised(server: Server, draft: Draft, tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    with Browser(tmp_path / "profile") as browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/new/{draft.record.id}")
        tab.upload("#choose", *(PEOPLE / f"lj/{name}.flac" for name in ("LJ001-0006", "LJ001-0011")))
        tab.wait("document.querySelectorAll('#list li[data-state=done]').length === 2")
        tab.wait("document.getElementById('missing').textContent.startsWith('There is no text yet')")
        assert tab.evaluate("document.getElementById('prepare').disabled")
        tab.click("input[name=recognise][value=yes]")
        tab.wait("!document.getElementById('prepare').disabled")
        assert tab.violations() == []
        tab.follow("#prepare")
        tab.wait("document.getElementById('preparation').dataset.state === 'done'", 900)
        tab.follow("#review")
        assert tab.evaluate("document.querySelectorAll('#list .badge').length") >= 2
        assert "worth mention in passing" in tab.evaluate("document.querySelector('#list textarea').value")
        tab.open(f"{server.url}/studio/review/ann?show=recognised")
        assert tab.text("#count") == "2 of 2"
