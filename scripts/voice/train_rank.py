"""One rank of a training on several devices; torchrun starts it, see `voicemill.training.launch`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from voicemill.training.worker import main

if __name__ == "__main__":
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print to stdout
        raise SystemExit(main(Path(sys.argv[1]), output))
