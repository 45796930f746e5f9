"""docs/scale.md is what its script prints, from figures that docs/benchmarks.md states."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SCRIPT = "scripts/bench/scale.py"


def printed(repository: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(repository / SCRIPT), *argv], capture_output=True, text=True, check=False, timeout=60
    )


def figures(page: str, row: str) -> list[float]:
    line = next(line for line in page.splitlines() if re.match(rf"\| \**{re.escape(row)}", line))
    return [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", line.partition(row)[2].replace(",", ""))]


def test_measured_figures_are_quoted_from_the_benchmarks(repository: Path) -> None:
    lines = (repository / "docs/benchmarks.md").read_text(encoding="utf-8").splitlines()
    measured = yaml.safe_load((repository / "docs/scale.yaml").read_text(encoding="utf-8"))
    assert len(measured) > 15
    for name, entry in measured.items():
        assert lines.count(entry["line"]) == 1, f"{name}: not one line of docs/benchmarks.md: {entry['line']}"
        assert str(entry["value"]) in re.findall(r"\d+(?:\.\d+)?", entry["line"]), name


def test_the_page_is_what_the_script_prints(repository: Path) -> None:
    done = printed(repository)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (repository / "docs/scale.md").read_text(encoding="utf-8"), f"make it again: {SCRIPT}"


def test_the_budgets_are_the_presets(repository: Path) -> None:
    page = (repository / "docs/scale.md").read_text(encoding="utf-8").replace("\n", " ")
    presets = repository / "configs/voice/prod_tts/presets"
    acoustic = yaml.safe_load((presets / "scratch.yaml").read_text(encoding="utf-8"))["acoustic"]
    vocoder = yaml.safe_load((presets / "finetune.yaml").read_text(encoding="utf-8"))["vocoder"]
    assert f"{acoustic['max_steps']:,} steps of {acoustic['batch_size']} clips a voice (preset `scratch`)" in page
    assert (
        f"{vocoder['max_steps']:,} steps of {vocoder['batch_size']} segments of 8192 samples (preset `finetune`)"
        in page
    )


def test_twice_the_audio_is_twice_the_preparation_and_the_same_training(repository: Path) -> None:
    one = printed(repository, "--hours", "5000").stdout
    two = printed(repository, "--hours", "10000").stdout
    (cores_one, cost_one), (cores_two, cost_two) = figures(one, "preparation"), figures(two, "preparation")
    assert cores_two == pytest.approx(2 * cores_one, abs=2)
    assert cost_two == pytest.approx(2 * cost_one, abs=1)
    assert figures(one, "a voice") == figures(two, "a voice")
    assert figures(two, "recordings")[0] == pytest.approx(2 * figures(one, "recordings")[0], abs=2)
    # By hand: 11.6 s on two cores for 425.6 s of audio.
    assert cores_two == pytest.approx(11.6 * 2 / 425.6 * 10_000, abs=1)


def test_a_gpu_twice_as_fast_halves_the_training_but_not_what_waits_for_the_cores(repository: Path) -> None:
    page = printed(repository, "--gpu", "slow=1,1", "--gpu", "fast=1,2", "--voices", "1000").stdout
    slow, fast = figures(page, "slow")[2], figures(page, "fast")[2]
    waiting = figures(page, "start, evaluation, bundle")[1]
    assert fast - waiting == pytest.approx((slow - waiting) / 2, abs=1)


@pytest.mark.parametrize(
    "argv",
    [
        ["--gpu", "L4"],
        ["--gpu", "L4=x,1"],
        ["--gpu", "L4=1,0"],
        ["--gpu", "=1,1"],
        ["--voices", "0"],
        ["--hours", "nan"],
    ],
)
def test_figures_that_make_no_sense_are_refused(repository: Path, argv: list[str]) -> None:
    done = printed(repository, *argv)
    assert done.returncode != 0
    assert "Invalid value" in done.stderr
    assert done.stdout == ""
