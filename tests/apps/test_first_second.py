"""What can be refused is refused before anything heavy is imported, in the process or in a child of it.

No clock: packages in front of the real ones leave a mark when they are imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "soundfile", "torch", "nemo", "scipy", "librosa", "onnxruntime")
MARK = """
import os
with open(os.environ["IMPORTED"], "a") as log:
    log.write(__name__ + "\\n")
raise ImportError("This stands in front of " + __name__)
"""


@dataclass
class Case:
    """A run that is refused: what the folder holds, how the run starts, and what it says."""

    reason: str
    code: int
    argv: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda folder: None


def clip(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "one.wav").write_bytes((ROOT / "data/demo/demo.flac").read_bytes()[:4000])


def clip_with_text(folder: Path) -> None:
    clip(folder / "clips")
    (folder / "clips/one.txt").write_text("One.\n")


def manifest(folder: Path, text: str) -> None:
    (folder / "m.jsonl").write_text(text)


def incomplete(folder: Path) -> None:
    """A prepared voice, as its dataset.json says, without its files."""
    root = folder / "work/datasets/anna"
    root.mkdir(parents=True)
    (root / "dataset.json").write_text("{}")


def sparse(folder: Path) -> None:
    """A recording that could not be decoded on any disk."""
    with (folder / "long.mp3").open("wb") as file:
        file.write(b"ID3" + b"\0" * 200)
        file.truncate(1 << 43)
    (folder / "long.txt").write_text("A long story.\n")


def block(name: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        clip_with_text(folder)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a file where a folder should be")

    return write


CLIPS = ("--audio", "clips")
CASES = {
    "display name": Case("invalid_display_name", 1, ("--display-name", "two\nlines")),
    "display name in the environment": Case("invalid_display_name", 1, (), {"VOICE_DISPLAY_NAME": "x" * 201}),
    "voice id": Case("invalid_voice_profile_id", 1, ("--voice", "a/b")),
    "voice id in the environment": Case("invalid_voice_profile_id", 1, (), {"VOICE_PROFILE_ID": ".."}),
    "two sources": Case("bad_usage", 1, ("--audio", "a.wav", "--dataset", "b.jsonl")),
    "two texts": Case("bad_usage", 1, ("--audio", "a.wav", "--script", "s.txt", "--metadata", "m.csv")),
    "two starts": Case("bad_usage", 1, ("--base-weights", "voicemill/from-scratch", "--init-from", "m.nemo")),
    "a script without a recording": Case("bad_usage", 1, ("--script", "s.txt")),
    "an end before the start": Case("bad_usage", 1, ("--audio", "a.wav", "--start", "9", "--end", "3")),
    "no recording": Case("missing_audio_path", 1, ("--audio", "none.wav")),
    "no script": Case("missing_input_file", 1, (*CLIPS, "--script", "none.txt"), {}, clip_with_text),
    "no lexicon": Case("missing_input_file", 1, (*CLIPS, "--lexicon", "none.txt"), {}, clip_with_text),
    "a rate search of two processes": Case("config_invalid", 2, ("--devices", "2", "--find-learning-rate")),
    "an empty folder": Case("dataset_no_valid_audio", 2, CLIPS, {}, lambda folder: (folder / "clips").mkdir()),
    "clips without text": Case("missing_transcript", 2, CLIPS, {}, lambda folder: clip(folder / "clips")),
    "no manifest": Case("dataset_manifest_missing", 2, ("--dataset", "none.jsonl")),
    "a manifest that is none": Case(
        "dataset_manifest_invalid", 2, ("--dataset", "m.jsonl"), {}, lambda folder: manifest(folder, "x\n")
    ),
    "a manifest without clips": Case(
        "dataset_no_valid_audio",
        2,
        ("--dataset", "m.jsonl"),
        {},
        lambda folder: manifest(folder, '{"audio_filepath": "none.wav", "text": "One.", "duration": 1}\n'),
    ),
    "an incomplete dataset": Case("dataset_incomplete", 2, ("--voice", "anna"), {}, incomplete),
    "no cache": Case("not_writable", 2, CLIPS, {}, block("cache")),
    "no datasets": Case("not_writable", 2, CLIPS, {}, block("work/datasets")),
    "no bundles": Case("not_writable", 2, CLIPS, {}, block("work/bundles")),
    "no reports": Case("not_writable", 2, CLIPS, {}, block("work/reports")),
    "no checkpoints": Case("not_writable", 2, CLIPS, {"PROD_TTS_CHECKPOINTS_DIR": "here/models"}, block("here")),
    "no evaluation": Case("not_writable", 2, CLIPS, {"PROD_TTS_EVAL_PATH": "here/eval.json"}, block("here")),
    "no room": Case("disk_full", 2, ("--audio", "long.mp3"), {}, sparse),
}


@pytest.fixture
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stubs")
    for name in HEAVY:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(MARK)
    return folder


def start(tmp_path: Path, stubs: Path, argv: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    ours = ("PROD_TTS_", "VOICE_", "TRAIN_", "AUDIO_")
    base = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    places = {"WORK_DIR": "work", "CACHE_DIR": "cache", "PYTHONPATH": str(stubs), "IMPORTED": str(stubs / "imported")}
    return subprocess.run(
        [sys.executable, *argv],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        check=False,
        env=base | places | environment,
    )


@pytest.mark.parametrize("name", CASES)
def test_a_lane_refuses_it_before_anything_heavy_is_imported(tmp_path: Path, stubs: Path, name: str) -> None:
    case = CASES[name]
    case.prepare(tmp_path)
    app = str(ROOT / "apps/voice-train-prod/voice-train-prod.py")
    done = start(tmp_path, stubs, [app, "--preset", "smoke", *case.argv], **case.environment)
    assert f"[tts-prod][error] {case.reason}" in done.stderr, done.stderr
    assert done.returncode == case.code
    assert len(done.stderr.strip().splitlines()) <= 3, done.stderr
    imported = stubs / "imported"
    assert not imported.exists(), imported.read_text()
    status = json.loads((tmp_path / "work/artifacts/train_status.tts_prod_train.json").read_text())
    assert status["reason"].partition(":")[0] == case.reason
    assert list((tmp_path / "work").glob("datasets/*/*.wav")) == []


def test_the_marks_are_left_by_what_comes_next(tmp_path: Path, stubs: Path) -> None:
    """The same run without a fault imports NeMo, in a child of the gate; so an import in a child would be noticed."""
    clip_with_text(tmp_path)
    app = str(ROOT / "apps/voice-train-prod/voice-train-prod.py")
    done = start(tmp_path, stubs, [app, "--preset", "smoke", *CLIPS])
    assert "[tts-prod][error] nemo_runtime_unavailable" in done.stderr
    assert "This stands in front of nemo" in done.stderr
    assert (stubs / "imported").read_text() == "nemo\n"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"VOICE_DISPLAY_NAME": "two\x1blines"}, "invalid_display_name"),
        ({"VOICE_PROFILE_ID": "a/b"}, "invalid_voice_profile_id"),
    ],
)
def test_the_launcher_refuses_names_before_it_builds_an_image(
    tmp_path: Path, stubs: Path, environment: dict[str, str], reason: str
) -> None:
    script = str(ROOT / "scripts/voice/orchestrate.py")
    done = start(tmp_path, stubs, [script], PATH="/nowhere", TRAIN_BACKEND="local_docker", **environment)
    assert done.returncode == 1
    assert f"[tts-prod][error] {reason}\n" in done.stderr, done.stderr  # after a note that git is missing
    assert not (stubs / "imported").exists()
