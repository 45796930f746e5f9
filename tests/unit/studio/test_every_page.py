"""Every page of the studio in a real browser: accessible, below 300 kB, not wider than the screen, in both themes."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.routing import Route
from tests.browser import DESKTOP, PHONE, Browser, needs_browser
from tests.unit.serve.conftest import certify, end, publish, start_server

from voicemill.workspace import Workspace
from voicemill_serve.application import create_services
from voicemill_serve.guard import AccessLog
from voicemill_serve.job_store import JobStore, ScriptJob
from voicemill_serve.settings import ServeSettings
from voicemill_studio import application
from voicemill_studio.draft_store import DraftStore
from voicemill_studio.overview import TRAINING
from voicemill_studio.session_store import SessionStore
from voicemill_studio.train import TrainingRequest

if TYPE_CHECKING:
    from voicemill.dataset.prepared import PreparedDataset

pytestmark = [pytest.mark.slow, needs_browser]
EVIL = "<img src=x onerror=alert(1)>"
NO_PAGES = ("/studio/api/", "/static/", "/sound/", "/sounds/", "/takes/", "/export", "/content")
"""Parts of the addresses that are no pages. The form to log in is tested in test_frame.py."""


@pytest.fixture(scope="module")
def full(
    certified: Path, made: Path, prepared: PreparedDataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A server with something on every page: the address of each by the template of its route."""
    base = tmp_path_factory.mktemp("full")
    work = base / "work"
    shutil.copytree(certified, work / "bundles")
    shutil.copytree(prepared.root, work / "datasets/demo")
    certify(publish(made, work / "bundles", "demo", EVIL))
    publish(made, work / "candidates", "demo", EVIL)
    (work / "reports").mkdir()
    (work / "reports/demo.html").write_text("<!doctype html><title>Report</title><h1>Report</h1>", "utf-8")
    draft = DraftStore(work / "studio/drafts").create("ann")
    draft.uploads.create(f"{EVIL}.wav", 1000)
    session = SessionStore(work / "studio/sessions").create("ann", EVIL, ("The boy hid the letter.",), 1)
    store = JobStore(work / "jobs")
    asked = asdict(TrainingRequest("demo", EVIL, "smoke"))
    facts = {"voice": "demo", "request": asked}
    store.add(ScriptJob("failed", TRAINING, "error", "Training failed", 1000, 9000, metadata=facts, logs=[EVIL]))
    store.add(ScriptJob("prep", "voice-prep", "done", "", 1000, 9000, metadata={"voice": "ann"}, logs=[EVIL]))
    server = start_server(work / "bundles", work, "--uncertified", CACHE_DIR=str(base / "cache"))
    ask = {"rater": EVIL, "sentences": "Good morning.", "first": "demo@new", "second": "demo"}
    begun = [
        httpx.post(f"{server.url}/studio/listening-tests", data=ask, headers={"Origin": server.url}, timeout=120)
        for _ in range(2)
    ]
    question, result = (answer.headers["location"] for answer in begun)
    httpx.post(f"{server.url}{result}", data={"number": "0", "answer": "a"}, headers={"Origin": server.url})
    yield {
        "server": server.url,
        "/studio/": "/studio/",
        "/studio/voices/{voice}": "/studio/voices/demo",
        "/studio/voices/{voice}/delete": "/studio/voices/demo/delete",
        "/studio/voices/{voice}/reports/{kind}": "/studio/voices/demo/reports/voice",
        "/studio/new": "/studio/new",
        "/studio/new/{draft}": f"/studio/new/{draft.record.id}",
        "/studio/record": "/studio/record",
        "/studio/record/{session}": f"/studio/record/{session.record.id}",
        "/studio/preparation/{job}": "/studio/preparation/prep",
        "/studio/review": "/studio/review",
        "/studio/review/{voice}": "/studio/review/demo",
        "/studio/train": "/studio/train?voice=demo",
        "/studio/train/{job}": "/studio/train/failed",
        "/studio/listen": "/studio/listen",
        "/studio/listening-tests": "/studio/listening-tests",
        "/studio/listening-tests/{test}": question,
        "result": result,
        "/studio/check": "/studio/check",
        "error": "/studio/voices/nobody",
    }
    end(server)


def test_no_page_is_forgotten(full: dict[str, str], tmp_path: Path) -> None:
    services = create_services(ServeSettings((tmp_path,), tmp_path), AccessLog(io.StringIO()))
    found = {
        re.sub(r":\w+\}", "}", route.path)
        for route in application.routes(services, Workspace(tmp_path, tmp_path))
        if isinstance(route, Route) and "GET" in (route.methods or ())
    }
    services.pool.shutdown()
    pages = {path for path in found if not any(part in path for part in NO_PAGES)}
    assert pages - {"/", "/studio", "/studio/login"} == set(full) - {"server", "result", "error"}


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        (DESKTOP, False),
        (PHONE, True),
        pytest.param(DESKTOP, True, marks=pytest.mark.exhaustive),
        pytest.param(PHONE, False, marks=pytest.mark.exhaustive),
    ],
)
def test_every_page(browser: Browser, full: dict[str, str], size: tuple[int, int], dark: bool) -> None:
    tab = browser.tab(size, dark=dark)
    for name, address in full.items():
        if name == "server":
            continue
        tab.open(full["server"] + address)
        assert tab.violations() == [], name
        assert not tab.is_too_wide(), name
        assert tab.bytes_loaded() < 300_000, name
        assert tab.evaluate("document.querySelector('img[src=x]')") is None, name
        assert tab.evaluate("document.querySelectorAll('h1').length") == 1, name
