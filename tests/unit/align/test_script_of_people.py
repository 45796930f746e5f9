"""Matching a script with a recording of a person, whose clips follow one another without a pause."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from voicemill.align.script import Script, match_script
from voicemill.audio.vad import speech_spans
from voicemill.audio.waveform import MemoryWaveform, excerpt
from voicemill.text.lexicon import Lexicon
from voicemill.text.transcripts import read_metadata

LJ = Path(__file__).parents[2] / "data" / "people" / "lj"
RATE = 16_000


def test_nothing_is_lost_between_clips_that_were_joined_without_a_pause(lexicon: Lexicon) -> None:
    clips = read_metadata(LJ / "metadata.csv")
    sounds, rate = [], 0
    for clip in clips:
        samples, rate = soundfile.read(clip.audio, dtype="float32")
        sounds.append(samples)
    joined = MemoryWaveform(np.concatenate(sounds), rate)
    samples = excerpt(joined, 0.0, joined.seconds, RATE)
    texts = tuple(clip.normalized or clip.text for clip in clips)
    found = match_script(MemoryWaveform(samples, RATE), speech_spans(samples), Script(texts, lexicon))
    assert (found.unusable, found.unmatched, found.repeats, found.skipped) == ((), (), (), ())
    assert " ".join(utterance.text for utterance in found.utterances) == " ".join(texts)
