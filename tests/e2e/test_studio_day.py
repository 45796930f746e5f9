"""A day in the studio, in a real browser: train, follow, stop and go on, listen, judge, verify, sign, promote, put back."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser import PHONE, Browser, needs_browser
from tests.unit.serve.conftest import Server, end, start_server

from voicemill.bundle.promote import promote
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED

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


def test_a_day(studio: Studio, browser: Browser) -> None:
    url = studio.start()
    tab, other = browser.tab(), browser.tab(PHONE, dark=True)
    tab.open(f"{url}/studio/voices/demo")
    tab.follow("text=Train")
    tab.click("input[value=smoke]")
    tab.fill("#display_name", "Demo")
    tab.fill("#max_steps", "12")
    tab.follow("text=Start training")

    # Two people look at the same training; the server is killed in the middle of it, and the training goes on.
    other.open(url + tab.path)
    tab.wait("document.getElementById('progress').value >= 20", HOURS)
    studio.kill()
    tab.wait("!document.getElementById('trouble').hidden")
    assert studio.start() == url
    tab.wait("document.getElementById('trouble').hidden")
    tab.open(url + tab.path)
    assert tab.violations() == []

    # Stop, and go on from the checkpoint.
    tab.follow("text=Stop")
    tab.wait("document.body.innerText.includes('Go on')", HOURS)
    other.wait("document.body.innerText.includes('Go on')")
    tab.follow("text=Go on")
    tab.wait("document.body.innerText.includes('trained, measured and promoted')", HOURS)
    assert tab.violations() == []
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
    other.open(url + other.path)  # loaded again in the middle
    other.click("input[value='2']")
    other.follow("text=Next")
    assert "1 answer of 1 rater" in other.text()

    # Verify: a voice of the preset smoke cannot be certified, and the page says so in one sentence.
    tab.open(f"{url}/studio/voices/demo")
    assert "NO-GO" in tab.text("section[aria-labelledby=release]")
    tab.follow("text=Certify")
    assert "is not certified" in tab.text("[role=alert]")
    tab.open(f"{url}/studio/voices/demo")
    tab.follow("text=Sign")
    assert "The voice is signed." in tab.text()
    tab.follow("text=Keep the version of today")
    assert tab.violations() == []

    # The next promotion replaces it; the kept version is put back.
    manifest = studio.work / "bundles/demo/voice_bundle/manifest.json"
    first = manifest.read_bytes()
    built = studio.work / "checkpoints/prod_tts_voice_bundle/manifest.json"
    promote(built, studio.work / "bundles", "demo", "Demo 2", allowlist=REPOSITORY / SHIPPED, base=studio.work)
    tab.open(f"{url}/studio/voices/demo")
    assert "Demo 2" in tab.text("h1")
    tab.follow("text=Put back")
    assert "The kept version is the voice again." in tab.text()
    assert manifest.read_bytes() == first
    tab.follow("text=Compare")
    tab.click("text=Speak")
    tab.wait("document.querySelectorAll('#takes audio').length === 2")
    assert tab.violations() == []
