#!/usr/bin/env python3
"""Write the JSON Schemas below `configs/voice/` from the typed models; `--check` only reports problems.

A model that changed without a new version is reported and its schema is not overwritten (docs/formats.md).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.verify import schemas
from voicemill_cloning.voice_file import SpeakingVoice
from voicemill_musicgen.dataset import SCHEMA_MODELS

ALL = (
    *schemas.FORMATS,
    schemas.Format("speaking-voice", 1, SpeakingVoice),
    *(schemas.Format.of(name, models) for name, models in SCHEMA_MODELS.items()),
)


def main() -> int:
    """Print one line per written schema and per problem; exit 1 if a problem remains."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print("usage: generate_schemas.py [--check]", file=sys.stderr)
        return 1
    for path in [] if check else schemas.write(ROOT, ALL):
        print(f"written: {path.as_posix()}")
    found = schemas.problems(ROOT, ALL)
    for sentence in found:
        print(sentence)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
