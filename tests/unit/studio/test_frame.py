"""Login, sessions, forms of other origins, security headers, static files and error pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.browser import DESKTOP, PHONE, Browser, needs_browser
from tests.unit.serve.conftest import Server, Start
from tests.unit.studio.conftest import TOKENS

from voicemill.settings import REPOSITORY
from voicemill_serve.areas import SESSION_SECONDS, new_session
from voicemill_studio.frame import POLICY
from voicemill_studio.static_files import StaticFiles

pytestmark = pytest.mark.slow

TOKEN, OTHER = TOKENS


def log_in(server: Server, token: str, **arguments: object) -> httpx.Response:
    headers = {"Origin": server.url}
    body = {"token": token, "next": "/studio/"}
    return httpx.post(f"{server.url}/studio/login", data=body, headers=headers, timeout=60, **arguments)


class TestSessions:
    def test_without_a_session_the_form_is_shown(self, guarded: Server) -> None:
        answer = guarded.get("/studio/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/studio/login?next=/studio/")
        assert guarded.get("/studio/api/anything").json()["error"] == "unauthorized"

    def test_a_token_opens_a_session_that_scripts_cannot_read(self, guarded: Server) -> None:
        answer = log_in(guarded, TOKEN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/studio/")
        cookie = answer.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "path=/studio"} <= {part.strip() for part in cookie.split(";")}
        assert TOKEN not in cookie
        assert guarded.get("/studio/", cookies=dict(answer.cookies)).status_code == 200

    def test_a_session_opens_the_pages_and_nothing_else(self, guarded: Server) -> None:
        cookies = dict(log_in(guarded, TOKEN).cookies)
        assert guarded.get("/v1/models", cookies=cookies).status_code == 401
        assert guarded.get("/api/train/jobs", cookies=cookies).status_code == 401

    def test_a_wrong_token_is_refused(self, guarded: Server) -> None:
        answer = log_in(guarded, "a wrong token of some length")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "not one of the server" in answer.text

    @pytest.mark.parametrize("change", ["expiry", "signature", "age", "token", "empty"])
    def test_a_changed_cookie_opens_nothing(self, guarded: Server, change: str) -> None:
        value = new_session(TOKEN)
        expiry, _, signature = value.partition(".")
        value = {
            "expiry": f"{int(expiry) + 9}.{signature}",
            "signature": f"{expiry}.{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
            "age": new_session(TOKEN, now=int(expiry) - 2 * SESSION_SECONDS - 5),
            "token": new_session("a token of no file at all"),
            "empty": ".",
        }[change]
        assert guarded.get("/studio/", cookies={"voicemill_session": value}).status_code == 303

    def test_a_session_outlives_the_server_and_ends_with_its_token(
        self, guarded: Server, start: Start, certified: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "tokens").write_text(f"{TOKEN}\n{OTHER}\n", "utf-8")
        cookies = dict(log_in(guarded, OTHER).cookies)
        second = start(certified, "--token-file", str(tmp_path / "tokens"))
        assert second.get("/studio/", cookies=cookies).status_code == 200
        second.stop()
        (tmp_path / "tokens").write_text(f"{TOKEN}\n", "utf-8")
        third = start(certified, "--token-file", str(tmp_path / "tokens"))
        assert third.get("/studio/", cookies=cookies).status_code == 303

    @pytest.mark.parametrize("target", ["https://example.org/", "//example.org", "/studio/../v1/models", "/v1/models"])
    def test_the_form_leads_into_the_studio_only(self, guarded: Server, target: str) -> None:
        answer = httpx.post(
            f"{guarded.url}/studio/login", data={"token": TOKEN, "next": target}, headers={"Origin": guarded.url}
        )
        assert answer.headers["location"] == "/studio/"


class TestForeignForms:
    @pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1:1", None])
    def test_a_form_of_another_origin_is_refused(self, studio: Server, origin: str | None) -> None:
        headers = {} if origin is None else {"Origin": origin}
        answer = httpx.post(f"{studio.url}/studio/logout", headers=headers)
        assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (403, "foreign_origin")
        assert "text/html" in answer.headers["content-type"]

    def test_a_foreign_host_is_refused(self, studio: Server) -> None:
        answer = studio.get("/studio/", headers={"Host": "example.org"})
        assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (403, "foreign_host")


class TestAnswers:
    def test_the_server_names_the_studio(self, studio: Server) -> None:
        assert studio.started["studio"] == f"{studio.url}/studio/"
        assert studio.get("/", headers={"Accept": "text/html"}).headers["location"] == "/studio/"

    def test_every_answer_has_the_policy(self, studio: Server) -> None:
        for path in ("/studio/", "/studio/nothing", "/studio"):
            assert studio.get(path).headers["content-security-policy"] == POLICY, path

    def test_no_page_has_a_script_or_style_of_its_own(self, studio: Server) -> None:
        for path in ("/studio/", "/studio/nothing"):
            text = studio.get(path).text
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text), path

    def test_an_unknown_page_is_one_sentence(self, studio: Server) -> None:
        answer = studio.get("/studio/<script>alert(1)</script>")
        assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (404, "not_found")
        assert "<script>alert" not in answer.text
        assert "There is no GET /studio/" in answer.text

    def test_text_is_compressed_for_those_who_take_it(self, studio: Server) -> None:
        for path in ("/studio/", StaticFiles().address("studio.css")):
            plain = studio.get(path, headers={"Accept-Encoding": "identity"})
            small = studio.get(path, headers={"Accept-Encoding": "gzip"})
            assert "content-encoding" not in plain.headers
            assert small.headers["content-encoding"] == "gzip"
            assert int(small.headers["content-length"]) < 0.5 * int(plain.headers["content-length"])
            assert small.content == plain.content

    def test_static_files_are_kept_by_their_digest(self, studio: Server) -> None:
        address = StaticFiles().address("studio.css")
        answer = studio.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        digest = address.split("/")[3]
        assert studio.get(address.replace(digest, "0" * 16)).status_code == 404
        assert studio.get(address.replace("studio.css", "../frame.py")).status_code == 404
        assert studio.get(address.replace("studio.css", "%2e%2e/frame.py")).status_code == 404

    def test_who_has_no_session_sends_no_large_body(self, guarded: Server) -> None:
        body = b"token=" + b"a" * 2_000_000
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": guarded.url}
        answer = httpx.post(f"{guarded.url}/studio/login", content=body, headers=kind, timeout=60)
        assert (answer.status_code, answer.headers["x-voicemill-reason"]) == (413, "body_too_large")

    def test_nothing_is_loaded_from_elsewhere(self) -> None:
        for folder in ("templates", "static"):
            for path in (REPOSITORY / "lib/voicemill_studio" / folder).rglob("*"):
                if path.suffix in (".j2", ".js", ".css", ".svg"):
                    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
                    assert not re.search(r"(?:src|href)=.(?:https?:)?//|import .*//|@import|url\(", text), path.name

    def test_vendored_scripts_are_those_of_the_lock(self) -> None:
        script = REPOSITORY / "scripts/vendor_javascript.py"
        assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0

    def test_no_studio(self, start: Start, certified: Path) -> None:
        server = start(certified, "--no-studio")
        assert server.get("/studio/").status_code == 404
        assert "studio" not in server.started


@pytest.mark.slow
@needs_browser
class TestInABrowser:
    def test_log_in_and_out(self, browser: Browser, guarded: Server) -> None:
        tab = browser.tab()
        tab.open(f"{guarded.url}/studio/")
        assert tab.path.startswith("/studio/login")
        assert tab.violations() == []
        tab.fill("#token", "not the right one at all")
        tab.follow("text=Log in")
        assert "not one of the server" in tab.text()
        assert tab.violations() == []
        tab.fill("#token", TOKEN)
        tab.follow("text=Log in")
        assert tab.path == "/studio/"
        assert tab.evaluate("document.cookie") == ""
        tab.follow("text=Log out")
        tab.open(f"{guarded.url}/studio/")
        assert tab.path.startswith("/studio/login")

    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_the_error_page(self, browser: Browser, studio: Server, size: tuple[int, int], dark: bool) -> None:
        browser.tab(size, dark=dark).check_page(f"{studio.url}/studio/nothing")
