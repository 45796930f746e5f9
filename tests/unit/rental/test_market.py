from __future__ import annotations

import os
from pathlib import Path

import pytest

from voicemill.errors import DependencyError
from voicemill_rental.market import Market
from voicemill_rental.settings import RentalSettings


def test_a_client_that_talks_nonsense_is_told_and_ended(tmp_path: Path) -> None:
    client, pid = tmp_path / "client", tmp_path / "pid"
    client.write_text(f"#!/bin/sh\necho $$ > '{pid}'\nread line\necho nonsense\nexec sleep 600\n")
    client.chmod(0o755)
    environment = {"VAST_API_KEY": "k", "VOICEMILL_VAST_PYTHON": str(client), "PATH": os.environ["PATH"]}
    settings = RentalSettings.from_environment(environment, home=tmp_path, env_file=tmp_path / ".env")
    with Market(settings) as market:
        with pytest.raises(DependencyError) as caught:
            market.offers("")
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)
    assert caught.value.reason == "vast_client_missing"
