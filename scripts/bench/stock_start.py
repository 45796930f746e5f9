"""NeMo's stock way from command to first training step, on the clips of a prepared dataset: the yardstick of `make
bench`.

What a user of NeMo 3.0 gets who writes a manifest and starts training: its text normaliser is built, `TTSDataset`
computes pitch with librosa's pyin on first use, then FastPitchModel trains under Lightning. Sizes are those of our
`cpu` preset, so that the step itself costs the same; nothing of voicemill but its configuration tree is used.

    python scripts/bench/stock_start.py DATASET OUT [warm]    prints one JSON line with the seconds of each part

Warm: the pitch of all clips lies on disk already.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))


def main(dataset: Path, out: Path, *, warm: bool) -> None:
    """Train one step of stock FastPitch and print where the time went."""
    import lightning.pytorch as lightning
    import nemo.collections.tts.models  # noqa: F401
    import torch

    imported = time.perf_counter()
    from stock import stock_model, stock_trainer

    from voicemill.training.config import load_config
    from voicemill.training.data import read_dataset

    prepared = read_dataset(dataset)
    config = load_config(ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", "cpu")
    torch.manual_seed(1)
    built = stock_model(prepared, config, out, normaliser=True, own_pitch=not warm)
    model_built = time.perf_counter()
    marks: dict[str, float] = {}

    class Watch(lightning.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            marks.setdefault("first_step", time.perf_counter())
            marks.setdefault("cpu", time.process_time())

    trainer = stock_trainer(max_steps=1, callbacks=[Watch()])
    trainer.fit(built, train_dataloaders=built._train_dl)
    first = marks["first_step"]
    # The first step waited for the pitch of its own few clips only; the rest is computed when the first epoch asks
    # for it.
    for index in range(len(built._train_dl.dataset)):
        built._train_dl.dataset[index]
    cached = time.perf_counter()
    print(
        json.dumps(
            {
                "import": imported - STARTED,
                "model_and_normaliser": model_built - imported,
                "first_batch_and_step": first - model_built,
                "rest_of_supplementary_data": cached - first,
                "to_first_step": first - STARTED,
                "cpu_to_first_step": marks["cpu"],
                "to_all_data_ready": cached - STARTED,
                "clips": len(prepared.train),
                "audio_seconds": sum(clip.seconds for clip in prepared.train),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), warm=sys.argv[3:] == ["warm"])
