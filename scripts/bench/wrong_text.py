"""How many wrong texts of people a preparation finds: the measurement of `bench.py wrong-text`.

Each clip is judged with its own text and with changed ones: a word, drawn at random, replaced, left out or added, the
last word left out, and one half of the text. Three rules judge, as in a preparation: the aligner's scores, speech
outside all words, and the check of words with Whisper.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from people_preparation import Clip, sets

from voicemill.align import features, second_recogniser
from voicemill.align.forced_alignment import Aligner
from voicemill.align.spoken_reading import spoken_reading
from voicemill.align.text_check import wrong_words
from voicemill.audio import decode
from voicemill.audio.vad import Span
from voicemill.dataset.cached_recognition import find_second_recogniser
from voicemill.dataset.stages.alignment import unwritten_speech
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import DatasetError
from voicemill.settings import REPOSITORY
from voicemill.text import normalise
from voicemill.text.frontend import SpokenWord
from voicemill.text.lexicon import Lexicon
from voicemill.text.readings import reading_of
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

_FEWEST_WORDS = 4


def report(people: Path, work: Path, count: int, seed: int) -> Iterator[str]:
    """One row for each change, as Markdown, over `count` clips of each person."""
    chance = random.Random(seed)  # noqa: S311
    clips = [clip for _, every in sets(people, 400) for clip in chance.sample(every, min(count, len(every)))]
    registry = WeightsRegistry(REPOSITORY / SHIPPED, work / "weights", REPOSITORY)
    model = find_second_recogniser(registry)
    if model is None:
        raise SystemExit("Whisper tiny.en is not installed.")
    recogniser, lexicon = second_recogniser.load(model), Lexicon.load()
    aligner = Aligner(lexicon)
    totals: dict[str, Counter[str]] = {}
    vocabulary = [word for clip in clips for word in _words(clip, lexicon)]
    checking = seconds = 0.0
    for clip in clips:
        likely = reading_of(clip.text, normalise.normalise(clip.text), lexicon)
        samples = decode.resample(*decode.read_mono(clip.path), features.SAMPLE_RATE)
        if len(samples) > second_recogniser.LONGEST_SECONDS * features.SAMPLE_RATE or len(likely.words) < _FEWEST_WORDS:
            continue
        words = list(spoken_reading(aligner, samples, likely).words)
        speech = [Span(*span) for span in speech_of(SpeechTask(clip.path, work / "cache")).spans]
        changes = _changes(words, vocabulary, chance)
        started = time.process_time()
        wrong_words(recogniser, aligner, lexicon, [(samples, words)])
        checking += time.process_time() - started
        seconds += len(samples) / features.SAMPLE_RATE
        judged = wrong_words(recogniser, aligner, lexicon, [(samples, text) for text in changes.values()])
        for (kind, text), found in zip(changes.items(), judged, strict=True):
            total = totals.setdefault(kind, Counter())
            aligned = _aligner_accepts(aligner, samples, text, speech)
            total["n"] += 1
            total["aligner"] += not aligned
            total["all"] += not aligned or any(one.certain for one in found)
            total["marked"] += not aligned or bool(found)
    yield "| text | n | aligner and speech outside words | with Whisper: rejected | rejected or marked |"
    yield "|---|---:|---:|---:|---:|"
    for kind, total in totals.items():
        shares = " | ".join(f"{total[rule] / total['n']:.1%}" for rule in ("aligner", "all", "marked"))
        yield f"| {kind} | {total['n']} | {shares} |"
    yield f"\nRight texts, one clip at a time: {seconds / checking:.0f} × real time on one core."


def _words(clip: Clip, lexicon: Lexicon) -> Sequence[SpokenWord]:
    return reading_of(clip.text, normalise.normalise(clip.text), lexicon).words


def _changes(
    words: list[SpokenWord], vocabulary: Sequence[SpokenWord], chance: random.Random
) -> dict[str, list[SpokenWord]]:
    at, place, half = chance.randrange(len(words)), chance.randrange(len(words) + 1), len(words) // 2
    other = chance.choice([word for word in vocabulary if word.text != words[at].text])
    return {
        "right": words,
        "one word replaced": [*words[:at], other, *words[at + 1 :]],
        "one word left out": [*words[:at], *words[at + 1 :]],
        "one word added": [*words[:place], other, *words[place:]],
        "last word left out": words[:-1],
        "second half missing": words[:half],
        "first half missing": words[half:],
    }


def _aligner_accepts(
    aligner: Aligner, samples: decode.Samples, words: Sequence[SpokenWord], speech: Sequence[Span]
) -> bool:
    text, phones = " ".join(word.text for word in words), [word.phones for word in words]
    try:
        found = aligner.align(samples, text, phones)
    except DatasetError:
        return False
    rows = [(word.text, word.start, word.end, []) for word in found.words]
    return found.fits and not unwritten_speech(rows, speech).excessive
