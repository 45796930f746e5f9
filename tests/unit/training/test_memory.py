from __future__ import annotations

from pathlib import Path

import pytest
import torch

from voicemill.errors import TrainingError
from voicemill.training.config import load_config
from voicemill.training.data import read_dataset
from voicemill.training.fastpitch_model import build_fastpitch, write_nemo_lexicon
from voicemill.training.memory import (
    MemoryEstimate,
    available_bytes,
    estimate_acoustic,
    is_out_of_memory,
    measure_memory,
)
from voicemill.training.runtime import nemo_runtime

from .conftest import tiny_config

MEGABYTE = 2**20


def test_a_batch_is_split_until_it_fits() -> None:
    estimate = MemoryEstimate(weights=100 * MEGABYTE, batch=400 * MEGABYTE, clips=6)
    assert [estimate.micro_batches(free * MEGABYTE) for free in (600, 500, 499, 250, 150, 101)] == [1, 1, 2, 4, 8, 8]
    assert "500 MB, and 250 MB are free; a batch is split into 4 micro-batches" in estimate.warning(250 * MEGABYTE)


def test_a_model_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TrainingError) as caught:
        MemoryEstimate(weights=100 * MEGABYTE, batch=MEGABYTE, clips=6).micro_batches(99 * MEGABYTE)
    assert caught.value.reason == "not_enough_memory"


def test_longer_clips_need_more_and_the_aligner_too() -> None:
    durations, aligner = tiny_config().acoustic, tiny_config(alignment="forced_prior").acoustic
    small = estimate_acoustic(durations, 1000, clips=4, frames=100, tokens=20)
    assert estimate_acoustic(durations, 1000, clips=8, frames=100, tokens=20).batch == 2 * small.batch
    assert estimate_acoustic(durations, 1000, clips=4, frames=200, tokens=20).batch > 2 * small.batch
    assert estimate_acoustic(aligner, 1000, clips=4, frames=100, tokens=20).batch > small.batch
    assert small.weights == 20_000


def test_this_machine_has_memory() -> None:
    available = available_bytes(torch.device("cpu"))
    assert available is not None
    assert 2**26 < available < 2**44


def test_what_counts_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) @ torch.ones(3)
    assert not is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())


LONGEST = 1034
"""Frames of twelve seconds, the longest clip that voice-prep cuts by default."""
TOKENS = 170
SMALL_GPU = 8e9


@pytest.mark.slow
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_step_of_the_preset_gpu_fits_a_small_gpu(
    repository: Path, tone_dataset: Path, tmp_path: Path, bfloat16: bool
) -> None:
    """A dry measurement on the CPU: what autograd keeps for the whole batch of longest clips, with weights and their states."""
    config = load_config(repository / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", "gpu")
    dataset = read_dataset(tone_dataset)
    write_nemo_lexicon(tone_dataset / "lexicon.dict", tmp_path / "lexicon")
    with nemo_runtime():
        model = build_fastpitch(config, dataset.pitch_statistics, tmp_path / "lexicon")
    frames = torch.full((TOKENS,), LONGEST // TOKENS)
    frames[: LONGEST % TOKENS] += 1

    def forward(clips: int) -> torch.Tensor:
        tokens = torch.arange(TOKENS).remainder(20).add(1).expand(clips, -1)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            mel, *_ = model(text=tokens, durs=frames.expand(clips, -1), pitch=torch.zeros(clips, TOKENS))
        assert mel.shape[-1] == LONGEST
        return mel.sum()

    clips = config.acoustic.batch_size
    measured = measure_memory(model, forward, clips)
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"{weights=} {measured.weights / 1e6:.0f} MB + {measured.batch / 1e6:.0f} MB for {clips} clips")
    assert measured.weights + measured.batch < SMALL_GPU
    estimated = estimate_acoustic(config.acoustic, weights, clips, LONGEST, TOKENS)
    assert measured.batch <= estimated.batch
