"""Recording in a real browser whose microphone plays recordings of people: verdicts, consent, and a prepared dataset."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from tests.browser import PHONE, Browser, needs_browser
from tests.microphone import FIRST, PEOPLE, SECOND, microphone, open_microphone, record_until_good
from tests.unit.serve.conftest import Server

from voicemill import files
from voicemill_studio.session_store import CONSENT_TEXT, RecordingSession, SessionStore

pytestmark = [pytest.mark.slow, needs_browser]
PREPARATION = 900.0
"""Seconds after which one that hangs fails."""
MARK = "document.getElementById('mark').textContent"


@pytest.fixture
def session(server: Server, work: Path) -> RecordingSession:
    """A session with two sentences of which there are recordings, and a third one."""
    store = SessionStore(work / "work/studio/sessions")
    return store.create("ann", "Ann <b>Smith</b>", (FIRST[1], SECOND[1], "The boy hid the letter."), 1)


def post_take(server: Server, session: RecordingSession, number: int, name: str, **query: str) -> dict[str, object]:
    """Send a recording as a take, with a room around it."""
    samples, rate = soundfile.read(PEOPLE / f"{name}.flac", dtype="float32")
    quiet = (10 ** (-66 / 20) * np.random.default_rng(2).standard_normal(rate // 2)).astype(np.float32)
    path = session.folder / "sent.wav"
    soundfile.write(path, np.concatenate((quiet, samples, quiet)), rate, subtype="PCM_16")
    address = f"{server.url}/studio/api/sessions/{session.record.id}/takes/{number}"
    answer = httpx.post(address, content=path.read_bytes(), headers={"Origin": server.url}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_sentence_is_recorded_judged_and_there_after_a_reload(
    server: Server, session: RecordingSession, tmp_path: Path
) -> None:
    sound = microphone(tmp_path / "microphone.wav", [FIRST[0]], 20)
    with Browser(tmp_path / "profile", microphone=sound) as browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/record/{session.record.id}")
        assert tab.violations() == []
        open_microphone(tab)
        assert CONSENT_TEXT in tab.text("#sentence")
        tab.press("ArrowRight")
        assert tab.text("#sentence").strip() == FIRST[1]
        record_until_good(tab, 1)
        assert tab.text("#verdict").startswith("Good.")
        assert tab.violations() == []
        tab.open(f"{server.url}/studio/record/{session.record.id}")
        tab.wait("document.getElementById('total').textContent.startsWith('1 of 3')")
        tab.resize(PHONE, dark=True)
        assert tab.violations() == []
        assert not tab.is_too_wide()
        assert tab.bytes_loaded() < 300_000
    take = session.states()[1].used
    assert take is not None
    info = soundfile.info(take.path)
    assert info.samplerate in (44_100, 48_000), "the rate of the browser's microphone"
    assert info.channels == 1
    assert take.record.sha256 == files.sha256_file(take.path)


def test_a_wrong_sentence_names_its_words(server: Server, session: RecordingSession) -> None:
    found = post_take(server, session, 1, SECOND[0])
    (take,) = found["takes"]  # type: ignore[misc]
    assert (take["good"], found["used"]) == (False, None)
    assert [fault["reason"] for fault in take["verdict"]["faults"]] == ["other_text"]
    sound = httpx.get(server.url + take["sound"])
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    part = httpx.get(server.url + take["sound"], headers={"Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("takes/1", b"no sound", 400, "audio_unreadable"),
        ("takes/9", b"no sound", 404, "sentence_unknown"),
        ("choices/1", b"{", 400, "bad_usage"),
        ("choices/1", b'{"keep": "1"}', 400, "bad_usage"),
        ("choices/1", b'{"keep": 7}', 404, "take_unknown"),
        ("choices/9", b'{"skip": true}', 404, "sentence_unknown"),
    ],
)
def test_what_is_no_take(
    server: Server, session: RecordingSession, path: str, body: bytes, status: int, reason: str
) -> None:
    address = f"{server.url}/studio/api/sessions/{session.record.id}/{path}"
    answer = httpx.post(address, content=body, headers={"Origin": server.url}, timeout=60)
    assert (answer.status_code, answer.json()["error"]) == (status, reason)
    unknown = httpx.get(f"{server.url}/studio/api/sessions/{'0' * 16}")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "session_unknown")


def test_a_session_can_be_deleted(server: Server, session: RecordingSession) -> None:
    address = f"{server.url}/studio/record/{session.record.id}/remove"
    assert httpx.post(address).status_code == 403
    assert session.record.id in server.get("/studio/record").text
    answer = httpx.post(address, headers={"Origin": server.url})
    assert (answer.status_code, answer.headers["location"]) == (303, "/studio/record")
    assert not session.folder.exists()
    assert httpx.post(address, headers={"Origin": server.url}).status_code == 404


@pytest.mark.exhaustive
def test_two_sentences_and_the_consent_become_a_dataset(
    server: Server, session: RecordingSession, work: Path, tmp_path: Path
) -> None:
    sound = microphone(tmp_path / "microphone.wav", [FIRST[0], SECOND[0]], 12)
    with Browser(tmp_path / "profile", microphone=sound) as browser:
        tab = browser.tab()
        tab.open(f"{server.url}/studio/record/{session.record.id}")
        open_microphone(tab)
        tab.press("ArrowRight")
        record_until_good(tab, 1)
        record_until_good(tab, 2)
        states = session.states()
        assert [state.used is not None for state in states] == [False, True, True, False], states
        assert tab.evaluate("document.getElementById('prepare').disabled")
        # The statement of consent: another sentence is refused, and a person decides to keep the take.
        post_take(server, session, 0, SECOND[0])
        tab.open(f"{server.url}/studio/record/{session.record.id}")
        open_microphone(tab)
        tab.evaluate("document.querySelector('#list button').click(); 0")
        tab.wait("document.getElementById('position').textContent === 'Statement of consent'")
        assert "not what is spoken" in tab.text("#verdict")
        tab.evaluate("document.activeElement.blur()")
        tab.press("k")
        tab.wait(f"{MARK} === 'kept'")
        tab.fill("#licence", "CC0-1.0")
        tab.follow("#prepare")
        tab.wait("document.getElementById('preparation').dataset.state === 'done'", PREPARATION)
        assert "2 clips" in tab.text("#sentence")
        assert tab.violations() == []
        # Another sentence is no consent, and voice-prep says so in one sentence.
        tab.follow("#voice")
        tab.follow("#consent")
        tab.wait("document.getElementById('preparation').dataset.state === 'error'", PREPARATION)
        assert "does not contain the statement" in tab.text("#sentence")
    described = json.loads((work / "work/datasets/ann/dataset.json").read_text("utf-8"))
    consent = session.states()[0].used
    assert consent is not None
    assert described["rights"]["licence"] == "CC0-1.0"
    assert consent.record.sha256 in described["rights"]["consent"]
    assert "Ann <b>Smith</b>" in described["rights"]["consent"]
