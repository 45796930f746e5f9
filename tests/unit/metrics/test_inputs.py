from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.errors import NotMeasurableError
from voicemill.evaluation.candidates import Candidate, copy_figures
from voicemill.metrics.catalogue import metrics_of
from voicemill.metrics.inputs import SentencePair, duration_error
from voicemill.metrics.pitch_errors import pitch_contour

RANGE = (70.0, 300.0)


def compare(real, synthesised) -> dict[str, float | None]:
    """Every metric of a sentence and its recording."""
    pair = SentencePair.align(real, synthesised, sample_rate=22_050, pitch_range=RANGE)
    return {metric.name: metric.measure(pair) for metric in metrics_of(SentencePair)}


def test_pitch_runs_in_step_with_the_spectrogram(talk) -> None:
    samples = talk(f0=150.0, seconds=2.0)
    contour = pitch_contour(samples, 22_050, RANGE)
    assert len(contour) == len(samples) // 256 + 1
    assert np.median(contour[contour > 0]) == pytest.approx(150.0, rel=0.08)


def test_a_sound_beside_itself_has_no_error(talk) -> None:
    samples = talk(seconds=2.0)
    found = compare(samples, samples)
    assert (found["mcd"], found["f0_rmse"], found["voicing_error"]) == (0.0, 0.0, 0.0)


def test_a_higher_voice_differs_in_cents(talk) -> None:
    found = compare(talk(f0=120.0), talk(f0=120.0 * 2 ** (1 / 12)))
    assert found["f0_rmse"] == pytest.approx(100.0, abs=30.0)


def test_copies_that_do_not_run_in_step_are_not_measured(talk) -> None:
    recording = talk(seconds=1.0)
    good = copy_figures(Candidate("copy", str, lambda samples: samples), [recording], 22_050)
    assert good["copy_mcd"].value == 0.0
    assert good["copy_stft"].value == 0.0
    short = copy_figures(Candidate("short", str, lambda samples: samples[:5000]), [recording], 22_050)
    assert short["copy_stft"].not_measured == "No recording could be compared with its copy."
    none = copy_figures(Candidate("none", str), [recording], 22_050)
    assert none["copy_mcd"].not_measured == "No copy synthesis was offered for this vocoder."


@pytest.mark.parametrize("semitones", [-2, 1, 2])
def test_a_recording_shifted_by_known_semitones_is_off_by_them(talk, semitones: int) -> None:
    """librosa's phase vocoder shifts; length, voicing and the way of the melody stay."""
    import librosa

    real = talk(f0=150.0, seconds=3.0)
    made = librosa.effects.pitch_shift(real, sr=22_050, n_steps=semitones).astype(np.float32)
    found = compare(real, made)
    assert found["f0_rmse"] == pytest.approx(abs(100.0 * semitones), abs=25.0)
    assert found["median_f0"] / found["median_f0_real"] == pytest.approx(2 ** (semitones / 12), rel=0.01)
    assert found["f0_correlation"] > 0.8
    assert found["gross_pitch_error"] < 0.1
    assert found["duration_error"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_a_recording_stretched_by_a_known_factor_has_the_known_length_error(talk, rate: float) -> None:
    import librosa

    real = talk(f0=150.0, seconds=3.0)
    made = librosa.effects.time_stretch(real, rate=rate).astype(np.float32)
    found = compare(real, made)
    assert found["duration_error"] == pytest.approx(abs(1 / rate - 1), abs=0.01)
    assert found["f0_rmse"] < 60.0


@given(st.floats(0.1, 100.0), st.floats(0.1, 10.0))
def test_a_stretch_by_a_known_factor_gives_the_known_error(seconds: float, factor: float) -> None:
    assert duration_error(seconds, seconds * factor) == pytest.approx(abs(factor - 1.0), abs=1e-9)


def test_too_fast_does_not_make_up_for_too_slow() -> None:
    assert (duration_error(2.0, 1.0) + duration_error(2.0, 3.0)) / 2 == 0.5


def test_no_length_is_no_reference() -> None:
    with pytest.raises(NotMeasurableError):
        duration_error(0.0, 1.0)
