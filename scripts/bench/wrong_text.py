"""How many wrong texts of people a preparation finds: the measurement of `bench.py wrong-text`.

Each clip is judged with its own text and with changed ones: a word, drawn at random, replaced, left out or added, the
last word left out, one half of the text, and the text of another clip. Three rules judge, as in a preparation: the
aligner's scores, speech outside all words, and the check of words with Whisper. What does not depend on the text, the
speech of a clip and what Whisper recognises in it, is computed once for a clip.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from people_preparation import Clip, sets

from voicemill.align import features, second_recogniser
from voicemill.align.forced_alignment import Aligner, spoken_reading
from voicemill.align.text_check import wrong_words_of
from voicemill.audio import decode
from voicemill.audio.level_envelope import LevelEnvelope
from voicemill.audio.vad import Span
from voicemill.dataset import unwritten
from voicemill.dataset.manifest import WordRow
from voicemill.dataset.models import find_second_recogniser
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.errors import DatasetError
from voicemill.metrics.intervals import wilson
from voicemill.settings import REPOSITORY
from voicemill.text import normalise
from voicemill.text.frontend import SpokenWord
from voicemill.text.lexicon import Lexicon
from voicemill.text.readings import reading_of
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

MACHINE_TEXTS = "librispeech_many"
"""A set with one clip a person, whose texts a recogniser wrote; they are not known to be right."""
_FEWEST_WORDS = 4
_RIGHT, _MACHINE = "right", "right, written by a recogniser"
_NOT_DRAWN = (_RIGHT, "last word left out", "second half missing", "first half missing")


@dataclass(frozen=True)
class Bench:
    """The models, and texts whose words are added and put in place of others."""

    aligner: Aligner
    lexicon: Lexicon
    recogniser: second_recogniser.SecondRecogniser
    cache: Path
    vocabulary: Sequence[SpokenWord]
    texts: Sequence[Sequence[SpokenWord]]


def report(people: Path, work: Path, count: int, rounds: int, seed: int) -> Iterator[str]:
    """One row for each change, as Markdown, over `count` clips of each person with `rounds` draws of every change.

    Every judged text is appended to `work/judged-SEED.jsonl`, from which the table is made; a run that was interrupted
    goes on after the last clip.
    """
    chance = random.Random(seed)  # noqa: S311
    found = {name: every for name, every in sets(people, 400) if not name.startswith(MACHINE_TEXTS)}
    clips = [clip for every in found.values() for clip in chance.sample(every, min(count, len(every)))]
    clips += [clip for _, every in sets(people, 1, least=1) for clip in every if MACHINE_TEXTS in clip.path.parts]
    chance.shuffle(clips)
    bench = _bench(clips, work)
    stored = work / f"judged-{seed}.jsonl"
    rows = [json.loads(line) for line in stored.read_text().splitlines()] if stored.is_file() else []
    done = {(row["clip"], row["round"]) for row in rows}
    with stored.open("a") as file:
        for clip in clips:
            turns = [turn for turn in range(rounds) if (clip.name, turn) not in done]
            of = _judged(bench, clip, turns, seed) if turns else []
            file.write("".join(json.dumps(row) + "\n" for row in of))
            file.flush()
            rows += of
    yield from table(rows)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Shares by change, with 95% intervals (Wilson) of those that are rejected or marked."""
    yield "| text | n | aligner and speech outside words | with Whisper: rejected | rejected or marked | 95 % |"
    yield "|---|---:|---:|---:|---:|---:|"
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of = [row for row in rows if row["kind"] == kind]
        shares = " | ".join(f"{sum(row[rule] for row in of) / len(of):.1%}" for rule in ("aligner", "all", "marked"))
        low, high = wilson(sum(row["marked"] for row in of), len(of))
        yield f"| {kind} | {len(of)} | {shares} | {low:.1%} to {high:.1%} |"


def _bench(clips: Sequence[Clip], work: Path) -> Bench:
    model = find_second_recogniser(WeightsRegistry(REPOSITORY / SHIPPED, work / "weights", REPOSITORY))
    if model is None:
        raise SystemExit("Whisper tiny.en is not installed.")
    work.mkdir(parents=True, exist_ok=True)
    lexicon = Lexicon.load()
    texts = [_words(clip, lexicon) for clip in clips]
    vocabulary = [word for text in texts for word in text]
    return Bench(Aligner(lexicon), lexicon, second_recogniser.load(model), work / "cache", vocabulary, texts)


def _judged(bench: Bench, clip: Clip, turns: Sequence[int], seed: int) -> list[dict[str, Any]]:
    """The verdicts on one clip's texts; the right one and halves in the first turn only, as they are not drawn."""
    likely = reading_of(clip.text, normalise.normalise(clip.text), bench.lexicon)
    samples = decode.resample(*decode.read_mono(clip.path), features.SAMPLE_RATE)
    if len(samples) > second_recogniser.LONGEST_SECONDS * features.SAMPLE_RATE or len(likely.words) < _FEWEST_WORDS:
        return []
    words = list(spoken_reading(bench.aligner, samples, likely).words)
    speech = [Span(*span) for span in speech_of(SpeechTask(clip.path, bench.cache)).spans]
    (recognised,) = bench.recogniser.recognise([samples])
    rows: list[dict[str, Any]] = []
    for turn in turns:
        chance = random.Random(f"{seed} {clip.name} {turn}")  # noqa: S311
        for kind, text in _changes(words, bench, chance).items():
            if turn and kind in _NOT_DRAWN:
                continue
            aligned = _aligner_accepts(bench.aligner, samples, text, speech)
            found = wrong_words_of(recognised, bench.aligner, bench.lexicon, samples, text) if aligned else []
            rejected = not aligned or any(one.certain for one in found)
            rows.append(
                {
                    "clip": clip.name,
                    "round": turn,
                    "kind": _MACHINE if kind == _RIGHT and MACHINE_TEXTS in clip.path.parts else kind,
                    "aligner": not aligned,
                    "all": rejected,
                    "marked": rejected or bool(found),
                    "text": " ".join(word.text for word in text),
                    "right": " ".join(word.text for word in words),
                    "recognised": recognised.text,
                    "found": [(one.first, one.last, one.recognised, one.gain, one.certain) for one in found],
                }
            )
    return rows


def _words(clip: Clip, lexicon: Lexicon) -> Sequence[SpokenWord]:
    return reading_of(clip.text, normalise.normalise(clip.text), lexicon).words


def _changes(words: list[SpokenWord], bench: Bench, chance: random.Random) -> dict[str, list[SpokenWord]]:
    at, place, half = chance.randrange(len(words)), chance.randrange(len(words) + 1), len(words) // 2
    other = chance.choice([word for word in bench.vocabulary if word.text != words[at].text])
    spoken = [word.text for word in words]
    another = chance.choice([text for text in bench.texts if [word.text for word in text] != spoken])
    return {
        "right": words,
        "one word replaced": [*words[:at], other, *words[at + 1 :]],
        "one word left out": [*words[:at], *words[at + 1 :]],
        "one word added": [*words[:place], other, *words[place:]],
        "last word left out": words[:-1],
        "second half missing": words[:half],
        "first half missing": words[half:],
        "another clip's text": list(another),
    }


def _aligner_accepts(
    aligner: Aligner, samples: decode.Samples, words: Sequence[SpokenWord], speech: Sequence[Span]
) -> bool:
    text, phones = " ".join(word.text for word in words), [word.phones for word in words]
    try:
        found = aligner.align(samples, text, phones)
    except DatasetError:
        return False
    rows: list[WordRow] = [(word.text, word.start, word.end, []) for word in found.words]
    return found.fits and not unwritten.speech(rows, speech, LevelEnvelope.of(samples, features.SAMPLE_RATE)).excessive
