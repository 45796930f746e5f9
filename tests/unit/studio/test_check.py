"""The page that examines a sound."""

from __future__ import annotations

import httpx
from tests.unit.serve.conftest import LONG, Server

from voicemill.settings import REPOSITORY

ADDRESS = "/studio/check"


def check(studio: Server, name: str, data: bytes) -> httpx.Response:
    """Send the form as a browser does."""
    headers = {"Origin": studio.url}
    return httpx.post(studio.url + ADDRESS, files={"file": (name, data)}, headers=headers, timeout=60)


def test_speech_of_a_voice(studio: Server) -> None:
    page = check(studio, "<b>.wav", studio.post("/speak", {"text": LONG}).content)
    assert page.status_code == 200
    assert "Marked as synthetic speech" in page.text
    assert "anna (claimed)" in page.text
    assert "claimed, signer not trusted" in page.text
    assert "&lt;b&gt;.wav" in page.text


def test_a_person(studio: Server) -> None:
    recording = next((REPOSITORY / "tests/data/people/lj").glob("*.flac"))
    page = check(studio, "lj.flac", recording.read_bytes())
    assert page.status_code == 200
    assert "Not marked" in page.text


def test_what_is_no_sound_is_an_error_page(studio: Server) -> None:
    page = check(studio, "a.wav", b"no sound")
    assert page.status_code == 400
    assert "<h1>" in page.text
    assert check(studio, "a.wav", b"").status_code == 400
