"""Debian's headless Chromium for tests, driven through Chrome's DevTools protocol over a pipe.

`Browser` starts one Chromium with a profile of its own; `Browser.tab` opens a page in a context without cookies of others.
A tab evaluates JavaScript, waits for conditions, types and clicks with real input events, takes screenshots, and runs
axe-core (`Tab.violations`). The microphone plays a WAV file where one is given.

    with Browser(tmp_path / "profile", microphone=take) as browser:
        tab = browser.tab()
        tab.open(server.url + "/studio/")
        tab.click("text=Record")
        tab.wait("document.querySelector('#verdict').textContent.includes('good')")
        assert tab.violations() == []

Errors of the page's own scripts, and what its content security policy blocked, are in `Tab.problems`; `Tab.close` and the
end of the browser fail the test if there are any.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")
AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
DEADLINE = 90.0
"""Seconds after which a step that hangs fails; no verdict depends on it."""
DESKTOP, PHONE = (1280, 900), (390, 844)


class BrowserError(AssertionError):
    """The browser refused a command, or a condition did not come about."""


class Browser:
    """One Chromium."""

    def __init__(self, profile: Path, *, microphone: Path | None = None) -> None:
        """
        Args:
            profile: a folder that does not exist yet.
            microphone: a WAV file that the microphone plays once from the moment it is opened.
        """
        assert CHROMIUM is not None
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]
        if microphone is not None:
            arguments += [
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}%noloop",
            ]
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # Chromium reads commands from descriptor 3 and writes to 4.
        script = f'exec "$@" 3<&{commands} 4>&{answers}'
        environment = {**os.environ, "HOME": str(profile.parent)}
        self._process = subprocess.Popen(
            ["bash", "-c", script, "chromium", CHROMIUM, *arguments],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        os.close(commands)
        os.close(answers)
        self._lock, self._answered = threading.Lock(), threading.Condition()
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._ended = False
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()
        self.tabs: list[Tab] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        problems = [problem for tab in self.tabs for problem in tab.problems]
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        self._reader.join(20)
        os.close(self._read)
        if kind is None:
            assert problems == []

    def tab(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Tab:
        """A page of its own, with its own cookies."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        found = Tab(self, session)
        self.tabs.append(found)
        self._listeners[session] = found.take_event
        found.call("Page.enable")
        found.call("Runtime.enable")
        found.call("Log.enable")
        found.resize(size, dark=dark)
        return found

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its result.

        Raises:
            BrowserError: the browser refused it, ended, or did not answer.
        """
        with self._lock:
            self._number += 1
            number = self._number
            message = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            data = json.dumps(message).encode() + b"\0"
            while data:
                data = data[os.write(self._write, data) :]
        with self._answered:
            if not self._answered.wait_for(lambda: number in self._answers or self._ended, DEADLINE):
                raise BrowserError(f"{method}: no answer")
            if number not in self._answers:
                raise BrowserError(f"{method}: the browser has ended")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _follow(self) -> None:
        data = b""
        while part := os.read(self._read, 1 << 16):
            data += part
            *messages, data = data.split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    with self._answered:
                        self._answers[message["id"]] = message
                        self._answered.notify_all()
                elif listener := self._listeners.get(message.get("sessionId", "")):
                    listener(message["method"], message.get("params", {}))
        with self._answered:
            self._ended = True
            self._answered.notify_all()


class Tab:
    """One page.

    Attributes:
        problems: uncaught errors of scripts, and requests and styles that the content security policy blocked.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.problems: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        return self._browser.call(method, self._session, **parameters)

    def take_event(self, method: str, parameters: dict[str, Any]) -> None:
        """Note a problem of the page; leave a page that asks whether one wants to, as a person would confirm."""
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.problems.append(str(details.get("exception", {}).get("description") or details.get("text")))
        elif method == "Page.javascriptDialogOpening":
            confirm = threading.Thread(
                target=self.call, args=("Page.handleJavaScriptDialog",), kwargs={"accept": True}, daemon=True
            )
            confirm.start()  # this thread reads the answers
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            entry = parameters["entry"]
            if entry["source"] == "security" or "Content Security Policy" in entry["text"]:
                self.problems.append(entry["text"])

    def resize(self, size: tuple[int, int], *, dark: bool = False) -> None:
        """The size of the window, and the light or dark theme."""
        width, height = size
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.evaluate("window.name = 'left'; 0")
        answer = self.call("Page.navigate", url=address)
        assert "errorText" not in answer, f"{address}: {answer['errorText']}"
        self.wait("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited.

        Raises:
            BrowserError: it threw.
        """
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if details := answer.get("exceptionDetails"):
            raise BrowserError(str(details.get("exception", {}).get("description") or details["text"]))
        return answer["result"].get("value")

    def wait(self, condition: str, seconds: float = DEADLINE) -> None:
        """Wait until an expression is true; errors while a page is being replaced count as false.

        Raises:
            BrowserError: it did not become true.
        """
        end, why = time.monotonic() + seconds, "it did not become true"
        while True:
            try:
                if self.evaluate(f"!!({condition})"):
                    return
            except BrowserError as error:
                why = str(error).splitlines()[0]
            if time.monotonic() > end:
                raise BrowserError(f"{condition}: {why}; {self.path} has: {self.text()[:2000]}")
            time.sleep(0.05)

    def text(self, selector: str = "body") -> str:
        """The visible text of an element."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    @property
    def path(self) -> str:
        """Path and query of the page's address."""
        return str(self.evaluate("location.pathname + location.search"))

    def click(self, selector: str) -> None:
        """Click the middle of an element: a CSS selector, or `text=…` for the visible link or button with this text.

        Raises:
            BrowserError: it is not there, or something covers it.
        """
        found = _element(selector)
        self.wait(f"({found})")
        place = self.evaluate(
            f"(() => {{ const it = {found}; it.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const box = it.getBoundingClientRect(); const x = box.x + box.width / 2, y = box.y + box.height / 2;"
            " const top = document.elementFromPoint(x, y);"
            " return top && (it.contains(top) || top.contains(it)) ? [x, y] : null; })()"
        )
        if place is None:
            raise BrowserError(f"{selector} is covered or has no size")
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", buttons=1, clickCount=1
            )

    def follow(self, selector: str) -> None:
        """Click something that leads to another page, and wait for that page."""
        self.evaluate("window.leaving = true")
        self.click(selector)
        self.wait("!window.leaving && document.readyState === 'complete'")

    def fill(self, selector: str, text: str) -> None:
        """Replace the text of a field, as a person who types."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, modifiers: int = 0) -> None:
        """Press a key: a character, or a name such as `Enter`, `Tab`, `ArrowRight`."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        code = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus.

        Raises:
            BrowserError: it cannot be reached.
        """
        for _ in range(200):
            self.press("Tab")
            if self.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                return
        raise BrowserError(f"{selector} cannot be reached with the keyboard")

    def upload(self, selector: str, *paths: Path) -> None:
        """Choose files for a file field."""
        node = self.call("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        self.call("DOM.setFileInputFiles", files=[str(path) for path in paths], objectId=node["result"]["objectId"])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the page, or of what is visible."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def bytes_loaded(self) -> int:
        """Bytes of the page with its stylesheet, scripts and pictures, as sent; without sound."""
        return int(
            self.evaluate(
                "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
                ".filter(it => !['audio', 'video', 'fetch'].includes(it.initiatorType))"
                ".reduce((sum, it) => sum + it.encodedBodySize, 0)"
            )
        )

    def check_page(self, url: str) -> None:
        """Open a page and hold what every page must be: accessible, not wider than the screen, below 300 kB."""
        self.open(url)
        assert self.violations() == []
        assert not self.is_too_wide()
        assert self.bytes_loaded() < 300_000

    def violations(self, impacts: Sequence[str] = SERIOUS) -> list[str]:
        """What axe-core finds on the page, of the given impacts: rule, and the elements that break it."""
        if not self.evaluate("typeof axe === 'object'"):
            self.evaluate(AXE.read_text("utf-8") + "\n;0")
        found = self.evaluate(
            "axe.run({resultTypes: ['violations']}).then(all => all.violations.map(it =>"
            " [it.impact, it.id + ': ' + it.nodes.slice(0, 5).map(node => node.html.slice(0, 160)).join(' | ')]))"
        )
        return [text for impact, text in found if impact in impacts]

    def is_too_wide(self) -> bool:
        """Whether the page scrolls sideways."""
        return bool(self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def _element(selector: str) -> str:
    """JavaScript that finds a visible element."""
    if not selector.startswith("text="):
        return f"document.querySelector({json.dumps(selector)})"
    text = json.dumps(selector.removeprefix("text="))
    return (
        "[...document.querySelectorAll('a, button, summary, label, [role=button]')]"
        f".find(it => it.offsetParent !== null && it.innerText.trim() === {text})"
    )
