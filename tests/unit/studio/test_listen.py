"""Listening: speech with exact times, versions side by side, blind tests whose answers are kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.browser import PHONE, Browser, needs_browser
from tests.unit.serve.conftest import Server, end, start_server

pytestmark = pytest.mark.slow

TEXT = "Good morning. Thank you for listening."


@pytest.fixture(scope="module")
def listening(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose voice anna has a kept version, and its work folder."""
    base = tmp_path_factory.mktemp("listening")
    shutil.copytree(certified, base / "work/bundles")
    server = start_server(base / "work/bundles", base / "work", CACHE_DIR=str(base / "cache"))
    assert post(server, "/studio/voices/anna/keep").status_code == 303
    # Another promotion of the same models: the version that was kept is an older one.
    path = base / "work/bundles/anna/voice_bundle/manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**manifest, "created_at": "2026-11-30T01:02:03Z"}), "utf-8")
    assert post(server, "/studio/voices/anna/certify").status_code == 303
    yield server, base / "work"
    end(server)


def post(server: Server, path: str, **fields: str) -> httpx.Response:
    return httpx.post(server.url + path, data=fields, headers={"Origin": server.url}, timeout=120)


def speak(server: Server, **body: object) -> httpx.Response:
    headers = {"Origin": server.url}
    return httpx.post(f"{server.url}/studio/api/speak", json={"voice": "anna", **body}, headers=headers, timeout=120)


def kept_version(work: Path) -> str:
    (path,) = (work / "versions/anna").glob("*.tar")
    return f"anna@{path.stem}"


class TestSpeech:
    def test_words_have_the_times_of_the_sound(self, listening: tuple[Server, Path]) -> None:
        server, _ = listening
        spoken = speak(server, text=TEXT).json()
        assert [word.lower() for word, _, _ in spoken["words"]] == re.findall(r"\w+", TEXT.lower())
        times = [time for _, start, stop in spoken["words"] for time in (start, stop)]
        assert times == sorted(times)
        assert 0 < times[-1] <= spoken["seconds"]
        slow = speak(server, text=TEXT, speed=0.5).json()
        assert slow["seconds"] > 1.5 * spoken["seconds"]

    def test_downloads(self, listening: tuple[Server, Path]) -> None:
        server, _ = listening
        address = speak(server, text=TEXT).json()["sound"].removesuffix(".wav")
        starts = {
            ".wav": b"RIFF",
            ".flac": b"ID3",  # the signed metadata; the FLAC stream follows it
            ".srt": b"1\n00:00:0",
            ".vtt": b"WEBVTT",
            ".TextGrid": b"File type",
        }
        for suffix, first in starts.items():
            answer = server.get(f"{address}{suffix}?download=1")
            assert answer.content.startswith(first), suffix
            assert (b"c2pa" in answer.content) == (suffix in (".wav", ".flac")), "sounds carry signed metadata"
            assert answer.headers["content-disposition"] == f'attachment; filename="speech{suffix}"'
        assert server.get(f"{address}.exe").status_code == 400
        assert server.get("/studio/sounds/unknown.wav").status_code == 404

    def test_a_kept_version_speaks_too(self, listening: tuple[Server, Path]) -> None:
        server, work = listening
        answer = speak(server, voice=kept_version(work), text=TEXT)
        assert answer.status_code == 200, answer.text
        assert speak(server, voice="anna@20200101T000000Z-000000000000", text=TEXT).status_code == 404

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"text": "  "}, "nothing_to_say"),
            ({"text": "a" * 5000}, "text_too_long"),
            ({"text": TEXT, "speed": 9}, "bad_usage"),
            ({"text": TEXT, "voice": "../anna"}, "voice_unknown"),
            ({"text": TEXT, "more": 1}, "bad_usage"),
        ],
    )
    def test_refusals(self, listening: tuple[Server, Path], body: dict[str, object], reason: str) -> None:
        answer = speak(listening[0], **body)
        assert answer.json()["error"] == reason
        assert 400 <= answer.status_code < 500


class TestListeningTests:
    def begin(self, server: Server, **fields: str) -> str:
        answer = post(server, "/studio/listening-tests", **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def test_scores_are_kept_beside_the_voice(self, listening: tuple[Server, Path]) -> None:
        server, work = listening
        place = self.begin(server, rater="<b>Ann</b>", first="anna", sentences="One.\nTwo.\nThree.")
        assert post(server, place, number="0", answer="9").status_code == 400
        for number, answer in enumerate(("4", "5", "3")):
            assert post(server, place, number=str(number), answer=answer).status_code == 303
        post(server, place, number="2", answer="1")  # sent twice: the second has no effect
        page = server.get(place).text
        assert "<b>Ann</b>" not in page
        assert "<b>4.00</b>" in page
        assert "3 answers of 1 rater" in page
        kept = json.loads((work / "bundles/anna/opinions.json").read_text("utf-8"))["answers"]
        assert sorted(answer["score"] for answer in kept) == [3, 4, 5]
        assert {answer["rater"] for answer in kept} == {"<b>Ann</b>"}
        assert "3 answers of 1 rater" in server.get("/studio/voices/anna").text

    def test_a_comparison_is_blind_and_counts_the_right_side(self, listening: tuple[Server, Path]) -> None:
        server, work = listening
        version = kept_version(work)
        place = self.begin(server, rater="Ben", first="anna", second=version, sentences="One.\nTwo.")
        for number in range(2):
            page = server.get(place).text
            assert "anna" not in page.split("<main")[1]
            assert post(server, place, number=str(number), answer="a").status_code == 303
        kept = json.loads((work / "bundles/anna/opinions.json").read_text("utf-8"))["answers"]
        compared = [answer for answer in kept if answer["rater"] == "Ben"]
        assert len(compared) == 2
        assert {answer["preferred"] for answer in compared} <= {"this", "other"}
        assert all(answer["other"] != answer["bundle"] for answer in compared)
        assert version in server.get("/studio/listening-tests").text

    def test_a_test_may_end_early(self, listening: tuple[Server, Path]) -> None:
        server, work = listening
        place = self.begin(server, rater="Cat", first="anna", sentences="One.\nTwo.")
        post(server, place, number="0", answer="2")
        post(server, place, number="1", end="1")
        assert "Your 1 answer is kept" in server.get(place).text
        kept = json.loads((work / "bundles/anna/opinions.json").read_text("utf-8"))["answers"]
        assert [answer["score"] for answer in kept if answer["rater"] == "Cat"] == [2]

    @pytest.mark.parametrize(
        "fields",
        [
            {"rater": "", "first": "anna", "sentences": "One."},
            {"rater": "Ann", "first": "anna", "second": "anna", "sentences": "One."},
            {"rater": "Ann", "first": "anna", "sentences": ""},
            {"rater": "Ann", "first": "anna", "sentences": "One.\n" * 21},
            {"rater": "Ann", "first": "../anna", "sentences": "One."},
        ],
    )
    def test_refusals(self, listening: tuple[Server, Path], fields: dict[str, str]) -> None:
        assert 400 <= post(listening[0], "/studio/listening-tests", **fields).status_code < 500
        assert listening[0].get("/studio/listening-tests/unknown").status_code == 404


@pytest.mark.slow
@needs_browser
class TestInABrowser:
    def test_words_light_up_while_they_are_spoken(self, browser: Browser, listening: tuple[Server, Path]) -> None:
        server, work = listening
        tab = browser.tab()
        tab.open(f"{server.url}/studio/listen?voice=anna&voice={kept_version(work)}")
        tab.fill("#text", TEXT)
        tab.click("text=Speak")
        tab.wait("document.querySelectorAll('#takes audio').length === 2")
        assert tab.violations() == []
        tab.evaluate(
            "window.lit = []; const p = document.querySelector('#takes audio'); p.playbackRate = 0.5; p.play()"
        )
        tab.wait(
            "(document.querySelector('.lit') && (window.lit.at(-1) === document.querySelector('.lit').textContent ||"
            " window.lit.push(document.querySelector('.lit').textContent)), new Set(window.lit).size >= 3)"
        )
        at = tab.evaluate(
            "(() => { const p = document.querySelector('#takes audio'); p.pause(); p.currentTime = 0; return p.duration })()"
        )
        assert at > 0.5
        tab.click(".spoken-words span:last-child")
        tab.wait("document.querySelector('#takes audio').currentTime > 0.3")

    def test_a_test_with_the_keyboard(self, browser: Browser, listening: tuple[Server, Path]) -> None:
        tab = browser.tab(PHONE, dark=True)
        tab.open(f"{listening[0].url}/studio/listening-tests")
        assert tab.violations() == []
        tab.fill("#rater", "Dora")
        tab.fill("#sentences", "One.")
        tab.follow("text=Begin")
        assert tab.violations() == []
        tab.evaluate("document.querySelector('input[value=\"3\"]').focus()")
        tab.press(" ")
        tab.press("ArrowDown")
        tab.press("Enter")
        tab.wait("document.body.innerText.includes('Thank you, Dora')")
        assert tab.violations() == []
        assert not tab.is_too_wide()
