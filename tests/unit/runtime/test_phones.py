"""Alignment, training and runtime give a text the same phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.text.frontend import read
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise
from voicemill.text.readings import reading_of
from voicemill.training.data import TrainingClip
from voicemill.training.durations import AlignedPhone, AlignedWord, token_spans
from voicemill.training.examples import aligned_text
from voicemill.training.examples import encode as nemo_encode
from voicemill.training.speaker import Speaker
from voicemill_runtime.graph import VoiceGraph
from voicemill_runtime.tokens import encode

TEXTS = [
    "Beyond that ridge, you will find nothing but rocks and wind.",
    "Her father taught her to whistle, to swim, and to read the weather.",
    "I have read the book; now close it.",
    "They live near a live band, and used to record a record.",
    "Plan A is close to the U.S. border.",
]


def clip_of(text: str, lexicon: Lexicon) -> TrainingClip:
    """A clip with the phones that the alignment gives it, 50 ms each."""
    normalised = normalise(text)
    words, second = [], 0.0
    for word in reading_of(text, normalised, lexicon).words:
        phones = []
        for phone in word.phones:
            phones.append(AlignedPhone(phone, second, second + 0.05))
            second += 0.05
        words.append(AlignedWord(word.text, tuple(phones)))
    return TrainingClip("clip", Path("clip.wav"), Path("clip.npz"), normalised, second, tuple(words))


@pytest.mark.parametrize("text", TEXTS)
def test_training_and_runtime_have_the_phones_of_the_alignment(text: str, speaker: Speaker, exported: Path) -> None:
    graph = VoiceGraph((exported / "voice.onnx").read_bytes())
    lexicon = Lexicon.load()
    clip = clip_of(text, lexicon)
    ids, symbols = nemo_encode(speaker.fastpitch, aligned_text(speaker.fastpitch, clip, strict=True))
    assert len(token_spans(symbols, clip.words, clip.seconds, clip=clip.id, strict=True)) == len(ids)
    (sentence,) = read(text, speaker.lexicon)
    assert [word.phones for word in sentence.words] == [
        tuple(phone.symbol for phone in word.phones) for word in clip.words
    ]
    assert encode(sentence.words, graph.tokens).ids.tolist() == ids
    (chunk,) = speaker.chunks(text)
    assert nemo_encode(speaker.fastpitch, chunk)[0] == ids
    listed = [lexicon.phones(word.text) for word in sentence.words]
    assert listed != [word.phones for word in sentence.words], "a text without a heteronym tests nothing"
