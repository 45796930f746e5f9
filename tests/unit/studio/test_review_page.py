"""The review in a real browser: words, edges, pronunciation, text, undo, and edits that survive a reload."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from tests.browser import PHONE, Browser, needs_browser
from tests.unit.serve.conftest import Server

from voicemill.dataset import edits
from voicemill.settings import REPOSITORY

pytestmark = pytest.mark.slow

PEOPLE = REPOSITORY / "tests/data/people"
EVIL = "<img src=x onerror=alert(1)> resemblance"
TEXTS = {
    "arctic_b0208": "You read the quotations in today's paper.",
    "arctic_a0144": "But there was something even more startling about this resemblance.",
    "arctic_b0236": "Oolong was two hundred and fifty miles from the nearest land.",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a dataset of two clips, and one that was left out."""
    base = tmp_path_factory.mktemp("review")
    (base / "clips").mkdir()
    for name, text in TEXTS.items():
        (base / f"clips/{name}.flac").write_bytes((PEOPLE / f"kathleen/{name}.flac").read_bytes())
        (base / f"clips/{name}.txt").write_text(text, encoding="utf-8")
    samples, rate = soundfile.read(PEOPLE / "kathleen/arctic_b0236.flac", dtype="float32")
    noise = 0.03 * np.random.default_rng(1).standard_normal(len(samples))
    soundfile.write(base / "clips/arctic_b0236.flac", samples + noise, rate)
    app = REPOSITORY / "apps/voice-prep/voice-prep.py"
    argv = [sys.executable, str(app), "--voice", "ann", "--audio", str(base / "clips"), "--workers", "1"]
    options = ["--no-report", "--separate", "never", "--no-check-words"]
    folders = {"WORK_DIR": str(base / "work"), "CACHE_DIR": str(base / "cache"), "OMP_NUM_THREADS": "1"}
    subprocess.run([*argv, *options], check=True, env={**os.environ, **folders}, capture_output=True)
    return base


def test_the_page_and_its_sounds(server: Server) -> None:
    assert "ann" in server.get("/studio/review").text
    page = server.get("/studio/review/ann")
    assert page.status_code == 200
    assert "<code>noisy</code>" in page.text
    sound = page.text.split('data-src="')[1].split('"')[0]
    assert server.get(sound).content[:4] == b"RIFF"
    assert server.get(sound, headers={"Range": "bytes=0-3"}).status_code == 206
    for path in ("..%2f..%2fdataset.json", "dataset.json", "clips/../dataset.json", "clips/nothing.wav"):
        assert server.get(f"/studio/review/ann/sound/{path}").status_code == 404
    assert server.get("/studio/review/bob").status_code == 404
    assert server.get("/studio/review/..%2f..%2fetc").status_code in (400, 404)


@pytest.mark.parametrize(
    ("query", "clips"),
    [("?find=quotations", 1), ("?find=nowhere", 0), ("?show=edited", 0), ("?page=2", 0), ("?sort=-seconds", 2)],
)
def test_search_and_pages(server: Server, query: str, clips: int) -> None:
    page = server.get(f"/studio/review/ann{query}&reason=%3Cb%3E").text
    assert page.count('<li class="clip"') == clips
    assert "<b>" not in page.split('id="find"')[1].split("</form>")[0]


def test_decisions_need_the_page_and_the_dataset(server: Server) -> None:
    address, origin = f"{server.url}/studio/api/review/ann", {"Origin": server.url}
    decision = {"dataset": "0" * 64, "clip": "ann_0001", "text": "x"}
    assert httpx.post(address, json=decision).status_code == 403
    answer = httpx.post(address, json=decision, headers=origin)
    assert (answer.status_code, answer.json()["error"]) == (409, "dataset_changed")
    answer = httpx.post(address, content=b"{", headers=origin)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_usage")


@pytest.mark.slow
@needs_browser
def test_decisions_survive_a_reload_and_can_be_undone(server: Server, work: Path, tmp_path: Path) -> None:
    root = work / "work/datasets/ann"
    with Browser(tmp_path / "profile") as browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/review/ann?sort=seconds")
        tab.wait("document.querySelectorAll('.clip').length === 2")
        assert tab.violations() == []
        tab.click(".clip .word")
        tab.wait("document.querySelector('.clip').matches('.playing, .paused')")
        tab.fill(".clip textarea", EVIL)
        tab.click(".clip .save")
        tab.wait("document.querySelector('.clip .status').textContent.startsWith('was: ')")
        tab.click(".clip .finer summary")
        tab.evaluate(
            "(() => { const slider = document.querySelector('.clip .edge'); slider.value = 0.05;"
            " slider.dispatchEvent(new Event('input', {bubbles: true})); return 0; })()"
        )
        tab.click(".clip .save-edges")
        tab.wait("document.querySelector('.clip .status').textContent.includes('edges moved')")
        tab.fill(".clip .phones", "R IY1 D")
        tab.click(".clip .save-phones")
        tab.wait("document.querySelector('.clip .status').textContent.includes('pronunciation of')")
        assert tab.violations() == []
        (edit,) = edits.read(root)
        assert edit.text == EVIL
        assert edit.moved_start == pytest.approx(edit.start + 0.05, abs=0.002)
        assert list((edit.pronunciations or {}).values()) == ["R IY D"]
        tab.open(f"{server.url}/studio/review/ann?show=edited")
        tab.wait("document.querySelector('.clip .status').textContent.includes('edges moved')")
        assert tab.evaluate("document.querySelector('.clip textarea').value") == EVIL
        assert tab.evaluate("document.querySelector('.clip img[src=x]')") is None
        tab.click("#rejected .restore")
        tab.wait("document.querySelector('#rejected .status').textContent.includes('will be restored')")
        for count in (3, 2, 1, 0):
            tab.click("#back")
            tab.wait(f"JSON.parse(sessionStorage.getItem(sessionStorage.key(0))).length === {count}")
        assert edits.read(root) == ()
        assert tab.evaluate("document.getElementById('back').disabled")
        tab.resize(PHONE, dark=True)
        assert not tab.is_too_wide()
        assert tab.bytes_loaded() < 300_000
        assert tab.violations() == []
