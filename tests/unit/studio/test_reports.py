"""Reports in a frame without rights: whatever is in them, they cannot touch the studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import Browser, needs_browser
from tests.unit.serve.conftest import Server, end, start_server

from voicemill_studio.reports import POLICY

HOSTILE = """<!doctype html><title>report</title><p id=ran></p><script>
document.getElementById("ran").textContent = "ran";
const tried = [];
for (const [name, attempt] of Object.entries({
  page: () => { parent.document.title = "taken"; },
  cookies: () => { document.cookie = "voicemill_session=1"; },
  storage: () => { localStorage.setItem("a", "b"); },
  leave: () => { top.location = "about:blank"; },
})) { try { attempt(); tried.push(name); } catch { } }
fetch("/studio/api/train/x").then(() => tried.push("fetch"), () => {})
  .finally(() => parent.postMessage({ report: true, tried }, "*"));
</script>"""


@pytest.fixture(scope="module")
def server(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose voice anna has a hostile report."""
    work = tmp_path_factory.mktemp("reports") / "work"
    (work / "reports").mkdir(parents=True)
    (work / "reports/anna.html").write_text(HOSTILE, "utf-8")
    found = start_server(certified, work)
    yield found
    end(found)


@pytest.mark.slow
def test_a_report_has_its_own_policy(server: Server) -> None:
    answer = server.get("/studio/voices/anna/reports/voice/content")
    assert answer.headers["content-security-policy"] == POLICY
    assert "sandbox" in POLICY
    assert server.get("/studio/voices/anna/reports/training").status_code == 404
    assert server.get("/studio/voices/..%2f..%2fetc/reports/voice/content").status_code == 404


@pytest.mark.slow
@needs_browser
def test_a_hostile_report_reaches_nothing(tmp_path: Path, server: Server) -> None:
    browser = Browser(tmp_path / "profile")
    with browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/")
        tab.evaluate("0")
        tab.call(
            "Page.addScriptToEvaluateOnNewDocument",
            source="addEventListener('message', event => { if (event.data.report) window.told = event.data.tried })",
        )
        tab.open(f"{server.url}/studio/voices/anna/reports/voice")
        tab.wait("window.told")
        assert tab.evaluate("window.told") == []
        assert tab.evaluate("document.title").startswith("Voice report")
        assert tab.path == "/studio/voices/anna/reports/voice"
        assert tab.violations() == []
        tab.problems.clear()  # what the report tried is reported as blocked
