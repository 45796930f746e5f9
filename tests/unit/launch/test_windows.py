"""run.ps1 against run: the lists that both have. PowerShell itself is not installed where the tests run."""

from __future__ import annotations

import re
from pathlib import Path


def test_an_image_is_made_of_the_same_folders(repository: Path) -> None:
    ours = re.search(r"image_sources=\((.*)\)", (repository / "docker/source.sh").read_text(encoding="utf-8"))
    theirs = re.search(r"^\$sources = (.*)$", (repository / "run.ps1").read_text(encoding="utf-8"), re.MULTILINE)
    assert ours
    assert theirs
    assert [each.strip("'") for each in theirs[1].split(", ")] == ours[1].split()


def test_the_same_variables_reach_the_container(repository: Path) -> None:
    script = (repository / "run").read_text(encoding="utf-8")
    ours = re.findall(r"(?<=[|\s])/([A-Za-z0-9_*]+)(?=[|)])", script[script.index("/PROD_TTS_*|") - 1 :])
    theirs = re.search(
        r"^\$passed = '\^\((.*)\)\$'$", (repository / "run.ps1").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert theirs
    names = theirs[1].replace("https?_proxy", "http_proxy|https_proxy").replace(".*", "*").split("|")
    assert len(names) > 15
    # the names of variables have one case in Windows
    assert {name.lower() for name in ours} == {name.lower() for name in names}


def test_the_same_commands_get_the_image_with_qwen(repository: Path) -> None:
    script = (repository / "run").read_text(encoding="utf-8")
    ours = re.findall(r'"voice-synth ([a-z-]+)"', script[script.index("needs_qwen()") :])
    theirs = re.search(r"^\$speaking = (.*)$", (repository / "run.ps1").read_text(encoding="utf-8"), re.MULTILINE)
    assert theirs
    assert len(ours) > 3
    assert [each.strip("'") for each in theirs[1].split(", ")] == ours
