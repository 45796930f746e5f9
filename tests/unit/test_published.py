"""The README's table of images says what docker/ and locks/ really build."""

from __future__ import annotations

import re
from pathlib import Path


def test_the_table_of_images_says_what_is_built(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Published images")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]
    pin = (repository / "locks/torch.txt").read_text().strip().partition("==")[2]
    assert {row[1] for row in rows} == {pin}
    base = (repository / "docker/Dockerfile.cuda-base").read_text()
    compute = re.search(r"^ARG COMPUTE=cu(\d\d)(\d)$", base, re.MULTILINE)
    assert compute
    toolkit = re.search(
        r'^cuda-toolkit = {version = "(\d+\.\d+)', (repository / "poetry.lock").read_text(), re.MULTILINE
    )
    assert toolkit
    assert toolkit[1] == f"{compute[1]}.{compute[2]}", "the lock's torch is built for another CUDA than the image's"
    by_tag = {row[0].split("`")[1]: row for row in rows}
    assert by_tag["cuda-base"][2] == by_tag["cuda"][2] == toolkit[1]
    assert f"`cuda{compute[1]}{compute[2]}`" in by_tag["cuda"][0]
