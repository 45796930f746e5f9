"""Training of the base HiFi-GAN on flite's voices and people: the command, on very little data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_half_of_each_batch_are_people(tmp_path: Path) -> None:
    folder, speakers, target = tmp_path / "work", tmp_path / "speakers", tmp_path / "base.nemo"
    folder.mkdir()
    shutil.copytree(REPOSITORY / "tests/data/people/austen", speakers / "austen")
    # A tone in the place of flite, which need not be installed.
    tone = (8000 * np.sin(np.arange(44_100) / 20)).astype(np.int16)
    np.savez(folder / "corpus.npz", samples=np.tile(tone, 2), bounds=np.array([0, len(tone), 2 * len(tone)]))
    program = REPOSITORY / "scripts/base_vocoder/train.py"
    arguments = ["--folder", folder, "--out", target, "--speakers", speakers, "--threads", "1"]
    minutes = ["--reconstruction-minutes", "0.02", "--adversarial-minutes", "0"]
    done = subprocess.run(
        [sys.executable, program, *arguments, *minutes], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    line = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    assert line["step"] > 0
    assert np.isfinite(line["loss"])
    assert target.stat().st_size > 1_000_000
    checked = subprocess.run(
        [sys.executable, "-c", _HALVES, folder], capture_output=True, text=True, check=False, cwd=program.parent
    )
    assert checked.stdout.split() == ["True", "True"], checked.stderr[-2000:]


_HALVES = f"""
import sys
sys.path[:0] = [{str(REPOSITORY / "lib")!r}, {str(REPOSITORY / "scripts")!r}]
from pathlib import Path
import numpy as np
from corpus import Crops
from people import MixedCrops, PeopleCrops
from voicemill.synthesis.mel import AudioConfig
folder, audio = Path(sys.argv[1]), AudioConfig()
flite = Crops(folder / "corpus.npz", sample_rate=audio.sample_rate, seed=1)
people = PeopleCrops(folder / "people.npz", audio, seed=1)
batch = MixedCrops(flite, people, audio).batch(3, 8, 8192)
print(np.array_equal(batch[:4], flite.batch(3, 4, 8192)), np.array_equal(batch[4:], people.batch(3, 4, 32).samples))
"""
