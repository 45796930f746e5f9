from __future__ import annotations

from pathlib import Path

import pytest

from voicemill import git
from voicemill.git import GitError


def test_git_answers_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(GitError, match="not a git repository"):
        git.run(tmp_path, "status")
    git.run(tmp_path, "init", "-q")
    (tmp_path / "Zoë").touch()
    assert git.run(tmp_path, "-c", "core.quotePath=false", "status", "--porcelain") == "?? Zoë\n"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="No such file"):
        git.run(tmp_path, "status")
