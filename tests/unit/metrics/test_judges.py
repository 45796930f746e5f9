"""The judges on recordings of people: what each can tell apart."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from voicemill.audio.decode import resample
from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.errors import NotMeasurableError
from voicemill.metrics.error_rate import pooled, word_errors
from voicemill.metrics.judges import Judges, WhisperRecogniser, find_judges, spoken_form
from voicemill.metrics.opinion import OpinionModel
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

pytestmark = pytest.mark.slow

RATE = 22_050


def wer(judges: Judges, texts, sounds) -> float:
    assert isinstance(judges.recogniser, WhisperRecogniser)
    found = [judges.recogniser.transcribe(resample(sound, RATE, 16_000)) for sound in sounds]
    return pooled(word_errors(texts, found)).rate


def test_whisper_recognises_people_and_their_copies_but_not_noise(judges, lj):
    clips = [lj[1], lj[4]]
    texts = [clip.text for clip in clips]
    assert wer(judges, texts, [clip.samples for clip in clips]) < 0.1
    assert wer(judges, texts, [clip.copy() for clip in clips]) < 0.1
    assert wer(judges, [lj[4].text], [lj[4].noisy(-10)]) > 0.3


def test_what_whisper_writes_in_digits_and_signs_is_compared_as_words():
    assert spoken_form("In 1910, Mr. Lee paid $5.") == "in nineteen ten mister lee paid five dollars"
    assert spoken_form("") == ""
    assert spoken_form("\u042f see") == "see"


def test_the_speaker_encoder_tells_people_apart_and_knows_them_through_a_vocoder(judges, lj, austen):
    model = judges.speaker
    assert isinstance(model, SpeakerModel)
    mine = [model.embed(clip.samples, RATE) for clip in lj]
    speaker = centroid(np.array(mine[:3]))
    same = [float(one @ speaker) for one in mine[3:]]
    copies = [float(model.embed(clip.copy(), RATE) @ speaker) for clip in lj[3:]]
    others = [float(model.embed(clip.samples, RATE) @ speaker) for clip in austen]
    assert np.mean(same) > 0.85
    assert np.mean(copies) > 0.95 * np.mean(same)
    assert np.mean(others) < 0.8 * np.mean(same)
    quiet = model.embed(np.float32(0.05) * lj[4].samples, RATE)
    assert float(quiet @ mine[4]) > 0.99


def test_opinion_scores_fall_with_damage(judges, lj):
    model = judges.opinion
    assert isinstance(model, OpinionModel)
    clip = lj[1]
    recorded, copied, rough, noisy = (
        model.score(sound, RATE) for sound in (clip.samples, clip.copy(), clip.copy(2), clip.noisy(5))
    )
    assert recorded.p808 > copied.p808 > rough.p808
    assert recorded.overall > copied.overall > noisy.overall
    assert recorded.background > noisy.background + 1
    assert model.score(np.float32(0.02) * clip.samples, RATE).p808 == pytest.approx(recorded.p808, abs=0.01)


def test_opinion_scores_are_those_of_microsofts_program(judges, lj):
    dnsmos = pytest.importorskip("speechmos.dnsmos")
    sound = np.concatenate([clip.samples for clip in lj[1:3]])
    sound = resample(sound, RATE, 16_000)[: int(9.9 * 16_000)]
    assert len(sound) > 9.01 * 16_000
    sound = sound * np.float32(0.9 / np.abs(sound).max())
    theirs = dnsmos.run(sound, 16_000)
    ours = judges.opinion.score(sound, 16_000)
    expected = [theirs[name] for name in ("sig_mos", "bak_mos", "ovrl_mos", "p808_mos")]
    assert [ours.signal, ours.background, ours.overall, ours.p808] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("sound", [np.zeros(0), np.zeros(16_000), np.full(16_000, np.nan)], ids=["none", "0", "nan"])
def test_silence_has_no_opinion_score(judges, sound):
    with pytest.raises(NotMeasurableError):
        judges.opinion.score(sound.astype(np.float32), 16_000)


def test_a_judge_that_is_not_installed_gives_its_reason(monkeypatch, tmp_path):
    import importlib.metadata

    def absent(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    found = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, tmp_path, tmp_path))
    assert found.recogniser == "openai/whisper-tiny.en cannot be used: weights_unavailable:openai/whisper-tiny.en."
    assert found.opinion == "microsoft/dnsmos cannot be used: weights_unavailable:microsoft/dnsmos."
    assert "weights_unavailable" in str(found.speaker)


def test_a_recogniser_without_its_program_gives_the_reason(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, tmp_path, REPOSITORY))
    assert found.recogniser == "openai/whisper-tiny.en cannot be used: extra_missing:faster-whisper."


def test_the_committed_encoder_is_the_pinned_one_and_computes_as_the_checkpoint_does(judges, lj):
    """The wheel's checkpoint in plain torch and librosa, with Resemblyzer's own windows, gives the same embedding."""
    import importlib.metadata
    import math

    import librosa
    import torch

    checkpoint = Path(str(importlib.metadata.distribution("resemblyzer").locate_file("resemblyzer/pretrained.pt")))
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["model_state"]
    lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
    lstm.load_state_dict({name[5:]: value for name, value in state.items() if name.startswith("lstm.")})
    linear.load_state_dict({name[7:]: value for name, value in state.items() if name.startswith("linear.")})
    for clip in (lj[0], lj[1], lj[2]):
        sound = resample(clip.samples, RATE, 16_000)
        level = 20 * math.log10(float(np.sqrt(np.mean(sound**2))))
        loud = sound * np.float32(10 ** ((-24 - level) / 20))
        frames = math.ceil((len(loud) + 1) / 160)
        starts = list(range(0, max(1, frames - 160 + 77 + 1), 77))
        if len(starts) > 1 and (len(loud) - starts[-1] * 160) / 25_600 < 0.75:
            starts.pop()
        padded = np.pad(loud, (0, max(0, (starts[-1] + 160) * 160 - len(loud))))
        mel = librosa.feature.melspectrogram(y=padded, sr=16_000, n_fft=400, hop_length=160, n_mels=40).T
        with torch.no_grad():
            hidden = lstm(torch.tensor(np.array([mel[start : start + 160] for start in starts])))[1][0][-1]
            parts = torch.nn.functional.normalize(torch.relu(linear(hidden)), dim=1)
            expected = torch.nn.functional.normalize(parts.mean(dim=0), dim=0).numpy()
        assert judges.speaker.embed(sound, 16_000) == pytest.approx(expected, abs=1e-5)
