"""The studio on a real server, and one Chromium for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import Browser
from tests.unit.serve.conftest import Server, certified, end, made, start, start_server

__all__ = ["certified", "made", "start"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


@pytest.fixture(scope="module")
def studio(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with the certified voice anna and without a token."""
    found = start_server(certified, tmp_path_factory.mktemp("studio") / "work")
    yield found
    end(found)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the work and the cache of `server`; modules may put a dataset there."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def server(work: Path) -> Iterator[Server]:
    """A server without a voice."""
    (work / "bundles").mkdir()
    found = start_server(work / "bundles", work / "work", CACHE_DIR=str(work / "cache"))
    yield found
    end(found)


TOKENS = ("correct horse battery staple", "another token of the same file")


@pytest.fixture(scope="module")
def guarded(certified: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same with two tokens, for all tests of a module."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "tokens").write_text("\n".join(TOKENS), "utf-8")
    found = start_server(certified, folder / "work", "--token-file", str(folder / "tokens"))
    yield found
    end(found)
