"""A voice is prepared, reviewed and trained by three programs: the training takes the dataset that was reviewed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voicemill.dataset import edits
from voicemill.dataset.edits import ClipEdit
from voicemill.dataset.prepared import load

ROOT = Path(__file__).resolve().parents[2]
ANN = ("--voice", "ann")


class Home:
    """A work folder of its own, and the two apps in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.dataset = root, root / "work/datasets/ann"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PROD_TTS_", "VOICE_"))}
        self.environment = {**clean, "WORK_DIR": str(root / "work"), "CACHE_DIR": str(root / "cache")}

    def argv(self, app: str, *arguments: str | Path) -> list[str]:
        return [sys.executable, str(ROOT / f"apps/{app}/{app}.py"), *map(str, arguments)]

    def prepare(self, *arguments: str | Path) -> dict[str, Any]:
        """STATS of voice-prep."""
        done = subprocess.run(
            self.argv("voice-prep", *arguments, "--no-report"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 0, done.stderr
        line = next(line for line in done.stdout.splitlines() if line.startswith("STATS "))
        return dict(json.loads(line.removeprefix("STATS ")))

    def train(self, *arguments: str | Path) -> str:
        """Run voice-train-prod until its dataset is ready; sha256 of the dataset that it trains on."""
        with subprocess.Popen(
            self.argv("voice-train-prod", "--preset", "smoke", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        ) as process:
            assert process.stdout is not None
            ready = any("ARTIFACT" in line and "dataset_manifest" in line for line in process.stdout)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
        assert ready, errors
        found = load(self.dataset)
        assert found is not None
        lane = json.loads((self.root / "work/artifacts/dataset_manifest.tts_prod_train.json").read_text())
        assert found.sha256 in json.dumps(lane)
        return found.sha256

    def refused(self, *arguments: str | Path) -> str:
        """The error line of a voice-train-prod that ends with exit code 1."""
        done = subprocess.run(
            self.argv("voice-train-prod", "--preset", "smoke", *arguments),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 1, done.stderr
        return next(line for line in done.stderr.splitlines() if line.startswith("[tts-prod][error] "))

    def review(self, index: int) -> None:
        """Drop a clip, as the review page does."""
        known = load(self.dataset)
        assert known is not None
        entry = known.entries[index]
        digest = edits.recordings(known.description.inputs)[entry.source]
        dropped = ClipEdit(
            source=entry.source,
            source_sha256=digest,
            start=entry.start,
            end=entry.end,
            was=entry.text,
            verdict="drop",
        )
        edits.write(self.dataset, [*edits.read(self.dataset), dropped])


@pytest.mark.slow
def test_a_voice_is_prepared_reviewed_and_trained(piece_audio: Path, piece_script: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    source = ("--audio", piece_audio, "--script", piece_script)
    settings = ("--preset", "studio", "--limit", "max_edge_silence=2", "--loudness", "-20", "--seed", "9")
    prepared = home.prepare(*ANN, *source, *settings)
    assert home.train(*ANN) == prepared["dataset_sha256"]
    assert home.train(*ANN, *source) == prepared["dataset_sha256"]

    home.review(2)
    trained = home.train(*ANN)
    assert trained != prepared["dataset_sha256"]
    found = load(home.dataset)
    assert found is not None
    assert len(found.entries) == prepared["train"] + prepared["validation"] - 1
    applied = home.prepare(*ANN, *source, *settings)
    assert (applied["dataset_sha256"], applied["cache_hit"]) == (trained, True)
    assert home.train(*ANN, *source) == trained
    assert home.refused(*ANN, *source, "--seed", "4") == "[tts-prod][error] dataset_reviewed:ann"
    assert home.train(*ANN, "--seed", "4") == trained  # by name, a seed is the training's alone
