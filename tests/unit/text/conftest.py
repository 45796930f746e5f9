"""The dictionary, read once."""

from __future__ import annotations

import pytest

from voicemill.text.lexicon import Lexicon


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return Lexicon.load()
