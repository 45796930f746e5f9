"""A whole day of two people in the studio, in a real browser with a microphone that plays recordings of people.

Ann records on a computer. Ben uploads on a phone, and both voices are prepared. Ben's is reviewed, trained, listened to,
verified, promoted by the page's button, certified in vain, signed, replaced and put back. Every page is loaded again in
its middle, and the server is killed in the middle of the upload and of the training.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import PHONE, Browser, Tab, needs_browser
from tests.microphone import FIRST, SECOND, microphone, open_microphone, record_until_good
from tests.unit.serve.conftest import Server, end, start_server

from voicemill.bundle.promote import promote
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED

pytestmark = [needs_browser, pytest.mark.exhaustive, pytest.mark.timeout(3000)]
HOURS = 2400.0
"""Seconds for a training on a busy machine."""


class Studio:
    """A server on one home, which can be killed and started again; browsers keep their address."""

    def __init__(self, base: Path) -> None:
        self.base, self.work = base, base / "work"
        self.server: Server | None = None
        self.url = ""
        self._port = "0"

    def start(self) -> str:
        environment = {"CACHE_DIR": str(self.base / "cache"), "TORCH_DEVICE": "cpu"}
        options = ("--uncertified", "--port", self._port)
        self.server = start_server(self.work / "bundles", self.work, *options, **environment)
        self._port = str(self.server.started["port"])
        self.url = self.server.url
        return self.url

    def kill(self) -> None:
        assert self.server is not None
        self.server.stop(signal.SIGKILL)
        end(self.server)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """An empty home."""
    found = Studio(tmp_path)
    (found.work / "bundles").mkdir(parents=True)
    yield found
    if found.server is not None:
        end(found.server)


def test_a_day(studio: Studio, tmp_path: Path, piece_audio: Path, sentences: tuple[str, ...]) -> None:
    sound = microphone(tmp_path / "microphone.wav", [FIRST[0], SECOND[0]], 12)
    with Browser(tmp_path / "profile", microphone=sound) as browser:
        url = studio.start()
        ann, ben = browser.tab(), browser.tab(PHONE, dark=True)
        begin_an_upload(ben, url, piece_audio)
        record_a_sentence(ann, url)
        studio.kill()
        ben.evaluate("window.release(); 0")
        ben.wait("document.getElementById('list').textContent.includes('does not answer')")
        assert studio.start() == url
        finish_the_upload(ben, studio, piece_audio, sentences)
        finish_the_recording(ann, url)
        prepare_both(ann, ben, studio)
        review(ben, studio, sentences)
        train(ann, ben, studio)
        listen(ann, ben, url)
        verify_and_promote(ann, studio)
        put_back(ann, studio)


def begin_an_upload(tab: Tab, url: str, recording: Path) -> None:
    """The second part does not leave before `release` is called."""
    tab.open(f"{url}/studio/")
    tab.follow("text=New voice")
    tab.fill("#voice", "demo")
    tab.follow("text=Add recordings")
    tab.evaluate(
        "const real = window.fetch; let parts = 0; const wait = new Promise(done => { window.release = done; });"
        "window.fetch = async (path, options) => { if ((options || {}).method === 'PUT' && (parts += 1) === 2) await wait;"
        " return real(path, options); }; 0"
    )
    tab.upload("#choose", recording)
    tab.wait("parts === 2")
    assert tab.violations() == []


def finish_the_upload(tab: Tab, studio: Studio, recording: Path, sentences: tuple[str, ...]) -> None:
    """The page is loaded again in the middle, and the same file is chosen again."""
    tab.evaluate("window.fetch = () => new Promise(() => {}); 0")  # nothing more leaves before the reload
    tab.open(studio.url + tab.path)
    tab.wait("document.querySelector('#list li')")
    tab.upload("#choose", recording)
    tab.wait("document.querySelector('#list li[data-state=done]')")
    (stored,) = (studio.work / "studio/drafts").glob("*/files/*.data")
    assert stored.read_bytes() == recording.read_bytes()
    tab.fill("#words", "\n".join(sentences))
    tab.click("#add-words")
    tab.fill("#consent", "Synthetic speech of the demo.")
    tab.wait("!document.getElementById('prepare').disabled")
    assert tab.violations() == []


def record_a_sentence(tab: Tab, url: str) -> None:
    tab.open(f"{url}/studio/record")
    tab.fill("#speaker", "Ann Smith")
    tab.fill("#voice", "ann")
    tab.click("text=Read a text of your own")
    tab.fill("#sentences", f"{FIRST[1]}\n{SECOND[1]}\nThe boy hid the letter.")
    tab.follow("text=Begin")
    open_microphone(tab)
    tab.press("ArrowRight")
    record_until_good(tab, 1)
    assert tab.violations() == []


def finish_the_recording(tab: Tab, url: str) -> None:
    """The page is loaded again, and goes on with the second sentence."""
    tab.open(url + tab.path)
    tab.wait("document.getElementById('total').textContent.startsWith('1 of 3')")
    open_microphone(tab)
    record_until_good(tab, 2)
    tab.evaluate("document.querySelector('#list button').click(); document.activeElement.blur(); 0")
    # There is no recording of a person who reads the statement: another sentence is refused, and kept by decision.
    tab.press(" ")
    tab.wait("document.getElementById('verdict').classList.contains('wrong')")
    tab.press("k")
    tab.wait("document.getElementById('mark').textContent === 'kept'")


def prepare_both(ann: Tab, ben: Tab, studio: Studio) -> None:
    ben.follow("#prepare")
    ann.follow("#prepare")
    for tab, clips in ((ben, 7), (ann, 2)):
        tab.open(studio.url + tab.path)
        tab.wait("document.getElementById('preparation').dataset.state === 'done'", HOURS)
        assert f"{clips} clips" in tab.text("#sentence")
        assert tab.violations() == []
    described = json.loads((studio.work / "datasets/ann/dataset.json").read_text("utf-8"))
    assert "Ann Smith" in described["rights"]["consent"]


def review(tab: Tab, studio: Studio, sentences: tuple[str, ...]) -> None:
    """A text is corrected, is still there after a reload, and in the dataset that is prepared again."""
    tab.follow("#review")
    corrected = sentences[0].rstrip(".") + "!"
    first = f"document.querySelector('#list textarea').value === {json.dumps(sentences[0])}"
    assert tab.evaluate(first), "clips are in the order of the recording"
    tab.fill("#list textarea", corrected)
    tab.click("#list .save")
    tab.wait("document.getElementById('pending').textContent.startsWith('1 decision')")
    tab.open(studio.url + tab.path)
    assert tab.evaluate("document.querySelector('#list textarea').value") == corrected
    assert tab.violations() == []
    tab.follow("#again")
    tab.wait("document.getElementById('preparation').dataset.state === 'done'", HOURS)
    assert corrected in (studio.work / "datasets/demo/manifest.jsonl").read_text("utf-8")


def train(ann: Tab, ben: Tab, studio: Studio) -> None:
    """Two people follow one training; the server is killed in its middle, and it is stopped and goes on."""
    url = studio.url
    ben.open(f"{url}/studio/voices/demo")
    ben.follow("a[href='/studio/train?voice=demo']")
    assert "about" in ben.text("form.panel"), "the time that it takes"
    ben.click("input[value=smoke]")
    ben.click("input[value=later]")
    ben.fill("#display_name", "Demo")
    ben.fill("#max_steps", "12")
    ben.follow("text=Start training")
    ann.open(url + ben.path)
    ben.wait("document.getElementById('progress').value >= 20", HOURS)
    studio.kill()
    ben.wait("!document.getElementById('trouble').hidden")
    assert studio.start() == url
    ben.wait("document.getElementById('trouble').hidden")
    ben.open(url + ben.path)
    assert ben.violations() == []
    ben.follow("text=Stop")
    ben.wait("document.body.innerText.includes('Go on')", HOURS)
    ann.wait("document.body.innerText.includes('Go on')")
    ben.follow("text=Go on")
    ben.wait("document.body.innerText.includes('trained and measured')", HOURS)
    assert ben.violations() == []
    assert ben.evaluate("document.querySelector('iframe[title=\"Voice report\"]') !== null")
    assert not (studio.work / "bundles/demo").exists(), "it waits"


def listen(ann: Tab, ben: Tab, url: str) -> None:
    """One person listens, while another one judges without knowing the voice."""
    ben.follow("main a[href^='/studio/listen?voice=demo']")
    ben.open(url + ben.path)
    ben.fill("#text", "Good morning.")
    ben.click("text=Speak")
    ben.wait("document.querySelectorAll('#takes audio').length === 1")
    assert ben.violations() == []
    ann.open(f"{url}/studio/listening-tests?voice=demo@new")
    ann.fill("#rater", "Ann")
    ann.fill("#sentences", "Good morning.")
    ann.follow("text=Begin")
    ann.open(url + ann.path)
    ann.click("input[value='2']")
    ann.follow("text=Next")
    assert "1 answer of 1 rater" in ann.text()


def verify_and_promote(tab: Tab, studio: Studio) -> None:
    """The bundle verifies, so the button promotes it; a voice of the preset smoke cannot be certified."""
    url = studio.url
    tab.open(f"{url}/studio/voices/demo")
    assert "to be promoted" in tab.text("header")
    assert "Checklist of the new bundle" in tab.text("section[aria-labelledby=release]")
    tab.open(url + tab.path)
    tab.follow("text=Promote")
    assert "The bundle is promoted." in tab.text()
    assert (studio.work / "bundles/demo/voice_bundle/manifest.json").is_file()
    assert "1 answer of 1 rater" in tab.text("section[aria-labelledby=opinion]")
    assert "NO-GO" in tab.text("section[aria-labelledby=release]")
    tab.follow("text=Certify")
    assert "is not certified" in tab.text("[role=alert]")
    tab.open(f"{url}/studio/voices/demo")
    tab.follow("text=Sign")
    assert "The voice is signed." in tab.text()
    tab.follow("text=Keep the version of today")
    assert tab.violations() == []


def put_back(tab: Tab, studio: Studio) -> None:
    """The next promotion replaces the voice; the kept version is put back, and both speak side by side."""
    manifest = studio.work / "bundles/demo/voice_bundle/manifest.json"
    first = manifest.read_bytes()
    built = studio.work / "checkpoints/prod_tts_voice_bundle/manifest.json"
    promote(built, studio.work / "bundles", "demo", "Demo 2", allowlist=REPOSITORY / SHIPPED, base=studio.work)
    tab.open(f"{studio.url}/studio/voices/demo")
    assert "Demo 2" in tab.text("h1")
    tab.follow("text=Put back")
    assert "The kept version is the voice again." in tab.text()
    assert manifest.read_bytes() == first
    tab.follow("text=Compare")
    tab.click("text=Speak")
    tab.wait("document.querySelectorAll('#takes audio').length === 2")
    assert tab.violations() == []
