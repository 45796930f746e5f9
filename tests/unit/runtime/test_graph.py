from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.unit.runtime.conftest import random_speaker
from tests.unit.training.conftest import RATE
from tests.unit.training.test_istft import small_network

from voicemill.bundle.manifest import MAX_MANIFEST_BYTES
from voicemill.errors import BundleError, BundleFileError, GateError, TrainingError, UsageError
from voicemill.synthesis.options import SynthesisOptions
from voicemill.synthesis.vocoders import IstftVocoder
from voicemill.text.frontend import read
from voicemill.text.frontend.chunks import LONGEST_CHUNK, split
from voicemill.text.lexicon import Lexicon
from voicemill.training.examples import encode as nemo_encode
from voicemill.training.onnx_export import export_voice, graph_bytes
from voicemill.training.speaker import Speaker
from voicemill_runtime import griffin_lim
from voicemill_runtime.bundle import open_voice
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.tokens import encode
from voicemill_runtime.voice import Voice

pytestmark = pytest.mark.slow

TEXTS = [
    "Oh.",
    "Good morning, and thank you for listening.",
    "Is it true? Yes!",
    "The quick brown fox jumps over the lazy dog; then it sleeps in the sun, and it does not mind at all, because the "
    "day is long and warm: everything is quiet, the birds sing, the wind is low, and the water runs slowly to the sea.",
]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.load()


@pytest.fixture(scope="module")
def graph(exported: Path) -> VoiceGraph:
    return VoiceGraph((exported / "voice.onnx").read_bytes())


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_nemo(text: str, speaker: Speaker, graph: VoiceGraph, lexicon: Lexicon) -> None:
    for sentence in read(text, lexicon):
        ids, _ = nemo_encode(speaker.fastpitch, sentence.annotated(lexicon))
        assert encode(sentence.words, graph.tokens).ids.tolist() == ids


def predict(speaker: Speaker, annotated: str, speed: float, semitones: float) -> np.ndarray:
    """NeMo's own mel of a text whose words are all known or written as phones."""
    return predict_tokens(speaker, nemo_encode(speaker.fastpitch, annotated)[0], speed, semitones)


def predict_tokens(speaker: Speaker, ids: list[int], speed: float = 1.0, semitones: float = 0.0) -> np.ndarray:
    import torch

    from voicemill.training.runtime import nemo_runtime

    module = speaker.fastpitch.fastpitch
    shift = float(module.pitch_mean / module.pitch_std) * (2 ** (semitones / 12) - 1)
    with nemo_runtime(), torch.no_grad():
        return module.infer(text=torch.tensor([ids]), pitch=torch.full((1, 1), shift), pace=speed)[0][0].numpy()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("speed", "semitones"), [(1.0, 0.0), (1.3, 2.0), (0.7, -3.0)])
def test_samples_are_those_of_nemo(
    text: str, speed: float, semitones: float, speaker: Speaker, graph: VoiceGraph, lexicon: Lexicon
) -> None:
    (sentence, *_) = read(text, lexicon)
    expected = speaker.vocode(predict(speaker, sentence.annotated(lexicon), speed, semitones))
    ids = encode(sentence.words, graph.tokens).ids
    output = graph.run(ids, np.full(len(ids), speed, np.float32), np.full(len(ids), semitones, np.float32))
    assert output.samples is not None
    assert output.samples.shape == expected.shape
    assert np.abs(output.samples - expected).max() <= 1e-4
    assert output.durations.sum() * graph.hop_length == len(expected)


def test_samples_of_the_istft_vocoder_are_those_of_torch(tmp_path: Path, lexicon: Lexicon) -> None:
    import torch

    quiet = random_speaker(tmp_path, neural=False)
    with torch.no_grad():
        quiet.fastpitch.fastpitch.proj.bias.sub_(5.0)  # random weights shout, and the samples would be clipped
    speaker = dataclasses.replace(quiet, vocoder=IstftVocoder(small_network()))
    export_voice(speaker, tmp_path)
    graph = VoiceGraph((tmp_path / "voice.onnx").read_bytes())
    assert (graph.neural, graph.vocoder) == (True, "istft")
    for text in TEXTS:
        (sentence, *_) = read(text, lexicon)
        expected = speaker.vocode(predict(speaker, sentence.annotated(lexicon), 1.0, 0.0))
        ids = encode(sentence.words, graph.tokens).ids
        output = graph.run(ids, np.ones(len(ids), np.float32), np.zeros(len(ids), np.float32))
        assert output.samples is not None
        assert output.samples.shape == expected.shape
        assert 1e-3 < np.abs(expected).max() < 1
        assert np.abs(output.samples - expected).max() <= 1e-4


LONGEST_WORD = 9
"""Tokens of a long word with its space; a chunk has at most `LONGEST_CHUNK` words."""


def test_every_length_from_one_phone_to_the_longest_chunk_is_that_of_nemo(speaker: Speaker, graph: VoiceGraph) -> None:
    phones = [index for index, symbol in enumerate(graph.tokens) if symbol.isalpha() and symbol.isupper()]
    random = np.random.default_rng(1)
    lengths = [1, 2, 3, 4, 5, 7, 11, 18, 29, 47, 76, 123, 199, 322, LONGEST_CHUNK * LONGEST_WORD]
    for length in lengths:
        ids = random.choice(phones, length)
        output = graph.run(ids, np.ones(length, np.float32), np.zeros(length, np.float32))
        expected = speaker.vocode(predict_tokens(speaker, ids.tolist()))
        assert output.samples is not None
        assert output.samples.shape == expected.shape, length
        assert np.abs(output.samples - expected).max() <= 1e-4, length
        assert len(output.samples) == output.durations.sum() * graph.hop_length > 0


def test_griffin_lim_in_numpy_is_that_of_torch(mel_speaker: Speaker, tmp_path: Path, lexicon: Lexicon) -> None:
    export_voice(mel_speaker, tmp_path)
    graph = VoiceGraph((tmp_path / "voice.onnx").read_bytes())
    assert not graph.neural
    (sentence,) = read(TEXTS[1], lexicon)
    ids = encode(sentence.words, graph.tokens).ids
    output = graph.run(ids, np.ones(len(ids), np.float32), np.zeros(len(ids), np.float32))
    expected = mel_speaker.predict_mel(sentence.normalised)
    assert output.mel is not None
    assert np.abs(output.mel - expected).max() <= 1e-4

    from voicemill.synthesis.griffin_lim import mel_basis

    bands = griffin_lim.mel_bands(graph.mel)
    assert np.abs(bands - mel_basis(mel_speaker.audio).numpy()).max() < 1e-6
    samples = griffin_lim.griffin_lim(output.mel, graph.mel, iterations=8)
    assert samples.shape == (expected.shape[1] * graph.hop_length,)
    again = _log_mel(samples, bands)
    torch_again = _log_mel(mel_speaker.vocode(expected), bands)
    assert np.abs(again - expected).mean() < 1.1 * np.abs(torch_again - expected).mean()


def _log_mel(samples: np.ndarray, bands: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, 512), 1024)[::256][:-1]
    return np.log(bands @ np.abs(np.fft.rfft(frames * np.hanning(1025)[:-1], axis=1)).T + 1e-5)


def test_a_text_is_spoken_sentence_by_sentence(bundle: Path) -> None:
    voice = open_voice(bundle)
    assert voice.sample_rate == RATE
    chunks = list(voice.speak("Good morning. <break time='500ms'/> It is 5:30.", SynthesisOptions(sentence_pause=0.2)))
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == ["good", "morning", "it", "is", "five", "thirty"]
    total = sum(len(chunk.samples) for chunk in chunks) / voice.sample_rate
    assert len(chunks) == 3
    assert len(chunks[1].samples) == RATE // 2
    assert all(one.end <= two.start + 1e-9 for one, two in itertools.pairwise(words))
    assert words[-1].end <= total
    assert words[2].start > len(chunks[0].samples) / RATE + 0.5
    assert [phone.symbol for phone in words[0].phones] == ["G", "UH", "D"]


def test_the_same_text_gives_the_same_samples(bundle: Path) -> None:
    voice = open_voice(bundle)
    first, second = (np.concatenate([c.samples for c in voice.speak(TEXTS[3])]) for _ in range(2))
    assert (first == second).all()


def test_a_long_sentence_is_split_at_its_marks(lexicon: Lexicon) -> None:
    (sentence,) = read(", ".join(["one two three four five six seven"] * 12) + ".", lexicon)
    runs = split(sentence.words)
    assert [word for run in runs for word in run] == list(sentence.words)
    assert all(len(run) <= 45 for run in runs)
    assert all(run[-1].mark for run in runs)


def test_nothing_to_say(bundle: Path) -> None:
    with pytest.raises(UsageError) as caught:
        list(open_voice(bundle).speak("... !"))
    assert caught.value.code == "nothing_to_say"


@pytest.mark.parametrize("name", ["voice.onnx", "lexicon.txt"])
def test_changed_files_do_not_speak(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleFileError) as caught:
        open_voice(bundle)
    assert caught.value.code == "checksum_mismatch"


def test_bundles_that_cannot_speak(bundle: Path) -> None:
    manifest = bundle / "manifest.json"
    whole = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(whole | {"dry_run": True}))
    with pytest.raises(UsageError, match="dry run"):
        open_voice(bundle)
    manifest.write_text(json.dumps(whole | {"files": whole["files"][1:]}))
    with pytest.raises(UsageError) as caught:
        open_voice(bundle)
    assert caught.value.code == "bundle_without_graph"
    twice = f'{{"files": {json.dumps(whole["files"][1:])}, {json.dumps(whole)[1:]}'
    for text in (
        "[1]",
        twice,
        json.dumps(whole | {"bytes": float("nan")}),
        json.dumps(whole) + " " * MAX_MANIFEST_BYTES,
    ):
        manifest.write_text(text)
        with pytest.raises(BundleFileError) as invalid:
            open_voice(bundle)
        assert invalid.value.code == "manifest_invalid"


def test_other_bytes_are_no_graph() -> None:
    with pytest.raises(BundleError) as caught:
        VoiceGraph(b"not a graph")
    assert caught.value.code == "graph_invalid"


FORBIDDEN = [
    "torch",
    "nemo",
    "librosa",
    "pynini",
    "pydantic",
    "lightning",
    "scipy",
    "numba",
    "transformers",
    "click",
    "soundfile",
]


def test_the_runtime_imports_numpy_and_onnxruntime_alone(bundle: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'lib')\n"
        "from pathlib import Path\n"
        "from voicemill_runtime.bundle import open_voice\n"
        "import voicemill_runtime.timings, voicemill_runtime.loudness\n"
        f"chunks = list(open_voice(Path({str(bundle)!r})).speak('On May 5 it cost $3. Xylquo!'))\n"
        f"assert chunks\nprint([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_voice_of_a_graph_and_a_lexicon(graph: VoiceGraph) -> None:
    voice = Voice(graph, Lexicon({"hello": ("HH", "AH", "L", "OW")}))
    (chunk,) = voice.speak("Hello.")
    assert [phone.symbol for phone in chunk.words[0].phones] == ["HH", "AH", "L", "OW"]


def test_a_model_that_onnx_cannot_express(speaker: Speaker) -> None:
    import torch

    class SingularValues(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x)[:, None]

    generator = SimpleNamespace(generator=SingularValues())
    odd = dataclasses.replace(speaker, vocoder=dataclasses.replace(speaker.vocoder, model=generator))
    with pytest.raises(TrainingError) as caught:
        graph_bytes(odd)
    assert caught.value.code == "onnx_export_failed"


@pytest.mark.parametrize("content", [b"", b"\x08", b"not a graph" * 1000])
def test_a_listed_file_that_is_no_graph_is_refused(bundle: Path, content: bytes) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "voice.onnx").write_bytes(content)
    for entry in manifest["files"]:
        if entry["path"] == "voice.onnx":
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GateError, match="holds something"):
        open_voice(bundle)


def test_without_files_in_memory_it_speaks_the_same(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> int:
        raise OSError("no such call")

    usual = np.concatenate([chunk.samples for chunk in open_voice(bundle).speak("Good morning.")])
    monkeypatch.setattr("os.memfd_create", none)
    assert np.array_equal(np.concatenate([chunk.samples for chunk in open_voice(bundle).speak("Good morning.")]), usual)


def test_no_file_stays_open(bundle: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    voices = [open_voice(bundle) for _ in range(3)]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    assert len(voices) == 3
