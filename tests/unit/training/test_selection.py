"""Validation by measured quality, on a model that really trains."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from voicemill.synthesis.mel import AudioConfig
from voicemill.training.data import read_dataset
from voicemill.training.hooks import Hooks
from voicemill.training.selection import validations_without_gain
from voicemill.training.train_fastpitch import train_acoustic
from voicemill.training.validation import NO_SOUND, ValidationWorker, measure_sentences, read_sentence

from .conftest import tiny_config

pytestmark = pytest.mark.slow


def test_when_to_give_up() -> None:
    assert validations_without_gain([], 0.01) == 0
    assert validations_without_gain([1.0, 0.9, 0.8], 0.01) == 0
    assert validations_without_gain([1.0, 0.9, 0.895, 0.899, 0.95], 0.01) == 3
    assert validations_without_gain([math.inf, math.inf, 5.0], 0.01) == 0
    assert validations_without_gain([1.0, 2.0, 0.5, 0.5], 0.0) == 1


@pytest.mark.slow
def test_the_recording_itself_is_better_than_another_sentence_and_silence_is_worst(tone_dataset: Path) -> None:
    dataset, audio = read_dataset(tone_dataset), AudioConfig()
    clip = read_sentence(dataset.validation[0], audio)
    other = read_sentence(dataset.train[1], audio)
    same = measure_sentences([clip.mel], [clip], audio, dataset.pitch_statistics)
    different = measure_sentences([other.mel], [clip], audio, dataset.pitch_statistics)
    assert same.mel_distance == pytest.approx(0.0, abs=1e-6)
    assert different.mel_distance > 1.0
    assert same.score < different.score < NO_SOUND.score
    assert np.isfinite(different.score)


def measured(notes: list[str]) -> list[int]:
    """The steps whose scores were noted."""
    return [int(note.split()[4][:-1]) for note in notes if note.startswith("Held-out")]


@pytest.mark.parametrize(("last_step", "notes_before"), [(5, [2]), (4, [])])
def test_the_best_weights_are_kept_and_a_resumed_run_keeps_the_same(
    tone_dataset: Path, tmp_path: Path, last_step: int, notes_before: list[int]
) -> None:
    """Also when the interruption comes at a step with a validation, which is then not waited for."""
    config = tiny_config(max_steps=9, average_decay=0.5, validation={"interval": 2, "patience": 50, "sentences": 1})
    notes: list[str] = []
    whole = train_acoustic(config, tone_dataset, tmp_path / "whole", hooks=Hooks(note=notes.append))
    assert measured(notes) == [2, 4, 6, 8, 9]
    assert any("scored best on the held-out sentences" in note for note in notes)
    seen: list[int] = []
    first_notes: list[str] = []
    cut = Hooks(
        note=first_notes.append,
        on_step=lambda report: seen.append(report.step),
        should_stop=lambda: seen[-1] == last_step,
    )
    train_acoustic(config, tone_dataset, tmp_path / "cut", hooks=cut)
    assert measured(first_notes) == notes_before
    again: list[str] = []
    rest = train_acoustic(config, tone_dataset, tmp_path / "cut", resume=True, hooks=Hooks(note=again.append))
    assert first_notes + again == notes
    assert rest.weights_sha256 == whole.weights_sha256
    off = train_acoustic(tiny_config(max_steps=9, average_decay=0.5), tone_dataset, tmp_path / "off")
    assert off.loss_curve == whole.loss_curve, "validation does not change the training"


def test_a_voice_that_no_longer_improves_ends_early_and_stays_ended(tone_dataset: Path, tmp_path: Path) -> None:
    """With a rate of nearly nothing the voice stays as it is."""
    config = tiny_config(
        max_steps=50,
        optimiser={"learning_rate": 1e-12, "warmup_steps": 0},
        validation={"interval": 2, "patience": 2, "sentences": 1},
    )
    result = train_acoustic(config, tone_dataset, tmp_path)
    assert result.steps == 8  # measured at 2, no gain at 4 and 6; known at 8
    assert not result.interrupted
    assert result.nemo_path is not None
    again = train_acoustic(config, tone_dataset, tmp_path, resume=True)
    assert again.steps == 8
    assert again.weights_sha256 == result.weights_sha256


def test_a_killed_worker_is_replaced_once_with_the_same_scores(tone_dataset: Path) -> None:
    dataset, audio = read_dataset(tone_dataset), AudioConfig()
    clip = read_sentence(dataset.validation[0], audio)
    worker = ValidationWorker([clip], audio, dataset.pitch_statistics)
    try:
        worker.submit([clip.mel])
        [child] = multiprocessing.active_children()
        os.kill(child.pid or 0, signal.SIGTERM)
        assert worker.result() == measure_sentences([clip.mel], [clip], audio, dataset.pitch_statistics)
        assert multiprocessing.active_children() != [child]
    finally:
        worker.close()
    assert not multiprocessing.active_children()
