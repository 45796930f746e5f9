"""Make data/base/speakers.json: profiles of flite's voices reading the base corpus, for the question whose voice a
voice is.

Needs flite (Debian package `flite`). The demo's speaker, slt, is not among them: her voice has its own recordings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

import click

from voicemill import files
from voicemill.audio.decode import read_mono
from voicemill.evaluation.other_speakers import PROFILES, SpeakerFile
from voicemill.metrics.speaker import StoredProfile, speaker_profile

VOICES = ("awb", "kal", "rms")
SENTENCES = 60


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / PROFILES, show_default=True)
def main(out: Path) -> None:
    """Let each voice read the first sentences of the base corpus, and keep second-order statistics of the sound."""
    lines = (ROOT / "data/base/corpus.txt").read_text(encoding="utf-8").splitlines()[:SENTENCES]
    speakers = []
    with tempfile.TemporaryDirectory() as folder:
        for voice in VOICES:
            sounds, rate = [], 0
            for index, line in enumerate(lines):
                wav = Path(folder) / f"{voice}-{index}.wav"
                subprocess.run(["flite", "-voice", voice, "-t", line, "-o", str(wav)], check=True)
                samples, rate = read_mono(wav)
                sounds.append(samples)
            speakers.append(
                StoredProfile.of(
                    voice,
                    f"flite {voice}, {SENTENCES} sentences of data/base/corpus.txt",
                    speaker_profile(sounds, rate),
                )
            )
    files.write_json(out, SpeakerFile(speakers=tuple(speakers)).model_dump(mode="json"))
    click.echo(f"{out}: {', '.join(VOICES)}", err=True)


if __name__ == "__main__":
    main()
