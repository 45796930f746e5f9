from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemill.align import transcription
from voicemill.audio import decode, segmentation, vad
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.segmentation import Segmentation
from voicemill.dataset.cached_recognition import CachedTranscriber
from voicemill.dataset.models import choose_recogniser
from voicemill.dataset.prepare import prepare
from voicemill.dataset.request import INHERITABLE, PreparationRequest, PreparedVoiceSource, recording_source
from voicemill.errors import DatasetError, GateError, UsageError, VoicemillError
from voicemill.text.normalise import words
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

Samples = NDArray[np.float32]
ID = "own/recogniser"
LETTERS = [" ", *"abcdefghijklmnopqrstuvwxyz'"]
STEPS = 80
_CONV = {"repeat": 1, "dilation": [1], "dropout": 0.0, "residual": False, "separable": False, "filters": 192}
CONFIG = {
    "sample_rate": 16_000,
    "preprocessor": {
        "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
        "sample_rate": 16_000,
        "features": 40,
        "n_fft": 512,
        "dither": 0.0,
        "pad_to": 0,
    },
    "encoder": {
        "_target_": "nemo.collections.asr.modules.ConvASREncoder",
        "feat_in": 40,
        "activation": "relu",
        "conv_mask": True,
        "jasper": [_CONV | {"kernel": [11], "stride": [2]}, _CONV | {"kernel": [21], "stride": [1]}],
    },
    "decoder": {
        "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
        "feat_in": 192,
        "num_classes": len(LETTERS),
        "vocabulary": LETTERS,
    },
    "decoding": {"strategy": "greedy_batch"},
}


@pytest.fixture(scope="session")
def utterances(piece_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Samples]:
    """The piece's sentences, cut as the preparation cuts them, at 16 kHz."""
    path = tmp_path_factory.mktemp("utterances") / "piece.wav"
    decode.decode(piece_audio, path, sample_rate=16_000, subtype="FLOAT")
    samples = decode.read_mono(path)[0]
    plan = segmentation.plan_by_levels(vad.speech_spans(samples), LevelEnvelope.of(samples, 16_000), Segmentation())
    return [samples[round(one.start * 16_000) : round(one.end * 16_000)] for one in plan.kept]


@pytest.fixture(scope="session")
def recogniser_archive(
    utterances: list[Samples], sentences: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A small NeMo CTC model that learned the piece's seven sentences by heart, as NeMo saves it."""
    from voicemill.weights.nemo_runtime import nemo_runtime

    path = tmp_path_factory.mktemp("recogniser") / "tiny.nemo"
    with nemo_runtime("asr"):
        import torch
        from nemo.collections.asr.models import EncDecCTCModel
        from omegaconf import OmegaConf

        torch.manual_seed(0)
        model = EncDecCTCModel(cfg=OmegaConf.create(CONFIG))
        texts = [torch.tensor([LETTERS.index(letter) for letter in " ".join(words(one))]) for one in sentences]
        sounds = [torch.from_numpy(one) for one in utterances]
        lengths = [torch.tensor([len(one) for one in many]) for many in (sounds, texts)]
        waveform, text = (torch.nn.utils.rnn.pad_sequence(many, batch_first=True) for many in (sounds, texts))
        with torch.no_grad():
            features, frames = model.preprocessor(input_signal=waveform, length=lengths[0])
        optimiser = torch.optim.Adam(model.parameters(), 2e-3)
        model.train()
        for _ in range(STEPS):
            encoded, sizes = model.encoder(audio_signal=features, length=frames)
            likely = model.decoder(encoder_output=encoded)
            loss = model.loss(log_probs=likely, targets=text, input_lengths=sizes, target_lengths=lengths[1])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        model.save_to(str(path))
    return path


@pytest.fixture
def listed(recogniser_archive: Path, shelve: Callable[..., Path]) -> Callable[..., Path]:
    """An allowlist that lets the small recogniser through; its file lies in the cache."""

    own = {"kind": "asr", "weights_license": "LicenseRef-own-data", "code_license": "Apache-2.0"}
    return functools.partial(shelve, ID, recogniser_archive, **own)


@pytest.mark.slow
def test_a_recording_without_text_gets_it_from_the_recogniser(
    listed: Callable[..., Path],
    place: Workspace,
    piece_audio: Path,
    tmp_path: Path,
    sentences: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = PreparationRequest(
        voice="heard",
        source=recording_source(piece_audio),
        workers=1,
        recognise=f"nemo:{ID}",
        allowlist=listed(),
        separate="never",
    )
    dataset = prepare(request, place)
    said = [" ".join(words(one)) for one in sentences]
    spoken = [said[int(entry.id.rpartition("_")[2]) - 1] for entry in dataset.entries]
    assert len(spoken) >= len(said) - 2
    assert jiwer.cer(spoken, [entry.text for entry in dataset.entries]) < 0.05
    assert {entry.text_source for entry in dataset.entries} == {"recogniser"}
    assert all(entry.quality.alignment_score > -30 for entry in dataset.entries)
    # A wrong word of so small a model is found out by the alignment.
    assert {row.reason for row in dataset.report.rejected} <= {"text_mismatch"}
    assert dataset.description.settings.recognise == f"nemo:{ID}"
    assert dataset.description.tools.keys() >= {"nemo-toolkit", ID}

    training = dataclasses.replace(request, recognise=None, separate="auto", seed=5, inherited=INHERITABLE)
    assert prepare(training, place).sha256 == dataset.sha256  # the recordings alone name the dataset
    by_name = prepare(dataclasses.replace(training, source=PreparedVoiceSource("heard")), place)
    assert by_name.sha256 == dataset.sha256
    other = tmp_path / "other.flac"
    other.write_bytes(piece_audio.read_bytes()[:-1])
    with pytest.raises(DatasetError) as caught:
        prepare(dataclasses.replace(training, source=recording_source(other)), place)
    assert caught.value.code == "missing_transcript"

    def never(recogniser: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(transcription, "load", never)
    louder = prepare(dataclasses.replace(request, target_lufs=-20.0), place)
    assert [entry.text for entry in louder.entries] == [entry.text for entry in dataset.entries]


@pytest.mark.slow
def test_only_what_has_no_text_is_asked_about(
    listed: Callable[..., Path], place: Workspace, utterances: list[Samples], tmp_path: Path, sentences: tuple[str, ...]
) -> None:
    import soundfile

    folder, silent = tmp_path / "clips", (0, 4)
    folder.mkdir()
    for index, samples in enumerate(utterances):
        soundfile.write(folder / f"{index}.wav", samples, 16_000)
        if index not in silent:
            (folder / f"{index}.txt").write_text(sentences[index], "utf-8")
    request = PreparationRequest(
        voice="some", source=recording_source(folder), workers=1, allowlist=listed(), separate="never"
    )
    with pytest.raises(DatasetError) as caught:
        prepare(request, place)
    assert caught.value.reason == "missing_transcript"
    dataset = prepare(dataclasses.replace(request, recognise=f"nemo:{ID}"), place)
    found = {entry.source: entry for entry in dataset.entries}
    for index in (1, 2, 3, 5, 6):
        assert (found[f"{index}.wav"].text, found[f"{index}.wav"].text_source) == (sentences[index], None)
    # cut elsewhere than it learned, the small recogniser errs: like any wrong text that is found by the alignment
    assert {row.reason for row in dataset.report.rejected} <= {"text_mismatch"}
    heard = {entry.source: entry.text for entry in dataset.entries if entry.text_source == "recogniser"}
    heard |= {row.source: row.text for row in dataset.report.rejected}
    assert heard.keys() == {f"{index}.wav" for index in silent}
    assert all(heard.values())


def test_without_text_the_flag_is_named(piece_audio: Path, place: Workspace) -> None:
    with pytest.raises(DatasetError) as caught:
        prepare(PreparationRequest(voice="none", source=recording_source(piece_audio)), place)
    assert caught.value.reason == "missing_transcript"
    assert "--recognise" in caught.value.hint


def test_what_was_not_understood_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seam itself: an answer for each stretch, in order, and never twice for the same sound."""
    from voicemill.audio.vad import Span
    from voicemill.audio.waveform import MemoryWaveform

    asked: list[int] = []

    class Fake:
        def transcribe(self, utterances: list[Samples]) -> list[str]:
            asked.append(len(utterances))
            return ["" if one[0] == 0 else f"number {one[0]:.2f}" for one in utterances]

    monkeypatch.setattr(transcription, "load", lambda recogniser: Fake())
    ears = CachedTranscriber(transcription.RecogniserModel("nemo", ID, tmp_path / "none", "0" * 64), tmp_path)
    waveform = MemoryWaveform(np.repeat(np.arange(10, dtype=np.float32) / 16, 16_000), 16_000)
    spans = [Span(float(second), second + 1.0) for second in range(10)]
    texts = ears.transcribe(waveform, spans)
    assert texts == ["", *(f"number {index / 16:.2f}" for index in range(1, 10))]
    assert asked == [8, 2]
    assert ears.transcribe(waveform, spans[3:5]) == texts[3:5]
    assert asked == [8, 2]


@pytest.mark.parametrize("text", ["", "nemo", "nemo:", "pocketsphinx:en-us", "vosk:small"])
def test_only_two_recognisers_are_known(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        choose_recogniser(text, WeightsRegistry(tmp_path / "list.json", tmp_path, tmp_path))
    assert "faster-whisper:<id>" in caught.value.hint


def test_the_shipped_recognisers_wait_for_their_pins(repository: Path, tmp_path: Path) -> None:
    registry = WeightsRegistry(repository / "configs/voice/prod_tts/weights_allowlist.json", tmp_path, repository)
    with pytest.raises(GateError) as caught:
        choose_recogniser("nemo:nvidia/stt_en_conformer_ctc_small", registry)
    assert caught.value.reason == "weights_unavailable:nvidia/stt_en_conformer_ctc_small"
    with pytest.raises(GateError) as caught:
        registry.resolve("Systran/faster-whisper-small", "asr", download=True)
    assert caught.value.reason == "weights_unavailable:Systran/faster-whisper-small"
    with pytest.raises(GateError) as caught:
        choose_recogniser("nemo:snakers4/silero-vad", registry)
    assert caught.value.reason == "allowlist_rejected:kind_is_vad"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("faster-whisper:Systran/faster-whisper-small", "extra_missing:faster-whisper"),
        ("nemo:nvidia/stt_en_conformer_ctc_small", "nemo_runtime_unavailable"),
        ("nemo:snakers4/silero-vad", "allowlist_rejected:kind_is_vad"),
    ],
)
def test_an_engine_that_is_not_installed_is_told_before_its_weights_are_fetched(
    wanted: str, reason: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VoicemillError) as caught:
        choose_recogniser(
            wanted, WeightsRegistry(repository / "configs/voice/prod_tts/weights_allowlist.json", tmp_path, repository)
        )
    assert caught.value.reason == reason
