"""Shared fixtures: a clean environment, and where the checkout and its demo lie."""

from __future__ import annotations

import io
import itertools
import os
import signal
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.qwen_models import TinyQwen

    from voicemill.dataset.prepared import PreparedDataset
    from voicemill.workspace import Workspace

# How long an example takes says something about the machine, not about the code.
hypothesis.settings.register_profile("voicemill", deadline=None)
hypothesis.settings.load_profile("voicemill")

# A shell's background job ignores Ctrl-C, one under nohup the end of its terminal, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

REPOSITORY = Path(__file__).resolve().parents[1]
_OURS = (
    "TRAIN_",
    "PROD_TTS_",
    "VOICE_",
    "AUDIO_PATH",
    "EXPECTED_HEAD",
    "WEIGHTS_MANIFEST_PATH",
    "PROMOTED_BUNDLE_ROOT",
    "WORK_DIR",
    "CACHE_DIR",
    "TORCH_DEVICE",
    "CASIMIR_",
    "RUN_",
    "CLEAR_PREVIOUS_ARTIFACTS",
    "RESET_TRAIN_OUTPUTS",
    "KNOWLEDGE_",
    "EFFICIENT_ATTENTION_BACKEND",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What needs a container engine is collected only where it is named: `pytest tests/docker`, `make test-docker`."""
    folder = REPOSITORY / "tests" / "docker"
    if collection_path != folder:
        return None
    named = (config.invocation_params.dir / argument.partition("::")[0] for argument in config.args)
    return not any(path.resolve().is_relative_to(folder) for path in named)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An exhaustive test is a slow one too: `-m "not slow"` leaves both out."""
    for item in items:
        if item.get_closest_marker("exhaustive"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> TinyQwen:
    """Tiny random Qwen3-TTS models; the first use sets up the environment of locks/qwen. For exhaustive tests."""
    from tests.qwen_models import TinyQwen

    from voicemill_cloning.worker.environment import QwenEnvironment

    outside_images = {name: value for name, value in os.environ.items() if name != "VOICEMILL_IN_IMAGE"}
    environment = QwenEnvironment.of(outside_images, REPOSITORY, REPOSITORY / "cache")
    return TinyQwen(environment.python(), tmp_path_factory.mktemp("tiny-qwen"))


@pytest.fixture(scope="session")
def demo_audio(repository: Path) -> Path:
    return repository / "data" / "demo" / "demo.flac"


@pytest.fixture(scope="session")
def demo_script(repository: Path) -> Path:
    return repository / "data" / "demo" / "script.txt"


_CONFIG = b"target: nemo.collections.tts.models.FastPitchModel\nnemo_version: 3.0.0\n"


def _archive(config: bytes) -> bytes:
    import torch

    weights = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), weights)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:") as tar:
        for name, data in (("./model_config.yaml", config), ("./model_weights.ckpt", weights.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture(scope="session")
def model() -> bytes:
    """The bytes of a small, honest `.nemo` of a FastPitch."""
    return _archive(_CONFIG)


@pytest.fixture(scope="session")
def vocoder_model() -> bytes:
    """The same of a HiFi-GAN."""
    return _archive(b"target: nemo.collections.tts.models.hifigan.HifiGanModel\n")


SENTENCES = 24


@pytest.fixture(scope="session")
def short_take(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The first sentences of the demo, cut in the pause after them: recording, and its text beside it."""
    folder = tmp_path_factory.mktemp("take")
    script = folder / "take one.txt"
    lines = (REPOSITORY / "data/demo/script.txt").read_text(encoding="utf-8").splitlines()[:SENTENCES]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    from voicemill.audio.decode import decode, read_mono, resample
    from voicemill.audio.vad import speech_spans

    wav, audio = folder / "all.wav", folder / "take one.wav"
    decode(REPOSITORY / "data/demo/demo.flac", wav, sample_rate=22050, start=0.0, end=150.0)
    samples, rate = read_mono(wav)
    spans = speech_spans(resample(samples, rate, 16000))
    pauses = [(one.end, two.start) for one, two in itertools.pairwise(spans) if two.start - one.end > 0.4]
    end = sum(pauses[SENTENCES - 1]) / 2
    decode(REPOSITORY / "data/demo/demo.flac", audio, sample_rate=44100, start=0.0, end=end)
    return audio, script


@pytest.fixture(scope="session")
def tiny_musicgen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MusicGen of random weights as `save_pretrained` writes it: T5, EnCodec at 32 kHz, decoder of two layers."""
    import warnings

    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(7)
    codec = transformers.EncodecConfig(
        sampling_rate=32000,
        num_filters=4,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=32,
        codebook_dim=16,
        hidden_size=16,
        num_lstm_layers=1,
        target_bandwidths=[1.0],
    )
    decoder = transformers.MusicgenDecoderConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=2,
        ffn_dim=32,
        num_attention_heads=2,
        num_codebooks=4,
        pad_token_id=32,
        bos_token_id=32,
        max_position_embeddings=512,
        initializer_factor=0.5,
    )
    text = transformers.T5Config(vocab_size=64, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    config = transformers.MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
    )
    model = transformers.MusicgenForConditionalGeneration(config)
    with torch.no_grad():  # a fresh codec's codebooks are all zero: spread them as its encoder spreads a noise
        points = model.audio_encoder.encoder(torch.randn(1, 1, 32000) * 0.1)[0]
        for number, layer in enumerate(model.audio_encoder.quantizer.layers):
            spread = points.std(dim=1) * 0.5**number
            layer.codebook.embed.copy_(
                torch.randn_like(layer.codebook.embed) * spread + (number == 0) * points.mean(dim=1)
            )
    folder = tmp_path_factory.mktemp("musicgen") / "tiny"
    model.save_pretrained(folder)
    words = {word: number for number, word in enumerate(("<pad>", "</s>", "speech", "of", "one", "person"))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


FEW = 7
END = 27.76  # seconds: in the pause after the seventh sentence


@pytest.fixture(scope="session")
def piece_audio(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path) -> Path:
    """The first seven sentences of the demo."""
    import soundfile

    path = tmp_path_factory.mktemp("piece") / "piece.flac"
    with soundfile.SoundFile(demo_audio) as source:
        samples = source.read(round(END * source.samplerate), dtype="int16")
        soundfile.write(path, samples, source.samplerate, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def sentences(demo_script: Path) -> tuple[str, ...]:
    return tuple(demo_script.read_text("utf-8").splitlines()[:FEW])


@pytest.fixture(scope="session")
def piece_script(tmp_path_factory: pytest.TempPathFactory, sentences: tuple[str, ...]) -> Path:
    path = tmp_path_factory.mktemp("script") / "script.txt"
    path.write_text("\n".join(sentences) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    from voicemill.workspace import Workspace

    root = tmp_path_factory.mktemp("workspace")
    return Workspace(work=root / "work", cache=root / "cache")


@pytest.fixture(scope="session")
def prepared(piece_audio: Path, piece_script: Path, workspace: Workspace) -> PreparedDataset:
    """Made once; tests only look at it."""
    from voicemill.dataset.prepare import prepare
    from voicemill.dataset.request import PreparationRequest, recording_source

    request = PreparationRequest(voice="demo", source=recording_source(piece_audio, piece_script), seed=3, workers=1)
    return prepare(request, workspace)
