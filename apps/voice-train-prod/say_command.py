"""voice-train-prod say: synthesise a text with a finished voice."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voicemill.protocol import Scalar
    from voicemill.settings import Settings
    from voicemill.synthesis.options import SynthesisOptions
    from voicemill_marks.origin import Origin
    from voicemill_marks.signer import MarkSigner
    from voicemill_runtime.voice import Voice

EXAMPLES = """\b
Examples:
  voice-train-prod say --voice anna --text "Good morning." --out morning.wav
  voice-train-prod say --voice anna --file chapter.txt --out chapter.wav --speed 0.95
  voice-train-prod say --bundle shared/anna/voice_bundle --text 'Wait <break time="1s"/> now.' --out now.wav
  voice-train-prod say --voice anna --file talk.txt --out talk.mp3 --timings talk.srt --lexicon names.txt
  echo "Good morning." | voice-train-prod say --voice anna --file - --out morning.wav"""


@click.command("say", epilog=EXAMPLES)
@click.option("--voice", help="Promoted voice.  [default: VOICE_PROFILE_ID or dottie_default]")
@click.option("--bundle", type=click.Path(path_type=Path), help="Folder of a bundle, instead of --voice.")
@click.option("--text", help="Text to synthesise, plain or SSML.")
@click.option("--file", type=click.Path(path_type=Path), help="Text file, UTF-8; - for standard input.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Sound file to write, by its ending .wav, .flac, .mp3, .ogg or .opus; - for WAV on standard output.",
)
@click.option("--speed", type=float, default=1.0, show_default=True, help="Speaking rate, 0.5 to 2.")
@click.option("--semitones", type=float, default=0.0, show_default=True, help="Pitch shift, -12 to 12.")
@click.option(
    "--loudness", type=click.FloatRange(-40.0, -10.0), default=-23.0, show_default=True, help="Loudness in LUFS."
)
@click.option(
    "--timings",
    type=click.Path(path_type=Path),
    help="Write the times of words and phones, by the ending .json, .srt, .vtt or .TextGrid.",
)
@click.option("--lexicon", type=click.Path(path_type=Path), help="Pronunciations: lines of a word and its phones.")
def say_command(
    voice: str | None,
    bundle: Path | None,
    text: str | None,
    file: Path | None,
    out: Path,
    speed: float,
    semitones: float,
    loudness: float,
    timings: Path | None,
    lexicon: Path | None,
) -> None:
    """Synthesise a text with a promoted voice and the vocoder that it ships with."""
    from voicemill.errors import UsageError
    from voicemill.held_signals import release_signals
    from voicemill.lane.load_voice import read_input_text
    from voicemill.protocol import Protocol
    from voicemill.settings import Settings
    from voicemill.synthesis.options import SynthesisOptions
    from voicemill_marks.signer import MarkSigner
    from voicemill_runtime.sound_files import sound_format
    from voicemill_runtime.timings import render

    release_signals()
    settings = Settings.from_environment(os.environ)
    if (text is None) == (file is None):
        raise UsageError("Give either --text or --file.", hint="For example --text 'Good morning.'.")
    options = SynthesisOptions(speed=speed, semitones=semitones, loudness_lufs=loudness)
    output = Output(out, sound_format(out), timings, MarkSigner.find(settings.workspace.marks))
    if timings is not None:
        render((), timings.name)  # refuses another ending before anything is loaded
    words = text if text is not None else read_input_text(file or Path("-"), sys.stdin.buffer)
    root = bundle or settings.paths.promoted(voice or settings.voice.profile_id)
    speaker = _open(root, lexicon, needed=timings is not None or lexicon is not None)
    if speaker is None:
        stats = _say_with_nemo(settings, root, words, output, options)
    else:
        stats = _say(speaker, words, output, options)
    protocol = Protocol(sys.stderr if str(out) == "-" else sys.stdout)
    protocol.stats(stats)
    for path in (out, output.sidecar, timings):
        if path is not None and path.is_file() and str(path) != "-":
            protocol.artifact(path)


@dataclass(frozen=True)
class Output:
    """Where the speech and its times go.

    Attributes:
        sound: a file, or `-`.
        suffix: the ending that decides the format.
        timings: a file.
        signer: of the metadata.
    """

    sound: Path
    suffix: str
    timings: Path | None
    signer: MarkSigner

    @property
    def sidecar(self) -> Path | None:
        """The file of the signed metadata, for a sound file whose format does not hold it."""
        from voicemill_marks.credentials import MEDIA_TYPES, sidecar_path

        in_file = self.suffix in MEDIA_TYPES or str(self.sound) == "-"
        return None if in_file or (self.sound.exists() and not self.sound.is_file()) else sidecar_path(self.sound)

    def write(self, samples: NDArray[np.float32], rate: int, origin: Origin | None) -> None:
        """Write the sound with its marks."""
        from voicemill import files
        from voicemill_marks.credentials import sidecar
        from voicemill_runtime.sound_files import marked_bytes

        data = marked_bytes(samples, rate, self.suffix, origin, self.signer)
        if str(self.sound) == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        files.write_bytes(self.sound, data)
        if self.sidecar is not None and origin is not None:
            files.write_bytes(self.sidecar, sidecar(data, origin, self.signer))


def _open(root: Path, lexicon: Path | None, *, needed: bool) -> Voice | None:
    """The voice of a bundle in the runtime; None for a bundle without a graph, unless an option needs one."""
    from voicemill.errors import UsageError
    from voicemill_runtime.bundle import open_voice

    if not root.is_dir():
        raise UsageError(
            f"There is no folder {root}.",
            reason=f"bundle_not_found:{root.as_posix()}",
            hint="Give the folder of a bundle, for example bundles/<voice>/voice_bundle.",
        )
    try:
        return open_voice(root, lexicon=lexicon)
    except UsageError as error:
        if error.code != "bundle_without_graph" or needed:
            raise
        click.echo(f"{error} NeMo speaks, which takes longer to start.", err=True)
        return None


def _say(voice: Voice, text: str, output: Output, options: SynthesisOptions) -> dict[str, Scalar]:
    """Speak with the runtime."""
    import numpy as np

    from voicemill import files
    from voicemill_runtime.loudness import gain
    from voicemill_runtime.timings import render

    started = time.perf_counter()
    chunks = list(voice.speak(text, options))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    seconds = samples.size / voice.sample_rate
    if options.loudness_lufs is not None:
        samples = samples * np.float32(gain(samples, voice.sample_rate, options.loudness_lufs))
    output.write(samples, voice.sample_rate, voice.origin)
    if output.timings is not None:
        words = [word for chunk in chunks for word in chunk.words]
        marks = [mark for chunk in chunks for mark in chunk.marks]
        files.write_text(output.timings, render(words, output.timings.name, marks))
    return _stats(seconds, voice.vocoder, time.perf_counter() - started)


def _say_with_nemo(
    settings: Settings, root: Path, text: str, output: Output, options: SynthesisOptions
) -> dict[str, Scalar]:
    """Speak with NeMo: a bundle of an earlier version has no graph."""
    import tempfile

    import soundfile

    from voicemill.lane.load_voice import load_promoted_voice
    from voicemill.synthesis.speech import synthesise_to_file
    from voicemill_marks.watermark import Watermark
    from voicemill_runtime.bundle import bundle_origin

    speaker = load_promoted_voice(settings, None, root)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="voicemill-say-") as folder:
        wave = Path(folder) / "speech.wav"
        seconds, _ = synthesise_to_file(speaker, text, wave, options)
        spent = time.perf_counter() - started
        samples, rate = soundfile.read(wave, dtype="float32")
    origin = bundle_origin(root)
    if origin is not None:
        samples = Watermark(rate, origin.payload).mark(samples)
    output.write(samples, rate, origin)
    return _stats(seconds, speaker.vocoder.name, spent)


def _stats(seconds: float, vocoder: str, spent: float) -> dict[str, Scalar]:
    return {"seconds": round(seconds, 3), "vocoder": vocoder, "x_real_time": round(seconds / spent, 2)}
