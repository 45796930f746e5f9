"""Fixtures that several rooms share; among them a small promoted bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tests.records import finished

from voicemill import files
from voicemill.audio.decode import resample
from voicemill.bundle.build import build_bundle
from voicemill.bundle.promote import promote
from voicemill.settings import REPOSITORY
from voicemill.training_status import TrainingStatus, write_training_status
from voicemill.variables import RequiredConsent
from voicemill.weights.allowlist import SHIPPED
from voicemill.workspace import Workspace

if TYPE_CHECKING:
    from voicemill.training.speaker import Speaker

Chords = Callable[..., NDArray[np.float32]]
Talk = Callable[..., NDArray[np.float32]]


@pytest.fixture(scope="session")
def talk() -> Talk:
    """A buzzing 'speaker': pulses at f0 through resonances, in syllables, with noise between them; float32 mono."""
    from scipy.signal import lfilter

    def make(
        f0: float = 120.0,
        formants: tuple[float, ...] = (600.0, 1300.0, 2500.0),
        seconds: float = 4.0,
        seed: int = 0,
        rate: int = 22_050,
    ) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        time = np.arange(int(seconds * rate)) / rate
        phase = np.cumsum(f0 * (1.0 + 0.1 * np.sin(2 * np.pi * 1.3 * time + seed))) / rate
        sound = (np.diff(np.floor(phase), prepend=0.0) > 0).astype(np.float64) + 0.01 * rng.standard_normal(len(time))
        sway = 1.0 + 0.03 * rng.uniform(-1.0, 1.0)
        for formant in formants:
            radius, angle = np.exp(-np.pi * 90.0 / rate), 2 * np.pi * formant * sway / rate
            sound = lfilter([1.0 - radius], [1.0, -2.0 * radius * np.cos(angle), radius**2], sound)
        envelope = np.clip(np.sin(2 * np.pi * 3.0 * time) + 0.6, 0.0, 1.0)
        sound = sound / np.abs(sound).max() * envelope * 0.5 + 1e-4 * rng.standard_normal(len(time))
        return sound.astype(np.float32)

    return make


@pytest.fixture(scope="session")
def timbre_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real ONNX graph that tells speakers by the colour of their voices: (1, samples) at 16 kHz -> (1, 24).

    Logarithm of the mean power in 25 bands of 200 to 6000 Hz (a windowed Fourier transform of 32 ms), each less the one
    below.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    size, bands = 512, 25
    time = np.arange(size) / 16_000
    angle = 2 * np.pi * np.geomspace(200, 6000, bands)[:, None] * time
    kernels = (np.hanning(size) * np.concatenate([np.cos(angle), np.sin(angle)]))[:, None].astype(np.float32)
    constants = {"kernels": kernels, "middle": np.array([1], dtype=np.int64), "floor": np.float32(1e-6)}
    constants |= {
        name: np.array([at], dtype=np.int64) for name, at in (("first", 0), ("second", 1), ("last", -1), ("end", bands))
    }
    nodes = [
        helper.make_node("Unsqueeze", ["sound", "middle"], ["one"]),
        helper.make_node("Conv", ["one", "kernels"], ["waves"], strides=[256]),
        helper.make_node("Mul", ["waves", "waves"], ["squares"]),
        helper.make_node("Split", ["squares"], ["cos", "sin"], axis=1),
        helper.make_node("Add", ["cos", "sin"], ["power"]),
        helper.make_node("ReduceMean", ["power"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("Add", ["mean", "floor"], ["some"]),
        helper.make_node("Log", ["some"], ["levels"]),
        helper.make_node("Slice", ["levels", "second", "end", "middle"], ["upper"]),
        helper.make_node("Slice", ["levels", "first", "last", "middle"], ["lower"]),
        helper.make_node("Sub", ["upper", "lower"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "timbre",
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, [1, "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, bands - 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = tmp_path_factory.mktemp("onnx") / "speaker.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work", tmp_path / "cache")


@pytest.fixture
def shelve(tmp_path: Path, place: Workspace) -> Callable[..., Path]:
    """Writes an allowlist that lets a file through, unless the changes say otherwise, and puts the file into the cache."""

    def write(weights_id: str, made: Path, *, file: dict[str, object] | None = None, **changes: object) -> Path:
        entry: dict[str, object] = {
            "id": weights_id,
            "weights_license": "MIT",
            "code_license": "MIT",
            "commercial_use_allowed": True,
            "license_url": "https://a.example",
            "files": [{"path": made.name, "sha256": files.sha256_file(made)} | (file or {})],
        }
        target = place.weights_cache / weights_id / made.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, target)
        path = tmp_path / "list.json"
        path.write_text(json.dumps({"weights": [entry | changes]}))
        return path

    return write


@pytest.fixture(scope="session")
def chords() -> Chords:
    """Music of a kind: a new chord every half second, `chords(seconds, rate, seed)`; its level is 0.05 a tone."""

    def make(seconds: float, rate: int, seed: int = 0) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        roots = rng.choice([220, 247, 262, 294, 330, 349, 392], size=int(seconds * 2) + 1)[(time * 2).astype(int)]
        tones = [np.sin(2 * np.pi * roots * third * part * time) / part for third in (1, 1.25, 1.5) for part in (1, 2)]
        return (0.05 * np.sum(tones, axis=0)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def separator_package(tmp_path_factory: pytest.TempPathFactory, demo_audio: Path, chords: Chords) -> Path:
    """A tiny HTDemucs in Demucs's own format, trained for some seconds to tell the demo's speaker from chords."""
    import torch
    from demucs.htdemucs import HTDemucs
    from demucs.states import save_with_checksum, serialize_model
    from omegaconf import OmegaConf

    rate, length = 8_000, 16_000
    with soundfile.SoundFile(demo_audio) as source:
        start = 40 * source.samplerate  # not what the tests separate
        source.seek(start)
        speech = source.read(30 * source.samplerate, dtype="float32", always_2d=True).mean(axis=1)
        speech = resample(speech.astype(np.float32), source.samplerate, rate)
    torch.manual_seed(0)
    model = HTDemucs(
        sources=["music", "vocals"],
        samplerate=rate,
        segment=Fraction(2),
        channels=8,
        depth=3,
        nfft=256,
        t_layers=0,
        dconv_mode=0,
    )
    optimiser, rng, music = torch.optim.Adam(model.parameters(), 3e-3), np.random.default_rng(0), chords(60, rate)
    for _ in range(60):
        at = [(rng.integers(len(music) - length), rng.integers(len(speech) - length)) for _ in range(4)]
        pairs = [np.stack([music[one : one + length], speech[two : two + length]]) for one, two in at]
        target = torch.from_numpy(np.stack(pairs))[:, :, None].expand(-1, -1, 2, -1)
        mixed = target.sum(dim=1)
        loss = torch.nn.functional.l1_loss(model(mixed / mixed.std()) * mixed.std(), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder = tmp_path_factory.mktemp("separator")
    training = OmegaConf.create({"epochs": 1, "lr": 3e-3, "dset": {"wav": None, "sources": ["music", "vocals"]}})
    save_with_checksum(serialize_model(model, training), folder / "tiny.th")
    return next(folder.glob("tiny-*.th"))


@dataclass
class Voice:
    """A voice that can be bundled again after a change of its status or files."""

    root: Path
    status: TrainingStatus
    shipped: Path = REPOSITORY / SHIPPED

    def publish(
        self,
        unmarked: str | None = None,
        consent: dict[str, object] | None = None,
        require_consent: RequiredConsent | None = None,
        **changes: object,
    ) -> Path:
        """Build and promote; returns the promoted folder."""
        self.status = self.status.model_copy(update=changes)
        write_training_status(self.root / "status.json", self.status)
        built = build_bundle(
            self.root / "status.json",
            self.root / "eval.json",
            self.root / "built",
            allowlist=self.shipped,
            base=self.root,
            unmarked=unmarked,
            consent=consent,
        )
        return promote(
            built.manifest_path,
            self.root / "bundles",
            "anna",
            "Anna",
            allowlist=self.shipped,
            base=self.root,
            require_consent=require_consent,
            created_at=datetime(2026, 2, 24, tzinfo=UTC),
        ).root


@pytest.fixture
def voice(tmp_path: Path, model: bytes, vocoder_model: bytes) -> Voice:
    (tmp_path / "fastpitch.nemo").write_bytes(model)
    (tmp_path / "hifigan.nemo").write_bytes(vocoder_model)
    (tmp_path / "sample.wav").write_bytes(b"RIFF....WAVE")
    (tmp_path / "eval.json").write_text(json.dumps({"status": "ok"}))
    return Voice(
        tmp_path,
        finished(
            vocoder_weights_id="voicemill/base-en-small-hifigan",
            artifacts=("fastpitch.nemo", "hifigan.nemo", "sample.wav"),
        ),
    )


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Speaker:
    """A tiny FastPitch with random weights and the embedded vocoder."""
    from tests.unit.runtime.conftest import random_speaker

    return random_speaker(tmp_path_factory.mktemp("speaker"), neural=True)


@pytest.fixture(scope="session")
def exported(speaker: Speaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph and the dictionary of `speaker`."""
    from voicemill.training.onnx_export import export_voice

    folder = tmp_path_factory.mktemp("exported")
    export_voice(speaker, folder)
    return folder
