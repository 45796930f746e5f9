"""The folds of `bench.py likeness`: no clip is trained on and judged, and the figures are those of the sentences."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from voicemill.training.data import read_dataset

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDS = 3


@pytest.fixture
def likeness() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts/bench"))
        import likeness

        yield likeness
    for name in ("likeness", "judges"):
        sys.modules.pop(name, None)


def test_every_clip_is_held_out_once_and_not_learned_from(
    likeness: ModuleType, tone_dataset: Path, tmp_path: Path
) -> None:
    whole = read_dataset(tone_dataset)
    every = sorted(clip.id for clip in (*whole.train, *whole.validation))
    judged = []
    for number in range(FOLDS):
        fold = likeness.make_fold(tone_dataset, number, FOLDS, tmp_path / str(number))
        rest = read_dataset(fold.folder)
        parts = [[clip.id for clip in part] for part in (fold.held_out, rest.validation, rest.train)]
        assert sorted(clip for part in parts for clip in part) == every
        assert all(parts)
        assert all(clip.audio.is_file() and clip.pitch.is_file() for clip in (*rest.train, *fold.held_out))
        judged += parts[0]
    assert sorted(judged) == every


def test_less_audio_is_spread_over_the_rest(likeness: ModuleType, tone_dataset: Path, tmp_path: Path) -> None:
    whole = read_dataset(likeness.make_fold(tone_dataset, 0, 6, tmp_path / "whole").folder)
    minutes = 2 * sum(clip.seconds for clip in whole.train) / len(whole.train) / 60
    less = likeness.make_fold(tone_dataset, 0, 6, tmp_path / "less", minutes)
    chosen = {clip.id for clip in read_dataset(less.folder).train}
    assert len(chosen) == 2
    assert chosen < {clip.id for clip in whole.train}
    assert [clip.id for clip in read_dataset(less.folder).validation] == [clip.id for clip in whole.validation]


def test_the_figures_are_those_of_all_sentences(likeness: ModuleType) -> None:
    first = {"errors": 1, "words": 4, "similarity": 0.8, "overall": 2.0, "p808": 3.0}
    first |= {"real_errors": 0, "real_words": 4, "real_similarity": 1.0, "real_overall": 3.0, "real_p808": 4.0}
    second = first | {"errors": 0, "words": 12, "real_words": 12, "similarity": 0.6, "real_p808": 3.5}
    recordings, voice, compared = likeness.summary([first, second], 2)
    assert recordings == "| recordings, 2 sentences | 1.000 | 3.000 | 3.750 | 0.000 |"
    assert voice == "| voice, 2 sentences | 0.700 | 2.000 | 3.000 | 0.062 |"
    assert compared.startswith(
        "2 folds: similarity 0.700 (0.600 to 0.800) x, P.808 0.75 (0.50 to 1.00) below, errors 0.062"
    )


def test_more_sentences_than_a_panel_takes_are_judged_in_parts(
    likeness: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    from judges import shipped_judges

    from voicemill.training.data import read_audio

    paths = [REPOSITORY / f"tests/data/people/lj/LJ001-{number}.flac" for number in ("0002", "0008")]
    sounds = [np.asarray(read_audio(path, 22_050)) for path in paths]
    judges, _, people = shipped_judges()
    panel = likeness.Panel(22_050, judges, sounds, people)
    texts = ["in being comparatively modern", "has never been surpassed"]
    whole = likeness._figures(panel, sounds, texts)
    monkeypatch.setattr(likeness, "MOST_SENTENCES", 1)
    assert likeness._figures(panel, sounds, texts) == whole
    assert [figures["recognised"] for figures in whole] == texts
