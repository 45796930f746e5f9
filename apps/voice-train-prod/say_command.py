"""voice-train-prod say: synthesise a text with a finished voice."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  voice-train-prod say --voice anna --text "Good morning." --out morning.wav
  voice-train-prod say --voice anna --file chapter.txt --out chapter.wav --speed 0.95
  voice-train-prod say --bundle shared/anna/voice_bundle --text 'Wait <break time="1s"/> now.' --out now.wav
  echo "Good morning." | voice-train-prod say --voice anna --file - --out morning.wav"""


@click.command("say", epilog=EXAMPLES)
@click.option("--voice", help="Promoted voice.  [default: VOICE_PROFILE_ID or dottie_default]")
@click.option("--bundle", type=click.Path(path_type=Path), help="Folder of a bundle, instead of --voice.")
@click.option("--text", help='Text to synthesise; <break time="500ms"/> inserts a pause.')
@click.option("--file", type=click.Path(path_type=Path), help="Text file, UTF-8; - for standard input.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="WAV file to write.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="Speaking rate, 0.5 to 2.")
@click.option("--semitones", type=float, default=0.0, show_default=True, help="Pitch shift, -12 to 12.")
@click.option(
    "--loudness", type=click.FloatRange(-40.0, -10.0), default=-23.0, show_default=True, help="Loudness in LUFS."
)
def say_command(
    voice: str | None,
    bundle: Path | None,
    text: str | None,
    file: Path | None,
    out: Path,
    speed: float,
    semitones: float,
    loudness: float,
) -> None:
    """Synthesise a text with a promoted voice and the vocoder that it ships with."""
    from voicemill.boundary import release_signals
    from voicemill.errors import UsageError
    from voicemill.lane.load_voice import load_promoted_voice, read_input_text
    from voicemill.protocol import Protocol
    from voicemill.settings import Settings
    from voicemill.synthesis.options import SynthesisOptions
    from voicemill.synthesis.speech import synthesise_to_file
    from voicemill.text.normalise import normalise

    release_signals()
    settings = Settings.from_environment(os.environ)
    if (text is None) == (file is None):
        raise UsageError("Give either --text or --file.", hint="For example --text 'Good morning.'.")
    options = SynthesisOptions(speed=speed, semitones=semitones, loudness_lufs=loudness)
    words = text if text is not None else read_input_text(file or Path("-"), sys.stdin.buffer)
    speaker = load_promoted_voice(settings, voice, bundle)
    started = time.perf_counter()
    seconds, _ = synthesise_to_file(speaker, words, out, options, normalise)
    speed = seconds / (time.perf_counter() - started)
    protocol = Protocol(sys.stdout)
    protocol.stats({"seconds": round(seconds, 3), "vocoder": speaker.vocoder.name, "x_real_time": round(speed, 2)})
    protocol.artifact(out)
