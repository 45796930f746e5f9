"""The runbook's roll back: its commands, taken from the page, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def blocks() -> list[list[list[str]]]:
    """The fenced blocks of the section, each a list of commands."""
    text = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    section = text.split("### Roll back\n", 1)[1].split("\n### ", 1)[0]
    found = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return [[shlex.split(line) for line in block.splitlines()] for block in found]


def start(folder: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    app = ROOT / "apps" / command[0] / f"{command[0]}.py"
    return subprocess.run(
        [sys.executable, str(app), *command[1:]],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
        env={**os.environ, "WORK_DIR": str(folder / "work")},
    )


def run(folder: Path, commands: list[list[str]]) -> None:
    for command in commands:
        done = start(folder, command)
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.slow
def test_the_former_voice_is_put_back(certifiable: Callable[..., Path], tmp_path: Path) -> None:
    keep, put_back, promote_again = blocks()
    former, newer = certifiable("anna"), certifiable("bert")
    shutil.copytree(tmp_path / "make-anna/built", tmp_path / "kept/prod_tts_voice_bundle")
    (tmp_path / "work").mkdir()
    former.parents[1].rename(tmp_path / "work/bundles")
    voice = tmp_path / "work/bundles/anna/voice_bundle"
    replace = ["voice-bundle", "promote", "--input-manifest", str(tmp_path / "make-bert/built/manifest.json")]
    sign_off = [
        ["voice-verify", "certify", str(voice)],
        ["voice-bundle", "sign", str(voice), "--key", "anna.pem"],
    ]
    verify = ["voice-verify", "bundle", str(voice), "--public-key", "anna.pub.pem", "--require-signature", "--json"]
    run(tmp_path, [["voice-bundle", "keygen", "--private", "anna.pem", "--public", "anna.pub.pem"], *sign_off, *keep])
    shipped = (voice / "manifest.json").read_bytes()

    run(tmp_path, [[*replace, "--voice", "anna", "--display-name", "Anna 2"], *sign_off])
    assert (voice / "manifest.json").read_bytes() != shipped
    run(tmp_path, put_back)
    assert (voice / "manifest.json").read_bytes() == shipped
    assert json.loads(start(tmp_path, verify).stdout)["certifiable"], "certificate and signature came back with it"

    run(tmp_path, [[*replace, "--voice", "anna", "--display-name", "Anna 2"], *sign_off])
    run(tmp_path, promote_again)
    again = json.loads((voice / "manifest.json").read_text())
    assert again["files"] == json.loads(shipped)["files"]
    assert json.loads(start(tmp_path, verify).stdout)["certifiable"]
    assert newer.name == "voice_bundle"
