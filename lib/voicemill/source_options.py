"""The command line's options about a voice's source, shared by voice-prep and voice-train-prod."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voicemill.commands import in_one

if TYPE_CHECKING:
    from voicemill.dataset.request import SourceOptions

_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--audio", help="Recording, folder of recordings, or web address of a recording."),
    click.option("--start", help="Where to begin in one long recording: 90, 1:30 or 1:02:30.5."),
    click.option("--end", help="Where to stop in it."),
    click.option("--script", type=_FILE, help="Text of the recording, in reading order, or a timed transcript."),
    click.option(
        "--tier",
        help="Tier of a TextGrid that holds the words.  [default: its only interval tier, else one named sentence, "
        "utterance, phrase, text, transcript or word]",
    ),
    click.option(
        "--track",
        type=click.IntRange(1, 64),
        help="Audio track of files that have several, such as videos and multitrack recordings.  [default: the first]",
    ),
    click.option(
        "--channel",
        type=click.Choice(["left", "right", "best"]),
        help="Take one channel of stereo files; best is the one with the clearer voice.  [default: all are mixed]",
    ),
    click.option("--metadata", type=_FILE, help="LJSpeech-style metadata.csv: id|text|normalized text."),
    click.option("--dataset", type=_FILE, help="NeMo manifest (JSON Lines) instead of --audio."),
    click.option("--lexicon", type=_FILE, help="Pronunciations that add to or override the dictionary."),
    click.option(
        "--consent", metavar="FILE|TEXT", help="Statement of consent of the speaker; carried into the bundle."
    ),
    click.option("--licence", metavar="SPDX", help="Licence of the recordings, for instance CC-BY-4.0."),
    click.option(
        "--replace-reviewed",
        is_flag=True,
        help="Replace a reviewed dataset that has another source or other settings; edits are applied where they fit.",
    ),
)


def _source(**values: Any) -> SourceOptions:
    from voicemill.dataset.request import SourceOptions

    return SourceOptions(**values)


source_options = in_one("source", _source, *_OPTIONS)
"""Adds the options; the command gets them as one `voicemill.dataset.request.SourceOptions`, named `source`."""
