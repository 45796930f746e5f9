"""One voice through all commands of voice-prep: prepared, looked at and mended in a real browser, sent, renamed, deleted.

The browser is Chromium, driven through its DevTools protocol; without one on the machine that part is skipped.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

APP = Path("apps", "voice-prep", "voice-prep.py")
END, SENTENCES = 27.76, 7
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")
CONSENT = "I, the flite voice, agree to be copied."
Evaluate = Callable[[str], Awaitable[Any]]


class Lab:
    """A workspace of its own and the app in it."""

    def __init__(self, root: Path, app: Path) -> None:
        self.root, self.app = root, app
        self.work = root / "work"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "WORK_DIR": str(self.work),
            "CACHE_DIR": str(root / "cache"),
        }

    def argv(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, str(self.app), *map(str, arguments)]

    def run(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*arguments),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=self.environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def prepare(self, *more: str) -> dict[str, Any]:
        made = self.run("--voice", "ann", "--audio", "take.flac", "--script", "take.script", "--workers", "1", *more)
        line = next(line for line in made.stdout.splitlines() if line.startswith("STATS "))
        return dict(json.loads(line.removeprefix("STATS ")))

    def dataset(self) -> dict[str, Any]:
        return dict(json.loads((self.work / "datasets/ann/dataset.json").read_text("utf-8")))

    def manifest(self) -> list[str]:
        return (self.work / "datasets/ann/manifest.jsonl").read_text("utf-8").splitlines()

    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self.manifest()]

    @contextmanager
    def review(self) -> Iterator[str]:
        """The review page while it is served; it must end with Ctrl-C and code 0."""
        with subprocess.Popen(
            self.argv("review", "ann", "--workers", "1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.root,
        ) as process:
            try:
                assert process.stdout is not None
                yield json.loads(process.stdout.readline().removeprefix("STATS "))["url"]
            finally:
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert "Traceback" not in errors


@pytest.fixture(scope="module")
def lab(repository: Path, tmp_path_factory: pytest.TempPathFactory, demo_audio: Path, demo_script: Path) -> Lab:
    made = Lab(tmp_path_factory.mktemp("lab"), repository / APP)
    with soundfile.SoundFile(demo_audio) as source:
        samples = source.read(round(END * source.samplerate), dtype="int16")
        soundfile.write(made.root / "take.flac", samples, source.samplerate)
    (made.root / "take.script").write_text("\n".join(demo_script.read_text("utf-8").splitlines()[:SENTENCES]), "utf-8")
    made.prepare("--consent", CONSENT, "--licence", "cc0-1.0")
    return made


@asynccontextmanager
async def _browser(folder: Path) -> AsyncIterator[tuple[Evaluate, Callable[..., Awaitable[Any]], list[dict[str, Any]]]]:
    """A page of a headless Chromium: evaluate JavaScript, call the protocol, and every event that it sent."""
    import aiohttp

    argv = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    argv += ["--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder}", "--window-size=1200,1400"]
    process = await asyncio.create_subprocess_exec(*argv, "about:blank", stderr=asyncio.subprocess.PIPE)
    events: list[dict[str, Any]] = []
    try:
        assert process.stderr is not None
        port = folder / "DevToolsActivePort"
        for _ in range(600):
            if port.is_file() and port.read_text().strip():
                break
            await asyncio.sleep(0.1)
        number = port.read_text().splitlines()[0]
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{number}/json") as answer:
                target = next(page for page in await answer.json() if page["type"] == "page")
            async with client.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                count = 0

                async def call(method: str, **parameters: Any) -> Any:
                    nonlocal count
                    count += 1
                    mine = count
                    await socket.send_json({"id": mine, "method": method, "params": parameters})
                    while True:
                        message = json.loads((await asyncio.wait_for(socket.receive(), 60)).data)
                        if message.get("id") == mine:
                            assert "error" not in message, message
                            return message["result"]
                        events.append(message)

                async def evaluate(expression: str) -> Any:
                    result = await call(
                        "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
                    )
                    assert "exceptionDetails" not in result, result
                    return result["result"].get("value")

                for domain in ("Page", "Runtime", "Network", "Log"):
                    await call(f"{domain}.enable")
                yield evaluate, call, events
    finally:
        process.terminate()
        await process.wait()


async def _until(evaluate: Evaluate, expression: str) -> None:
    for _ in range(300):
        if await evaluate(f"!!({expression})"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"never true: {expression}")


async def _open(evaluate: Evaluate, call: Callable[..., Awaitable[Any]], url: str) -> None:
    await call("Page.navigate", url=url)
    await _until(evaluate, "document.readyState === 'complete' && document.querySelector('.clip')")


def _complaints(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")]


def _asked_for(events: list[dict[str, Any]]) -> set[str]:
    return {event["params"]["request"]["url"] for event in events if event.get("method") == "Network.requestWillBeSent"}


@pytest.mark.slow
def test_the_report_lies_in_the_dataset_and_a_second_run_leaves_it(lab: Lab) -> None:
    path = lab.work / "datasets/ann/report.html"
    before = path.stat().st_mtime_ns
    assert lab.prepare()["cache_hit"] is True
    assert path.stat().st_mtime_ns == before
    path.unlink()
    shown = lab.run("review", "ann", "--report", "--workers", "1").stdout.splitlines()
    assert shown == ["ARTIFACT work/datasets/ann/report.html"]
    assert CONSENT in path.read_text("utf-8")


@pytest.mark.slow
@needs_browser
def test_the_report_in_a_browser(lab: Lab, tmp_path: Path) -> None:
    async def look() -> None:
        async with _browser(tmp_path / "profile") as (evaluate, call, events):
            await _open(evaluate, call, (lab.work / "datasets/ann/report.html").as_uri())
            ids = "[...document.querySelectorAll('.clip:not([hidden])')].map(row => row.id)"
            everything = await evaluate(ids)
            assert len(everything) == SENTENCES
            await evaluate(
                "s = document.getElementById('sort'), s.value = '-seconds', s.dispatchEvent(new Event('change'))"
            )
            longest = await evaluate("[...document.querySelectorAll('.clip')].map(row => +row.dataset.seconds)")
            assert longest == sorted(longest, reverse=True)
            await evaluate(
                "box = document.getElementById('find'), box.value = 'CARPET small', box.dispatchEvent(new Event('input'))"
            )
            assert await evaluate(ids) == ["ann_0002"]
            assert await evaluate("document.getElementById('count').textContent") == f"1 of {SENTENCES}"
            await evaluate("box.value = 'zebra', box.dispatchEvent(new Event('input'))")
            assert await evaluate(ids) == []
            assert await evaluate("document.getElementById('none').hidden") is False
            await evaluate("box.value = '', box.dispatchEvent(new Event('input'))")
            await evaluate("document.querySelector('#ann_0003 .play').click()")
            await _until(evaluate, "parseFloat(document.querySelector('#ann_0003.playing .sight i')?.style.left) > 5")
            await evaluate("document.querySelector('#ann_0004 .play').click()")  # one sound at a time
            await _until(evaluate, "document.querySelector('#ann_0004.playing')")
            assert await evaluate("document.querySelectorAll('.playing').length") == 1
            picture = base64.b64decode((await call("Page.captureScreenshot"))["data"])
            assert _colours(picture) > 50
            assert _complaints(events) == []
            asked = {url for url in _asked_for(events) if not url.startswith(("data:", "blob:"))}
            assert len(asked) == 1  # the page itself and nothing else
            assert asked.pop().endswith("report.html")

    asyncio.run(look())


@pytest.mark.slow
@needs_browser
def test_what_was_left_out_in_a_browser(lab: Lab, tmp_path: Path) -> None:
    wanted = ("--voice", "strict", "--audio", "take.flac", "--script", "take.script", "--keep-rejected")
    rates = [json.loads(line)["quality"]["phones_per_second"] for line in lab.manifest()]
    fastest = sorted(rates)[-2:]
    lab.run(*wanted, "--limit", f"max_phones_per_second={fastest[0] - 0.01}", "--workers", "1")
    row = "document.querySelector('#rejected tbody tr:not([hidden])')"

    async def look() -> None:
        async with _browser(tmp_path / "profile") as (evaluate, call, events):
            await _open(evaluate, call, (lab.work / "datasets/strict/report.html").as_uri())
            figures = "[...document.querySelectorAll('#rejected tbody tr')].map(row => +row.dataset.value)"
            await evaluate("document.querySelector('#rejected [data-by=value]').click()")
            assert await evaluate(figures) == pytest.approx(fastest, abs=1e-3)
            await evaluate("document.querySelector('#rejected [data-by=value]').click()")
            assert await evaluate(figures) == pytest.approx(fastest[::-1], abs=1e-3)
            assert "phones/s" in await evaluate(f"{row}.textContent")
            await evaluate(f"{row}.querySelector('.play').click()")
            await _until(evaluate, f"{row}.matches('.playing')")
            await evaluate(
                "box = document.getElementById('seek'), box.value = 'speaking zebra', box.dispatchEvent(new Event('input'))"
            )
            assert await evaluate("document.getElementById('left-count').textContent") == "0 of 2"
            assert await evaluate("document.getElementById('left-none').hidden") is False
            await evaluate("box.value = 'Speaking_Rate', box.dispatchEvent(new Event('input'))")
            assert await evaluate("document.getElementById('left-count').textContent") == "2 of 2"
            assert _complaints(events) == []

    asyncio.run(look())
    lab.run("delete", "strict", "--yes")


def _colours(picture: bytes) -> int:
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        return len(image.convert("RGB").getcolors(1 << 24) or ())


@pytest.mark.slow
@needs_browser
def test_a_review_in_a_browser_survives_a_run(lab: Lab, tmp_path: Path) -> None:
    edits = lab.work / "datasets/ann/edits.jsonl"
    before = lab.texts()
    text = before[4].replace("Why does", "Wye does")  # another spelling of what is said: other words would be left out
    assert text != before[4]

    async def decide(url: str) -> None:
        async with _browser(tmp_path / "profile") as (evaluate, call, events):
            await _open(evaluate, call, url)
            await evaluate("document.querySelector('#ann_0002 .drop').click()")
            await _until(evaluate, "document.querySelector('#ann_0002.dropped')")
            await evaluate("document.querySelector('#ann_0003 .drop').click()")
            await _until(evaluate, "document.querySelector('#ann_0003.dropped')")
            await evaluate("document.querySelector('#ann_0003 .drop').click()")  # restored
            await _until(evaluate, "!document.querySelector('#ann_0003.dropped')")
            field = "document.querySelector('#ann_0005 textarea')"
            await evaluate(
                f"{field}.value = {json.dumps(text)}, {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
            )
            await evaluate("document.querySelector('#ann_0005 .save').click()")
            await _until(evaluate, "document.querySelector('#ann_0005.changed')")
            await _until(evaluate, "document.querySelector('#pending').textContent.startsWith('2 decisions')")
            await evaluate("document.querySelector('#ann_0001 .play').click()")
            await _until(evaluate, "document.querySelector('#ann_0001.playing')")
            await _open(evaluate, call, url)  # what was decided is there again
            assert await evaluate(f"{field}.value") == text
            assert await evaluate("document.querySelector('#ann_0002').classList.contains('dropped')")
            assert _complaints(events) == []
            assert all(asked.startswith((url, "data:")) for asked in _asked_for(events))

    with lab.review() as url:
        asyncio.run(decide(url))
    decided = [json.loads(line) for line in edits.read_text("utf-8").splitlines()]
    assert [(edit.get("verdict"), edit.get("text")) for edit in decided] == [("drop", None), (None, text)]

    assert lab.prepare()["cache_hit"] is False
    assert lab.texts() == [before[0], before[2], before[3], text, *before[5:]]
    report = lab.dataset()["report"]
    assert [(row["reason"], row["text"]) for row in report["rejected"]] == [("dropped_in_review", before[1])]
    assert lab.dataset()["rights"]["consent"] == CONSENT

    async def restore(url: str) -> None:
        async with _browser(tmp_path / "again") as (evaluate, call, _):
            await _open(evaluate, call, url)
            await evaluate("document.querySelector('tr[data-reason=dropped_in_review] .restore').click()")
            await _until(evaluate, "document.querySelector('tr .status').textContent.includes('will be restored')")

    with lab.review() as url:
        asyncio.run(restore(url))
    lab.prepare()
    assert lab.texts() == [*before[:4], text, *before[5:]]
    edits.unlink()
    lab.prepare()
    assert lab.texts() == before


@pytest.mark.slow
def test_terminated_while_it_serves(lab: Lab) -> None:
    with subprocess.Popen(
        lab.argv("review", "ann", "--workers", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=lab.environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("STATS ")
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_list_show_export_import_rename_delete(lab: Lab) -> None:
    listed = json.loads(lab.run("list", "--json").stdout)
    assert [(voice["slug"], voice["state"]) for voice in listed] == [("ann", "ready")]
    shown = json.loads(lab.run("show", "ann", "--json").stdout)
    assert shown == listed[0]
    assert shown["rights"]["consent"] == CONSENT
    assert shown["rights"]["licence"] == "CC0-1.0"
    assert "consent stated" in lab.run("list").stderr
    assert shown["dataset_sha256"] in lab.run("show", "ann").stderr

    lines = lab.run("export", "ann").stdout.splitlines()
    assert lines[1] == "ARTIFACT ann.voice.zip"
    assert "voice_exists:ann" in lab.run("import", "ann.voice.zip", code=1).stderr
    lab.run("import", "ann.voice.zip", "--voice", "eve")
    lab.run("rename", "eve", "bea")
    assert [voice["slug"] for voice in json.loads(lab.run("list", "--json").stdout)] == ["ann", "bea"]
    assert "confirmation_needed" in lab.run("delete", "bea", code=1).stderr
    lab.run("delete", "bea", "--yes")
    assert "voice_not_found:bea" in lab.run("show", "bea", code=1).stderr
    (lab.root / "evil.zip").write_text("no zip")
    assert "voice_archive_unsafe:not_a_zip" in lab.run("import", "evil.zip", code=2).stderr
    assert "licence_invalid" in lab.run("--audio", "take.flac", "--licence", "mine", code=1).stderr
    assert "consent_missing" in lab.run("--audio", "take.flac", "--consent", "signed.txt", code=1).stderr


@pytest.mark.parametrize(
    "command", ["prepare", "review", "read", "list", "show", "rename", "delete", "export", "import"]
)
def test_each_command_explains_itself(repository: Path, tmp_path: Path, command: str) -> None:
    lab = Lab(tmp_path, repository / APP)
    shown = lab.run(command, "--help").stdout
    assert "Example" in shown
    assert command in lab.run("--help").stdout
