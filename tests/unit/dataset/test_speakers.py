from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.prepare import prepare
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import PreparationRequest, recording_source
from voicemill.dataset.speakers import Embedded, similarities
from voicemill.workspace import Workspace


def _embedded(*angles: float | None) -> list[Embedded]:
    """Vectors of length 1 in the plane, by their angle in degrees."""
    radians = [None if angle is None else np.deg2rad(angle) for angle in angles]
    return [Embedded(vector=None if one is None else (float(np.cos(one)), float(np.sin(one)))) for one in radians]


def test_a_guest_does_not_pull_the_speaker_over() -> None:
    found = similarities(_embedded(-2, 0, 2, 90, None, 88))
    assert found[4] is None
    assert found[:4] == pytest.approx([np.cos(np.deg2rad(angle)) for angle in (2, 0, 2, 90)], abs=1e-9)
    assert similarities(_embedded(None, None)) == [None, None]
    scattered = similarities(_embedded(0, 120, 240.1))  # nobody is near to the centre: still figures, not an error
    assert all(one is not None and np.isfinite(one) for one in scattered)


@pytest.mark.slow
def test_a_speaker_model_in_the_cache_hears_a_guest_whom_pitch_does_not_give_away(
    prepared: PreparedDataset, place: Workspace, shelve: Callable[..., Path], timbre_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for entry in prepared.entries[:7]:
        shutil.copyfile(prepared.root / entry.audio_filepath, folder / f"{entry.id}.wav")
        (folder / f"{entry.id}.lab").write_text(entry.text)
    guest = folder / f"{prepared.entries[3].id}.wav"
    samples, rate = soundfile.read(guest, dtype="float32")
    soundfile.write(guest, samples, round(1.15 * rate))  # a shorter throat, and a pitch only 2.4 semitones higher
    allowlist = shelve("somebody/speaker", timbre_model, kind="speaker")
    model, aside = place.weights_cache / "somebody/speaker/speaker.onnx", tmp_path / "aside"
    model.rename(aside)
    request = PreparationRequest(voice="clips", source=recording_source(folder), workers=1, allowlist=allowlist)
    without = prepare(request, place)
    assert [entry.source for entry in without.entries] == sorted(path.name for path in folder.glob("*.wav"))
    assert {entry.quality.speaker_similarity for entry in without.entries} == {None}

    aside.rename(model)
    request = dataclasses.replace(request, workers=2)
    made = prepare(request, place)
    assert not made.cache_hit
    assert "somebody/speaker" in made.description.tools
    [row] = made.report.rejected
    assert (row.source, row.reason, row.unit, row.limit) == (guest.name, "other_voice", "cosine", 0.4)
    assert row.figure is not None
    assert row.figure < 0.4
    assert "by somebody/speaker" in row.detail
    assert min(entry.quality.speaker_similarity or 0 for entry in made.entries) > 0.4

    welcome = QualityLimits(min_speaker_similarity=-1)
    everybody = prepare(dataclasses.replace(request, quality=welcome), place)
    assert len(everybody.entries) == 7
