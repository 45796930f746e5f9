"""`run` (bash), `run.ps1` (PowerShell), Compose and the orchestrator start containers alike."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from voicemill.launch import engine
from voicemill.launch.engine import ContainerRun, Engine


@pytest.fixture
def texts(repository: Path) -> dict[str, str]:
    """The launchers' texts."""
    return {name: (repository / name).read_text(encoding="utf-8") for name in ("run", "run.ps1", "docker/engine.sh")}


@pytest.fixture
def toolbox(repository: Path) -> dict:
    """The service that `docker compose run voicemill` starts."""
    return yaml.safe_load((repository / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["voicemill"]


def _words(text: str, pattern: str) -> list[str]:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return shlex.split(found[1].replace("', '", "' '"))


def test_every_launcher_leaves_the_same_places_writable(texts: dict[str, str], toolbox: dict) -> None:
    assert _words(texts["docker/engine.sh"], r"^write_options\(\) \{ WRITE_OPTIONS=\((.*)\); \}") == [*engine.WRITABLE]
    assert _words(texts["run.ps1"], r"^\$writable = (.*)$") == [*engine.WRITABLE]
    assert toolbox["read_only"] is True
    volumes = {volume["target"] for volume in toolbox["volumes"] if volume["type"] == "volume"}
    assert volumes == {"/tmp", "/home/voicemill"}


def test_every_launcher_gives_the_same_shared_memory_and_time_to_stop(texts: dict[str, str], toolbox: dict) -> None:
    argv = ContainerRun("image", []).argv(Engine("docker"))
    assert argv[argv.index("--shm-size") + 1] == toolbox["shm_size"] == "1gb"
    assert argv[argv.index("--stop-timeout") + 1] == "120"
    assert toolbox["stop_grace_period"] == "2m"
    assert '--stop-timeout 120 --shm-size "$(setting shm_size)"' in texts["run"], "of the Compose file"
    assert "--stop-timeout 120 --shm-size 1g " in texts["run.ps1"]
