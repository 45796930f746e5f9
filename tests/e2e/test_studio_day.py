"""A day in the studio, in a real browser: train, follow, stop and go on, listen, judge, verify, sign, promote, put back."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser import PHONE, Browser, Tab, needs_browser
from tests.unit.serve.conftest import Server, end, start_server

if TYPE_CHECKING:
    from voicemill.dataset.prepare import PreparedDataset

pytestmark = [needs_browser, pytest.mark.exhaustive, pytest.mark.timeout(3000)]
HOURS = 2400.0
"""Seconds for a training on a busy machine."""


class Studio:
    """A server on one home, which can be killed and started again; browsers keep their address."""

    def __init__(self, base: Path) -> None:
        self.base, self.work = base, base / "work"
        self.server: Server | None = None
        self._port = "0"

    def start(self) -> str:
        environment = {"CACHE_DIR": str(self.base / "cache"), "TORCH_DEVICE": "cpu"}
        options = ("--uncertified", "--port", self._port)
        self.server = start_server(self.work / "bundles", self.work, *options, **environment)
        self._port = str(self.server.started["port"])
        return self.server.url

    def kill(self) -> None:
        assert self.server is not None
        self.server.stop(signal.SIGKILL)
        end(self.server)


@pytest.fixture
def studio(prepared: PreparedDataset, tmp_path: Path) -> Iterator[Studio]:
    """A home with the prepared voice demo."""
    found = Studio(tmp_path)
    shutil.copytree(prepared.root, found.work / "datasets/demo")
    (found.work / "bundles").mkdir()
    yield found
    if found.server is not None:
        end(found.server)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as found:
        yield found


def train(tab: Tab, url: str, name: str) -> None:
    tab.open(f"{url}/studio/voices/demo")
    tab.follow("text=Train")
    tab.click("input[value=smoke]")
    tab.fill("#display_name", name)
    tab.fill("#max_steps", "12")
    tab.follow("text=Start training")


def test_a_day(studio: Studio, browser: Browser) -> None:
    url = studio.start()
    tab, other = browser.tab(), browser.tab(PHONE, dark=True)

    # Two people look at the same training; the server is killed in the middle of it.
    train(tab, url, "Demo")
    other.open(url + tab.path)
    tab.wait("document.getElementById('progress').value >= 20", HOURS)
    tab.open(url + tab.path)
    assert tab.violations() == []
    studio.kill()
    tab.wait("!document.getElementById('trouble').hidden")
    assert studio.start() == url
    for each in (tab, other):
        each.wait("document.body.innerText.includes('trained, measured and promoted')", HOURS)
        assert each.violations() == []
    assert tab.evaluate("document.querySelector('iframe[title=\"Voice report\"]') !== null")

    # Listen, and judge.
    tab.follow("text=Listen")
    tab.fill("#text", "Good morning.")
    tab.click("text=Speak")
    tab.wait("document.querySelectorAll('#takes audio').length === 1")
    other.open(f"{url}/studio/listening-tests")
    other.fill("#rater", "Ann")
    other.fill("#sentences", "Good morning.")
    other.follow("text=Begin")
    other.open(url + other.path)  # reloaded in the middle
    other.click("input[value='2']")
    other.follow("text=Next")
    assert "1 answer of 1 rater" in other.text()

    # Verify: a voice of the preset smoke cannot be certified, and the page says so in one sentence.
    tab.open(f"{url}/studio/voices/demo")
    assert "NO-GO" in tab.text("#release ~ .scroll, section[aria-labelledby=release]")
    tab.follow("text=Certify")
    assert "is not certified" in tab.text("[role=alert]")
    tab.open(f"{url}/studio/voices/demo")
    tab.follow("text=Sign")
    assert "The voice is signed." in tab.text()
    first = json.loads((studio.work / "bundles/demo/voice_bundle/manifest.json").read_text("utf-8"))

    # Train again, stop, go on: the first voice is kept, and put back.
    train(tab, url, "Demo 2")
    tab.wait("document.getElementById('progress').value >= 20", HOURS)
    tab.follow("text=Stop")
    tab.wait("document.body.innerText.includes('Go on')", HOURS)
    tab.follow("text=Go on")
    tab.wait("document.body.innerText.includes('trained, measured and promoted')", HOURS)
    tab.follow("text=The voice")
    assert "Demo 2" in tab.text("h1")
    tab.follow("text=Put back")
    assert "The kept version is the voice again." in tab.text()
    assert json.loads((studio.work / "bundles/demo/voice_bundle/manifest.json").read_text("utf-8")) == first
    tab.follow("text=Compare")
    tab.click("text=Speak")
    tab.wait("document.querySelectorAll('#takes audio').length === 2")
    assert tab.violations() == []
