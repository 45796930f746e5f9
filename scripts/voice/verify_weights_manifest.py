#!/usr/bin/env python3
"""Validate a weights manifest: `python scripts/voice/verify_weights_manifest.py [FILE]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.weights.manifest import validate_file


class Parser(argparse.ArgumentParser):
    """Bad usage exits with 1, as everywhere here: 2 means that the manifest was not found."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def main() -> int:
    parser = Parser(description="Validate a weights manifest; prints one line, exits 0 when it is valid.")
    parser.add_argument("manifest", nargs="?", type=Path, default=ROOT / "configs/voice/weights-manifest.example.json")
    verdict = validate_file(parser.parse_args().manifest)
    print(verdict.line)
    return verdict.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
