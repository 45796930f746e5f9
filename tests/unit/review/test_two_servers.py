"""Two review servers of one dataset, each a process of its own: every acknowledged decision is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.dataset import edits
from voicemill.dataset.prepared import PreparedDataset, load_checked

pytestmark = pytest.mark.slow

SERVER = """
import json, sys, threading, urllib.request
from pathlib import Path
from voicemill.dataset.prepared import load_checked
from voicemill.review.server import ReviewServer
from voicemill.review.session import ReviewSession

dataset = load_checked(Path(sys.argv[1]))
mine = json.loads(sys.argv[2])
server = ReviewServer(ReviewSession(dataset), lambda: "")
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
for word in ("first", "second", "third", "last"):
    for clip in mine:
        body = json.dumps({"dataset": dataset.sha256, "clip": clip, "text": f"The {word} text."}).encode()
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.server_port}"}
        with urllib.request.urlopen(urllib.request.Request(server.url + "edit", body, headers)) as answer:
            assert json.load(answer)["text"] == f"The {word} text."
server.shutdown()
"""


def test_all_decisions_of_two_servers_are_kept(dataset: PreparedDataset, repository: Path) -> None:
    ids = [entry.id for entry in dataset.entries]
    assert len(ids) >= 4
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SERVER, str(dataset.root), str(mine).replace("'", '"')],
            cwd=repository,
            env={"PYTHONPATH": "lib"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mine in (ids[::2], ids[1::2])
    ]
    for server in running:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
    for server in running:
        assert server.stdin is not None
        server.stdin.write("go\n")
        server.stdin.flush()
    for server in running:
        server.communicate(timeout=120)
    assert [server.returncode for server in running] == [0, 0]
    kept = edits.read(load_checked(dataset.root).root)
    assert len(kept) == len(ids)
    assert {edit.text for edit in kept} == {"The last text."}
