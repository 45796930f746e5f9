"""Our way from command to first training step on a prepared dataset: the other side of `bench.py start`.

python scripts/bench/our_start.py DATASET OUT    prints one JSON line
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))


def main(dataset: Path, out: Path) -> None:
    """Train one step of the `cpu` preset, all examples made and checked before, and print the seconds to it."""
    from voicemill.training.config import load_config
    from voicemill.training.hooks import Hooks
    from voicemill.training.train_fastpitch import train_acoustic

    marks: dict[str, float] = {}

    def on_step(report: object) -> None:
        marks.update(to_first_step=time.perf_counter() - STARTED, cpu_to_first_step=time.process_time())

    config = load_config(
        ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml", "cpu", {"acoustic": {"max_steps": 1}}
    )
    train_acoustic(config, dataset, out, hooks=Hooks(on_step=on_step))
    print(json.dumps(marks), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
