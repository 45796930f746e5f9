"""voice-synth teach with flite as the teacher: a dataset that states it, and a voice that is trained from it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from voicemill import console
from voicemill.dataset import description, teacher
from voicemill.settings import REPOSITORY
from voicemill_cloning.engines.programs import installed

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not installed("flite"), reason="flite is not installed")]
Teach = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teach(
    load_app: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Teach:  # fmt: skip
    """Lets flite teach `slt`; exit code, stdout and stderr."""
    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))

    def call(*options: str) -> tuple[int, str, str]:
        command = ["teach", "--speaker", "flite:slt", "--voice-name", "slt", "--workers", "1", *options]
        code = console.run(load_app("voice-synth").main, command, program="voice-synth")
        return code, *capsys.readouterr()

    return call


def test_a_dataset_states_its_teacher(teach: Teach, tmp_path: Path) -> None:
    code, out, err = teach("--minutes", "0.3")
    assert code == 0, err
    folder = tmp_path / "work/teaching/slt"
    record = teacher.SyntheticSpeech.model_validate(json.loads((folder / teacher.NAME).read_text("utf-8")))
    assert sum(clip.seconds for clip in record.clips) >= 18.0
    assert all(clip.word_errors <= 0.2 for clip in record.clips)
    assert (record.engine, record.voice, record.licence) == ("flite", "slt", "MIT-Festival")
    assert record.recogniser == "openai/whisper-tiny.en"
    similar = [clip.similarity for clip in record.clips if clip.similarity is not None]
    assert len(similar) == len(record.clips) - 1
    assert min(similar) >= 0.75
    described = description.read(tmp_path / "work/datasets/slt")
    assert described is not None
    stated = teacher.sentence(described.tools)
    assert stated is not None
    assert stated.startswith("trained on synthetic speech of flite 2.")
    assert described.rights is not None
    assert described.rights.licence == "MIT-Festival"
    assert "WARNING" not in err  # the takes carry no watermark
    before = (folder / teacher.NAME).read_bytes()
    code, again, err = teach("--minutes", "0.3")
    assert (code, (folder / teacher.NAME).read_bytes() == before) == (0, True), err
    assert again.splitlines()[-4] == out.splitlines()[-4]  # STATS with the same dataset


@pytest.mark.exhaustive
def test_a_voice_is_trained_from_its_teachers_speech(teach: Teach, tmp_path: Path) -> None:
    assert teach("--minutes", "0.7")[0] == 0

    def run(app: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = REPOSITORY / "apps" / app / f"{app}.py"
        return subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, timeout=1500)

    done = run("voice-train-prod", "--voice", "slt", "--preset", "smoke")
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "work/bundles/slt/voice_bundle"
    shown = run("voice-verify", "bundle", str(bundle)).stdout
    assert "trained on synthetic speech of flite" in shown
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert manifest["provenance"]["source_synthetic_recordings"].startswith("trained on synthetic speech of flite")
    assert "This voice was trained on synthetic speech of flite" in (bundle / "ATTRIBUTION.txt").read_text("utf-8")
    assert "Carnegie Mellon" in (bundle / "ATTRIBUTION.txt").read_text("utf-8")
    done = run("voice-synth", "speak", "--voice", "slt", "--text", "Good morning.", "--out-exact", str(tmp_path / "x"))
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "x/takes.meta.json").read_text("utf-8"))["engine_mode"] == "trained"
