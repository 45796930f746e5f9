from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.align.forced_alignment import Aligner
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span, speech_spans
from voicemill.dataset import unwritten
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.stages import alignment
from voicemill.dataset.stages.alignment import AlignTask
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise


def _task(prepared: PreparedDataset, cache: Path) -> AlignTask:
    entry = prepared.entries[1]
    return AlignTask(
        prepared.root / entry.audio_filepath, entry.sha256, entry.text, entry.normalized_text, None, None, cache
    )


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


def test_speech_outside_all_words() -> None:
    words: list[WordRow] = [("one", 0.2, 0.6, []), ("two", 0.6, 1.0, [])]
    inside = unwritten.speech(words, [Span(0.15, 1.05)])
    assert (inside.seconds, inside.longest, inside.share, inside.excessive) == (0.0, 0.0, 0.0, False)
    tail = unwritten.speech(words, [Span(0.2, 1.0), Span(1.4, 2.0)])
    assert tail.longest == pytest.approx(0.6)
    assert tail.excessive
    short = unwritten.speech(words, [Span(0.2, 1.0), Span(1.4, 1.6)])
    assert short.share == pytest.approx(0.2)
    assert not short.excessive


@pytest.mark.parametrize(("decibels", "excessive"), [(-20.0, False), (-8.0, True)])
def test_a_stretch_that_is_too_soft_for_a_word_is_no_speech(decibels: float, excessive: bool) -> None:
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32) * np.float32(0.1)
    noise[16_000:] *= np.float32(10.0 ** (decibels / 20.0))
    words: list[WordRow] = [("one", 0.0, 0.5, []), ("two", 0.5, 1.0, [])]
    found = unwritten.speech(words, [Span(0.0, 2.0)], LevelEnvelope.of(noise, 16_000))
    assert found.excessive is excessive


@pytest.mark.parametrize("part", [slice(2), slice(6, None)])
def test_a_text_that_lacks_half_of_what_a_person_says_is_found(part: slice) -> None:
    people = Path(__file__).parents[3] / "data" / "people" / "austen"
    path = people / "austen-0890.flac"
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    whole = path.with_suffix(".txt").read_text(encoding="utf-8")
    aligner, speech = Aligner(Lexicon.load()), speech_spans(samples)
    for text, excessive in ((whole, False), (" ".join(whole.split()[part]), True)):
        found = aligner.align(samples, normalise(text))
        rows: list[WordRow] = [(word.text, word.start, word.end, []) for word in found.words]
        assert unwritten.speech(rows, speech, LevelEnvelope.of(samples, rate)).excessive is excessive
