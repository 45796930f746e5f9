"""A recording session of the studio, timed: Chromium's microphone plays a person's recordings in order.

The microphone cannot wait for the page, so its recordings have fixed times. The driver does what the person would do: it
presses Space to begin, reads a sentence again that was misread, and leaves out a sentence that is refused although it was
read right.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import soundfile

from voicemill import files
from voicemill.audio.decode import resample

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser, Tab
from takes import clips_of

RATE = 48_000
ROOM_DBFS = -66.0
LEAD = 6.0
"""Seconds from the opened microphone to the first word."""
VERDICTS = """
window.verdicts = []; let begun = 0;
new MutationObserver(() => {
  const now = performance.now(), text = document.getElementById('verdict').textContent;
  if (text.startsWith('Judging')) begun = now;
  else if (begun) { window.verdicts.push({ seconds: (now - begun) / 1000, text }); begun = 0; }
}).observe(document.getElementById('verdict'), { childList: true, characterData: true, subtree: true }); 0
"""


@dataclass
class Timeline:
    """What the microphone plays.

    Attributes:
        samples: the whole, at `RATE`.
        starts: second at which each recording begins.
        numbers: the sentence that each recording should be a take of.
        misread: recordings that are of another sentence.
    """

    samples: list[np.ndarray] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    misread: set[int] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, samples: np.ndarray) -> None:
        self.samples.append(samples)
        self.seconds += len(samples) / RATE

    def play(self, path: Path, number: int, room: np.ndarray, *, misread: bool = False) -> None:
        samples, rate = soundfile.read(path, dtype="float32")
        if misread:
            self.misread.add(len(self.starts))
        self.starts.append(self.seconds)
        self.numbers.append(number)
        self.add(resample(samples, rate, RATE))
        self.add(room)


def run(folder: Path, audio: Path, count: int, spare: int, gap: float, misread: int) -> None:
    """Print Markdown.

    Args:
        folder: with `metadata.csv`, `id|text` or `id|speaker|text`.
        audio: folder of `<id>.flac`.
        count: good sentences at which the session ends.
        spare: further sentences, for those that are refused.
        gap: seconds between two recordings.
        misread: one in so many sentences is read wrong at first; 0 for none.
    """
    takes = clips_of(folder, audio)[: count + spare + 1]
    (other, _), *takes = takes
    noise = np.random.default_rng(1)

    def room(seconds: float) -> np.ndarray:
        return (10 ** (ROOM_DBFS / 20) * noise.standard_normal(round(seconds * RATE))).astype(np.float32)

    line = Timeline()
    line.add(room(LEAD))
    line.play(other, 0, room(gap + 1.5))  # in place of the statement of consent, of which there is no recording
    for number, (path, _) in enumerate(takes, start=1):
        if misread and number % misread == 0:
            line.play(other, number, room(gap), misread=True)
        line.play(path, number, room(gap))
    with tempfile.TemporaryDirectory(prefix="voicemill-session-") as place:
        sound = Path(place) / "microphone.wav"
        soundfile.write(sound, np.concatenate(line.samples), RATE, subtype="PCM_16")
        _session(Path(place), sound, line, [text for _, text in takes], count)


def _session(place: Path, sound: Path, line: Timeline, texts: list[str], count: int) -> None:
    environment = {**os.environ, "WORK_DIR": str(place / "work"), "CACHE_DIR": str(place / "cache")}
    (place / "bundles").mkdir()
    argv = [sys.executable, str(ROOT / "apps/voice-serve/voice-serve.py"), "--port", "0", "--bundles"]
    server = subprocess.Popen(
        [*argv, str(place / "bundles")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        if server.stdout is None:
            raise RuntimeError("the server was started without a pipe")
        url = f"http://127.0.0.1:{files.parse_json(server.stdout.readline().encode())['port']}"
        with Browser(place / "profile", microphone=sound) as browser:
            tab = browser.tab()
            began = time.monotonic()
            tab.open(f"{url}/studio/record")
            tab.fill("#speaker", "Kathleen")
            tab.fill("#voice", "kathleen")
            tab.click("text=Read a text of your own")
            tab.fill("#sentences", "\n".join(texts))
            tab.follow("text=Begin")
            tab.wait("!document.getElementById('open').disabled")
            tab.evaluate(VERDICTS)
            time.sleep(5)  # the judge is loaded meanwhile
            _read_aloud(tab, line, count, began)
    finally:
        server.terminate()
        server.wait(30)


def _read_aloud(tab: Tab, line: Timeline, count: int, began: float) -> None:
    opened = time.monotonic()
    tab.click("#open")
    tab.wait("!document.getElementById('booth').hidden")
    offset = time.monotonic() - opened  # of the microphone's beginning, at most
    tab.evaluate("document.getElementById('auto-record').click(); document.activeElement.blur(); 0")
    tab.press(" ")
    seen, wrong, refused, late = 0, 0, [], 0
    good, finished = 0, 0.0
    while good < count and time.monotonic() - opened < line.seconds:
        state = tab.evaluate(
            "({found: window.verdicts.length, last: window.verdicts.at(-1),"
            " good: document.getElementById('total').textContent, at: document.getElementById('position').textContent})"
        )
        good = int(state["good"].split()[0])
        finished = time.monotonic() - opened
        if state["found"] == seen:
            time.sleep(0.03)
            continue
        seen, at, text = state["found"], state["at"], state["last"]["text"]
        if text.startswith("Good"):
            continue
        # Which recording is next, and which of them was this verdict about?
        played = max(index for index, start in enumerate(line.starts) if start + offset < finished)
        if at == "Statement of consent":
            tab.press("k")
            tab.wait("document.getElementById('mark').textContent === 'kept'")
            tab.press("ArrowRight")
        elif played in line.misread:
            wrong += 1
        else:
            if f"Sentence {line.numbers[played]} " in at:
                refused.append(f"{line.numbers[played]}: {text}")
            else:
                late += 1
            tab.evaluate(f"document.querySelectorAll('#list button')[{line.numbers[played + 1]}].click(); 0")
            tab.evaluate("document.activeElement.blur(); 0")
        tab.press(" ")
    seconds = sorted(one["seconds"] for one in tab.evaluate("window.verdicts"))
    p95 = seconds[min(len(seconds) - 1, round(0.95 * (len(seconds) - 1)))]
    speech = sum(len(part) for part in line.samples[1::2]) / RATE
    click.echo(f"{good} good sentences in {finished / 60:.1f} minutes from the opened microphone,")
    click.echo(f"{(time.monotonic() - began) / 60:.1f} from the first page. {len(seconds)} takes: {wrong} misread on")
    click.echo(f"purpose and found, {len(refused)} others refused, {late} out of step with the microphone.")
    click.echo(
        f"Seconds from the end of a take to its verdict: median {statistics.median(seconds):.2f}, 95th percentile"
    )
    click.echo(
        f"{p95:.2f}, longest {seconds[-1]:.2f}. Load {os.getloadavg()[0]:.1f}. ({speech / len(line.starts):.1f} s a sentence)"
    )
    for row in refused:
        click.echo(f"- {row}")
