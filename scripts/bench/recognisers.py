"""Words that recognisers get wrong of recordings of a person, where voice-prep lets them write the text."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import click
import soundfile
from takes import clips_of

from voicemill.align import transcription
from voicemill.audio.decode import resample
from voicemill.dataset.models import choose_recogniser
from voicemill.metrics.error_rate import spoken_words, word_errors
from voicemill.settings import Settings
from voicemill.weights.registry import WeightsRegistry


def run(folder: Path, audio: Path, options: Sequence[str], count: int) -> None:
    """Print Markdown.

    Args:
        folder: with `metadata.csv`, see `takes.clips_of`.
        audio: folder of `<id>.flac`.
        options: of `--recognise`.
        count: recordings.
    """
    settings = Settings.from_environment(os.environ)
    registry = WeightsRegistry(settings.weights.allowlist, settings.workspace.weights_cache, settings.repository)
    clips = clips_of(folder, audio)[:count]
    sounds = []
    for path, _ in clips:
        samples, rate = soundfile.read(path, dtype="float32")
        sounds.append(resample(samples, rate, transcription.SAMPLE_RATE))
    seconds = sum(map(len, sounds)) / transcription.SAMPLE_RATE
    click.echo(
        "| recogniser | clips | words | wrong | clips without an error | × real time |\n|---|---:|---:|---:|---:|---:|"
    )
    for option in options:
        model = choose_recogniser(option, registry)
        if model is None:
            continue
        transcriber = transcription.load(model)
        begun = time.process_time()
        texts = transcriber.transcribe(sounds)
        took = time.process_time() - begun
        found = word_errors([spoken_words(text) for _, text in clips], [spoken_words(text) for text in texts])
        wrong, words = sum(one.errors for one in found), sum(one.length for one in found)
        right = sum(one.errors == 0 for one in found)
        share = f"{100 * wrong / words:.1f} %"
        click.echo(f"| {option} | {len(clips)} | {words} | {share} | {right} | {seconds / took:.1f} |")
