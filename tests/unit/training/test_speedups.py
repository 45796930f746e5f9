"""bfloat16 and torch.compile: when they are chosen, and a tiny model trained with them."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import pytest

from voicemill.training import speedups
from voicemill.training.config import TrainingConfig
from voicemill.training.data import read_dataset
from voicemill.training.hooks import Hooks
from voicemill.training.speedups import COMPILE_FROM_STEPS, Device, compiled, compiles, device_of, precision
from voicemill.training.train_fastpitch import train_acoustic

from .conftest import tiny_config

PLAIN = Device("cpu", bfloat16=False, compiler=True)
UNITS = Device("cpu", bfloat16=True, compiler=True)
AMPERE = Device("cuda", bfloat16=True, compiler=True)
TURING = Device("cuda", bfloat16=False, compiler=True)


def config(precision: str = "auto", **acoustic: object) -> TrainingConfig:
    return tiny_config(**acoustic).model_copy(update={"precision": precision})


@pytest.mark.parametrize(
    ("wanted", "device", "expected"),
    [
        ("auto", PLAIN, "32-true"),
        ("auto", TURING, "32-true"),
        ("auto", UNITS, "bf16-mixed"),
        ("auto", AMPERE, "bf16-mixed"),
        ("float32", AMPERE, "32-true"),
        ("bfloat16", PLAIN, "bf16-mixed"),
    ],
)
def test_bfloat16_where_the_device_has_units_for_it(wanted: str, device: Device, expected: str) -> None:
    assert precision(config(wanted), device) == expected


@pytest.mark.parametrize(
    ("wanted", "device", "steps", "expected"),
    [
        ("auto", PLAIN, 10**6, False),
        ("auto", UNITS, 10**6, False),
        ("auto", AMPERE, COMPILE_FROM_STEPS, True),
        ("auto", AMPERE, COMPILE_FROM_STEPS - 1, False),
        ("auto", dataclasses.replace(AMPERE, compiler=False), COMPILE_FROM_STEPS, False),
        (True, PLAIN, 10, True),
        (False, AMPERE, COMPILE_FROM_STEPS, False),
    ],
)
def test_steps_are_compiled_where_the_run_is_long_enough(
    wanted: bool | str, device: Device, steps: int, expected: bool
) -> None:
    assert compiles(config(compile=wanted, max_steps=steps), device) is expected


def test_the_device_of_this_machine() -> None:
    found = device_of(config())
    assert found.kind == "cpu", "as in the settings"
    flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
    assert found.bfloat16 == ("amx_tile" in flags)
    assert found.compiler == (shutil.which("g++") is not None)


@pytest.mark.slow
@pytest.mark.parametrize("alignment", ["durations", "forced_prior"])
def test_bfloat16_has_the_losses_of_float32(tone_dataset: Path, tmp_path: Path, alignment: str) -> None:
    optimiser = {"learning_rate": 5e-3, "warmup_steps": 2}
    runs = {
        name: train_acoustic(
            config(name, max_steps=12, alignment=alignment, optimiser=optimiser), tone_dataset, tmp_path / name
        )
        for name in ("float32", "bfloat16")
    }
    assert runs["bfloat16"].weights_sha256 != runs["float32"].weights_sha256, "it is another arithmetic"
    for (_, rough, _), (_, fine, _) in zip(runs["bfloat16"].loss_curve, runs["float32"].loss_curve, strict=True):
        assert math.isfinite(rough)
        assert rough == pytest.approx(fine, rel=0.1)
    assert runs["bfloat16"].loss_curve[-1][1] < runs["bfloat16"].loss_curve[0][1]


@pytest.mark.slow
def test_long_clips_keep_their_durations_in_bfloat16(tone_dataset: Path, tmp_path: Path) -> None:
    """bfloat16 counts exactly to 256 only; NeMo's regulate_len counts frames in the type of the encoder's output."""
    from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon
    from voicemill.training.runtime import nemo_runtime, seeded

    dataset = read_dataset(tone_dataset)
    write_nemo_lexicon(dataset.lexicon, tmp_path / "lexicon")
    with nemo_runtime(), seeded(1, 1):
        import torch

        model = build_fastpitch(config(), dataset.pitch_statistics, tmp_path / "lexicon").eval()
        tokens, durations = torch.full((1, 60), 5), torch.full((1, 60), 11)
        inputs: list[torch.Tensor] = []
        model.fastpitch.decoder.register_forward_hook(
            lambda module, args, kwargs, _: inputs.append(kwargs["input"]), with_kwargs=True
        )
        tokens[0, ::2] = 7
        for enabled in (False, True):
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                model(text=tokens, durs=durations, pitch=torch.zeros(1, 60))
    fine, rough = (each.float() for each in inputs)
    assert fine.shape == rough.shape == (1, 660, 16)
    assert torch.allclose(rough, fine, atol=0.1)


compiler_here = pytest.mark.skipif(shutil.which(speedups.COMPILER) is None, reason="needs a C++ compiler")


@pytest.mark.exhaustive
@compiler_here
def test_compiled_steps_have_the_same_losses(tone_dataset: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    runs = [
        train_acoustic(
            config("float32", compile=wanted, max_steps=2, pitch_predictor=PREDICTOR, duration_predictor=PREDICTOR),
            tone_dataset,
            tmp_path / str(wanted),
            hooks=Hooks(note=notes.append),
        )
        for wanted in (False, True)
    ]
    assert notes == []
    for (_, plain, _), (_, fast, _) in zip(runs[0].loss_curve, runs[1].loss_curve, strict=True):
        assert fast == pytest.approx(plain, rel=0.05)


PREDICTOR = {"width": 8, "dropout": 0.0}


def test_without_a_compiler_steps_are_not_compiled_with_a_note() -> None:
    notes: list[str] = []

    def forward() -> int:
        return 7

    assert compiled(forward, dataclasses.replace(PLAIN, compiler=False), notes.append) is forward
    assert notes == ["Steps are not compiled: torch.compile needs g++, which is not installed here."]
