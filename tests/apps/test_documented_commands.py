"""Every command of the README and of the runbook's first day works as written.

Each shell block is taken from its page. The commands of the first day and of the README's own voice run in order, with
the preset `smoke` from the environment; those that need an engine, a GPU, a cluster or money are checked against the
options of their programs, and the tests that run them are named below.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .conftest import OURS

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(folder.name for folder in (ROOT / "apps").iterdir())
ELSEWHERE = {
    r"make test": "tests/apps/test_contract.py::test_a_command_works_verbatim_from_the_root",
    r"make": "tests/local/09-make.sh",
    r"\./run-direct voice-train-prod": "tests/local/11-demo.sh",
    r"TOOLBOX_VARIANT=gpu .*": "tests/apps/test_run.py::test_the_gpu_variant_uses_the_cuda_image_and_the_overlay",
    r"TOOLBOX_RUNTIME=podman .*": "tests/apps/test_run.py",
    r"docker compose run .*": "tests/docker/test_run.py",
    r"TRAIN_BACKEND=local_docker .*": "tests/docker/test_orchestrator.py",
    r"TRAIN_BACKEND=ray .*": "tests/apps/test_ray_lane.py",
    r"PROD_TTS_DRY_RUN=1 bash .*": "tests/apps/test_contract.py::test_a_command_works_verbatim_from_the_root",
    r"make batch .*": "tests/apps/test_batch.py",
    r"make vast-run .*": "tests/apps/vast/test_runs.py",
    r"\./run voice-serve --uncertified": "tests/e2e/test_studio_day.py::test_a_day",
}
"""Commands that are not run here, as patterns, and where they are."""


def blocks(page: str, section: str | None = None) -> list[list[str]]:
    """The commands of each shell block, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if section:
        text = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
    lines = [block.replace("\\\n", " ").splitlines() for block in found]
    return [[re.sub(r"\s+#.*$", "", line).strip() for line in block if line.strip()] for block in lines]


README = blocks("README.md")
FIRST_DAY = blocks("docs/runbook.md", "First day")
OTHER_SOURCES = next(block for block in README if any("--metadata" in line for line in block))
OWN_VOICE = next(block for block in README if any("--display-name" in line for line in block))
HERE = {line for block in (*FIRST_DAY, OWN_VOICE, OTHER_SOURCES) for line in block}
EVERY = sorted({line for block in (*README, *FIRST_DAY) for line in block})


@dataclass(frozen=True)
class Command:
    """One simple command of a line."""

    environment: dict[str, str]
    argv: list[str]


def simple_commands(line: str) -> list[Command]:
    found = []
    for part in line.split("&&"):
        words = shlex.split(part)
        names = 0
        while re.match(r"[A-Z_]+=", words[names]) if names < len(words) else False:
            names += 1
        found.append(Command(dict(word.split("=", 1) for word in words[:names]), words[names:]))
    return found


@pytest.mark.parametrize("line", EVERY)
def test_each_command_is_run_by_a_test(line: str) -> None:
    named = [test for pattern, test in ELSEWHERE.items() if re.fullmatch(pattern, line)]
    assert (line in HERE) != bool(named), line
    for test in named:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or f"\ndef {name}(" in text, test


@pytest.mark.parametrize("line", EVERY)
def test_each_command_has_a_program_that_takes_its_options(line: str) -> None:
    for command in simple_commands(line):
        program, *rest = command.argv
        if program in ("./run", "./run-direct"):
            assert rest[0] in APPS
            argv = [sys.executable, f"apps/{rest[0]}/{rest[0]}.py", *rest[1:], "--help"]
        elif program == "make":
            argv = ["make", "-n", *rest]
        elif program == "bash":
            argv = ["bash", "-n", *rest]
        elif program == "docker":
            services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
            assert rest[:3] == ["compose", "run", "--rm"]
            assert rest[3] in services
            assert rest[4] in APPS
            continue
        else:
            assert program == "mkdir"
            continue
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def desk(checkout: Path, short_take: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a short recording in it."""
    root = tmp_path_factory.mktemp("desk") / "voicemill"
    shutil.copytree(checkout, root)
    audio, script = short_take
    shutil.copy2(audio, root / "take.flac")
    shutil.copy2(script, root / "take.txt")
    return root


def run_line(desk: Path, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a line in the checkout, on this Python and with a short training."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    kept |= {"TOOLBOX_RUNTIME": "direct", "VOICEMILL_IN_IMAGE": "1", "TORCH_DEVICE": "cpu"}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    kept |= {"PROD_TTS_PRESET": "smoke", "PROD_TTS_MAX_STEPS": "30", "AUDIO_PATH": str(desk / "take.flac")}
    return subprocess.run(
        ["bash", "-ec", line], cwd=desk, env=kept | more, capture_output=True, text=True, timeout=1200, check=False
    )


@pytest.mark.parametrize("line", OTHER_SOURCES)
def test_the_other_sources_pass_the_gates(desk: Path, line: str) -> None:
    (desk / "clips").mkdir(exist_ok=True)
    (desk / "wavs").mkdir(exist_ok=True)
    for name in ("take.flac", "take.txt"):
        shutil.copy2(desk / name, desk / "clips")
        shutil.copy2(desk / name, desk / "wavs")
    (desk / "metadata.csv").write_text("take|It is read.|It is read.\n", "utf-8")
    (desk / "train.jsonl").write_text('{"audio_filepath": "take.flac", "text": "It is read.", "duration": 4.0}\n')
    done = run_line(desk, line, PROD_TTS_DRY_RUN="1", WORK_DIR=str(desk / "dry"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[tts-prod] status=done backend=local"


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_the_first_day_and_the_readme_work_as_written(desk: Path) -> None:
    for line in (line for block in (*FIRST_DAY, OWN_VOICE) for line in block):
        done = run_line(desk, line)
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr
    work = desk / "work"
    for name in ("reports/dottie_default.html", "datasets/anna/report.html", "reports/anna.html", "morning.wav"):
        assert (work / name).stat().st_size > 0, name
    assert (work / "bundles/anna/voice_bundle/manifest.json").is_file()
