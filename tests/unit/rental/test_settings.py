from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import UsageError
from voicemill_rental.settings import RentalSettings, read_env


def test_a_file_of_settings_is_read_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("\ufeff# a comment\n\nexport A='x y # z'\nB=\"$(touch never)\" # why\r\nC=\n", encoding="utf-8")
    assert read_env(path) == {"A": "x y # z", "B": "$(touch never)", "C": ""}
    assert read_env(tmp_path / "none") == {}


@pytest.mark.parametrize("line", ["A", "A=b c", "A='open", "1A=b", "a-b=c"])
def test_a_wrong_line_is_named_without_its_text(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"OK=1\n{line}secret\n")
    with pytest.raises(UsageError) as caught:
        read_env(tmp_path / ".env")
    assert caught.value.reason == "env_invalid"
    assert "Line 2" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_environment_goes_before_the_file_and_secrets_stay_out_of_sight(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VAST_API_KEY=of-the-file\nGHCR_TOKEN=token\nVOICEMILL_REGISTRY=r.io/me/v\n")
    environ = {"VAST_API_KEY": "of-the-environment", "PATH": "/bin"}
    read = RentalSettings.from_environment(environ, home=tmp_path, env_file=tmp_path / ".env")
    assert (read.key, read.token, read.max_monthly) == ("of-the-environment", "token", 40.0)
    assert (read.image, read.image_blackwell) == ("r.io/me/v:cuda", "r.io/me/v:cuda130")
    assert read.environment == {"PATH": "/bin"}
    assert not any(secret in repr(read) for secret in ("of-the-environment", "token"))
    assert read.ssh_key is None


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "much"])
def test_prices_and_times_are_numbers(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        RentalSettings.from_environment({"VAST_MAX_MONTHLY_PRICE": value}, home=tmp_path, env_file=tmp_path / "none")
    assert caught.value.reason == "bad_usage"


def test_the_example_is_a_file_of_settings(repository: Path) -> None:
    assert {"VAST_API_KEY", "VOICEMILL_REGISTRY", "GHCR_TOKEN"} == set(read_env(repository / ".env.example"))
