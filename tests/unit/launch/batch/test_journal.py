from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import RefusedError
from voicemill.launch.batch.journal import NAME, JournalRecord, open_journal

DONE = JournalRecord("a", "done", exit_code=0, seconds=1.5, log="a.log", artifacts=("x.wav",))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    with open_journal(tmp_path / "batch") as journal:
        journal.write(JournalRecord("a", "started"))
        assert journal.finished("a") is None
        journal.write(DONE)
        journal.write(JournalRecord("b", "done", exit_code=3))
    with open_journal(tmp_path / "batch") as journal:
        assert journal.finished("a") == DONE
        assert journal.finished("b") is None, "what failed is run again"
        journal.forget()
    assert (tmp_path / "batch" / NAME).read_bytes() == b""


def test_a_record_that_was_cut_off_at_any_byte_costs_only_itself(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.write(DONE)
        journal.write(JournalRecord("b", "done", exit_code=0))
    whole = (tmp_path / NAME).read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:end])
        with open_journal(tmp_path) as journal:
            assert journal.finished("a") == DONE
            assert (journal.finished("b") is not None) == (end == len(whole) - 1)
            journal.write(JournalRecord("c", "done", exit_code=0))
        with open_journal(tmp_path) as journal:
            assert journal.finished("a") == DONE
            assert journal.finished("c") is not None


def test_one_batch_at_a_time(tmp_path: Path) -> None:
    with open_journal(tmp_path), pytest.raises(RefusedError) as caught, open_journal(tmp_path):
        pass
    assert caught.value.reason == "batch_busy"
