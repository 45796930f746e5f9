#!/usr/bin/env python3
"""Write the JSON Schemas below `configs/voice/` from the typed models; `--check` only says which are out of date."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.verify import schemas
from voicemill_musicgen import formats

ALL = {**schemas.MODELS, **formats.MODELS}


def main() -> int:
    """Print one line per schema that was (or would be) written."""
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print("usage: generate_schemas.py [--check]", file=sys.stderr)
        return 1
    for path in schemas.outdated(ROOT, ALL) if check else schemas.write(ROOT, ALL):
        print(f"{'out of date' if check else 'written'}: {path.as_posix()}")
    return 1 if check and schemas.outdated(ROOT, ALL) else 0


if __name__ == "__main__":
    raise SystemExit(main())
