"""A tiny prepared dataset of tones, and settings that train on it in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from voicemill.training.config import TrainingConfig

RATE = 22050
PHONES = {"HH": 300.0, "AH": 500.0, "L": 400.0, "OW": 700.0, "W": 350.0, "ER": 600.0, "D": 900.0}
LEXICON = {
    "hello": ["HH", "AH", "L", "OW"],
    "world": ["W", "ER", "L", "D"],
    "low": ["L", "OW"],
    "word": ["W", "ER", "D"],
}
TEXTS = ["Hello, world.", "Low word!", "World, hello.", "Hello low world.", "Word: low, low.", "World word hello."]


def write_dataset(root: Path) -> Path:
    """Clips in which each phone is a tone of 70 ms and each word is followed by 50 ms of near silence."""
    (root / "clips").mkdir(parents=True)
    (root / "supplementary").mkdir()
    lines = []
    for number, text in enumerate(TEXTS):
        words, samples, now = [], [np.zeros(int(0.05 * RATE))], 0.05
        for word in text.lower().replace(",", "").replace(".", "").replace("!", "").replace(":", "").split():
            phones = []
            for phone in LEXICON[word]:
                times = np.arange(int(0.07 * RATE)) / RATE
                samples.append(0.3 * np.sin(2 * np.pi * PHONES[phone] * times))
                phones.append([phone, now, now + len(times) / RATE])
                now += len(times) / RATE
            words.append([word, phones[0][1], phones[-1][2], phones])
            samples.append(np.zeros(int(0.05 * RATE)))
            now += int(0.05 * RATE) / RATE
        write_clip(
            root,
            f"c{number}",
            np.concatenate(samples) + 1e-4 * np.random.default_rng(number).normal(size=sum(map(len, samples))),
        )
        lines.append(
            {
                "id": f"c{number}",
                "audio_filepath": f"clips/c{number}.wav",
                "text": text,
                "normalized_text": text,
                "duration": sum(map(len, samples)) / RATE,
                "alignment": words,
            }
        )
    (root / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:-1]), encoding="utf-8")
    (root / "validation.jsonl").write_text(json.dumps(lines[-1]) + "\n", encoding="utf-8")
    (root / "lexicon.dict").write_text(
        "".join(f"{word} {' '.join(phones)}\n" for word, phones in LEXICON.items()), encoding="utf-8"
    )
    (root / "dataset.json").write_text(
        json.dumps({"pitch_mean": 180.0, "pitch_std": 20.0, "pitch_fmin": 65.0, "pitch_fmax": 400.0})
    )
    return root


def write_clip(root: Path, name: str, samples: np.ndarray) -> None:
    import soundfile

    soundfile.write(root / "clips" / f"{name}.wav", samples, RATE, subtype="PCM_16")
    pitch = np.where(np.arange(len(samples) // 256 + 1) % 7 < 5, 170.0 + np.arange(len(samples) // 256 + 1) % 11, 0.0)
    np.savez(root / "supplementary" / f"{name}.npz", pitch=pitch.astype(np.float32))


@pytest.fixture(scope="session")
def tone_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tones") / "dataset")


def tiny_config(**acoustic: object) -> TrainingConfig:
    stack = {"layers": 1, "heads": 1, "head_width": 8, "inner_width": 16}
    small = {
        "width": 16,
        "encoder": stack,
        "decoder": stack,
        "duration_predictor": {"width": 8},
        "pitch_predictor": {"width": 8},
        "max_steps": 6,
        "batch_size": 2,
        "optimiser": {"warmup_steps": 2},
    }
    return TrainingConfig.model_validate(
        {
            "preset": "tiny",
            "acoustic": small | acoustic,
            "seed": 3,
            "threads": 1,
            "checkpoint_interval": 4,
            "accelerator": "cpu",
            "precision": "float32",
        }
    )
