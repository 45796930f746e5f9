from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import RefusedError
from voicemill_rental.console import Console
from voicemill_rental.state import Lease, StateFolder


def test_leases_stay_until_they_are_dropped(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state/voicemill")
    state.prepare()
    old, new = Lease("b", "voicemill-b", began=1.0), Lease("a", "voicemill-a", instance=7, dollars=0.5, began=2.0)
    for lease in (new, old):
        state.write(lease)
    assert state.leases() == [old, new]
    state.host(7).mkdir()
    (state.host(7) / "known_hosts").write_text("a key")
    state.drop(new)
    assert state.leases() == [old]
    assert not state.host(7).exists(), "the pinned key goes with its instance"
    assert (state.root.stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"job": "a"}', '{"job": "a", "label": "l", "other": 1}'])
def test_a_damaged_lease_is_shown_to_the_person(tmp_path: Path, text: str) -> None:
    state = StateFolder(tmp_path)
    tmp_path.chmod(0o700)
    state.prepare()
    (tmp_path / "leases/x.json").write_text(text)
    with pytest.raises(RefusedError) as caught:
        state.leases()
    assert caught.value.code == "state_unsafe"


def test_what_is_said_holds_neither_secrets_nor_control_characters() -> None:
    console = Console(("key", "", "to\nken"))
    assert console.redact("a key\x1b[2J b") == "a *** [2J b"
