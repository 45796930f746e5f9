from __future__ import annotations

import dataclasses
from pathlib import Path

from voicemill.dataset.prepare import PreparedDataset
from voicemill.dataset.stages import alignment
from voicemill.dataset.stages.alignment import AlignTask


def _task(prepared: PreparedDataset, cache: Path) -> AlignTask:
    entry = prepared.entries[1]
    return AlignTask(prepared.root / entry.audio_filepath, entry.sha256, entry.normalized_text, None, None, cache)


def test_words_of_the_text_in_order_and_the_cache_gives_the_same(prepared: PreparedDataset, tmp_path: Path) -> None:
    found = alignment.align(_task(prepared, tmp_path))
    assert " ".join(row[0] for row in found.words) == "this recording was made in a small room with a soft carpet"
    assert found.fits
    again = alignment.align(_task(prepared, tmp_path))
    assert again == found.model_copy(update={"cached": True})


def test_other_text_does_not_fit(prepared: PreparedDataset, tmp_path: Path) -> None:
    task = dataclasses.replace(_task(prepared, tmp_path), text="Seven geese flew over frozen lakes at noon.")
    assert not alignment.align(task).fits


def test_a_text_that_cannot_be_placed_says_why(prepared: PreparedDataset, tmp_path: Path) -> None:
    task = dataclasses.replace(_task(prepared, tmp_path), text=" ".join(["extraordinarily complicated"] * 60) + ".")
    found = alignment.align(task)
    assert (found.fits, found.words, found.score) == (False, [], None)
    assert found.problem
    assert alignment.align(task).problem == found.problem


def test_a_damaged_entry_is_made_again(prepared: PreparedDataset, tmp_path: Path) -> None:
    found = alignment.align(_task(prepared, tmp_path))
    (stored,) = tmp_path.rglob("*.json")
    stored.write_text("{")
    assert alignment.align(_task(prepared, tmp_path)) == found


def test_another_pronunciation_is_another_entry(prepared: PreparedDataset, tmp_path: Path) -> None:
    own = tmp_path / "own.dict"
    own.write_text("carpet K AA R P IH T\n")
    alignment.align(_task(prepared, tmp_path / "cache"))
    found = alignment.align(dataclasses.replace(_task(prepared, tmp_path / "cache"), extra=own, extra_sha256="1"))
    assert not found.cached
    assert [phone for phone, _, _ in found.words[-1][3]] == ["K", "AA", "R", "P", "IH", "T"]
