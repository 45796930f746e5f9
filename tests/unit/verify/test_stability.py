"""The measurement of stability on recordings of a person, whole and damaged, with the real recogniser."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemill import files
from voicemill.audio.decode import read_mono
from voicemill.errors import NotAcceptableError
from voicemill.metrics.error_rate import errors_in_words
from voicemill.metrics.judges import WhisperRecogniser, find_judges
from voicemill.settings import REPOSITORY
from voicemill.text.frontend import read
from voicemill.verify.stability import LEAD_IN, measure
from voicemill.verify.stability_figures import Stability, lines, read_stability, require_stable, stability_path
from voicemill.verify.stability_texts import LONGEST, sentences
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_runtime.sound_files import resample
from voicemill_runtime.voice import SpokenChunk, TimedPhone, TimedWord

pytestmark = pytest.mark.slow

LJ = REPOSITORY / "tests/data/people/lj"
DIGEST = "0" * 64
Samples = NDArray[np.float32]


class RecordedVoice:
    """Speaks texts by playing a person's recordings of them; a change damages the samples, its argument is the take."""

    def __init__(self, change: Callable[[Samples, int], Samples] = lambda samples, take: samples) -> None:
        with (LJ / "metadata.csv").open(encoding="utf-8") as handle:
            rows = list(csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE))
        self.texts = {text: LJ / f"{name}.flac" for name, _, text in rows[:3]}
        self._lead_in = LJ / f"{rows[3][0]}.flac"
        self.sample_rate = 0
        self._change = change
        self._takes = 0

    def speak(self, text: str) -> Iterator[SpokenChunk]:
        self._takes += 1
        samples, self.sample_rate = read_mono(self.texts.get(text, self._lead_in))
        samples = samples if text == LEAD_IN else self._change(samples, self._takes)
        spoken = [word for sentence in read(text) for word in sentence.words]
        edges = np.linspace(0, len(samples) / self.sample_rate, len(spoken) + 1)
        words = tuple(
            TimedWord(word.text, start, end, tuple(TimedPhone(phone, start, end) for phone in word.phones))
            for word, start, end in zip(spoken, edges[:-1], edges[1:], strict=True)
        )
        yield SpokenChunk(samples, words)


@pytest.fixture(scope="module")
def whisper() -> WhisperRecogniser:
    found = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, REPOSITORY / "cache/weights", REPOSITORY)).recogniser
    assert isinstance(found, WhisperRecogniser), found
    return found


def measured(voice: RecordedVoice, whisper: WhisperRecogniser, count: int = 3) -> Stability:
    return measure(voice, list(voice.texts)[:count], whisper, manifest_sha256=DIGEST, seed=1)  # type: ignore[arg-type]


def test_a_person_is_stable(whisper: WhisperRecogniser) -> None:
    found = measured(RecordedVoice(), whisper)
    assert (found.count, found.failed, found.sentences) == (3, 0, ())
    assert found.word_error_rate < 0.15
    assert found.seconds_of_speech > 5
    assert next(lines(found)) == "stability: 0 of 3 sentences failed"
    require_stable(found, 0)


def clipped(samples: Samples, _: int) -> Samples:
    return np.clip(samples * 30, -1, 1)


def with_a_gap(samples: Samples, _: int) -> Samples:
    middle = len(samples) // 2
    return np.concatenate((samples[:middle], np.zeros(2 * 22_050, np.float32), samples[middle:]))


def silent(samples: Samples, _: int) -> Samples:
    return samples * np.float32(1e-4)


def another_take(samples: Samples, take: int) -> Samples:
    return samples * np.float32(1 - 1e-4 * take)


def reversed_(samples: Samples, _: int) -> Samples:
    return samples[::-1].copy()


def four_times_as_long_once(samples: Samples, take: int) -> Samples:
    return np.repeat(samples, 4) if take < 3 else samples


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        (clipped, "clipping"),
        (with_a_gap, "silence"),
        (silent, "silence"),
        (another_take, "repeat"),
        (reversed_, "recogniser"),
        (four_times_as_long_once, "length"),
    ],
)
def test_damaged_speech_fails(
    change: Callable[[Samples, int], Samples], failure: str, whisper: WhisperRecogniser
) -> None:
    found = measured(RecordedVoice(change), whisper, 3 if failure == "length" else 1)
    assert found.failures[failure] >= 1  # type: ignore[index]
    with pytest.raises(NotAcceptableError) as caught:
        require_stable(found, 0)
    assert caught.value.reason == f"voice_unstable:{found.failed}"


class Deaf:
    """A recogniser that recognises nothing, so that every sentence is left to the second one."""

    name = "deaf"

    def transcribe(self, samples: Samples) -> str:
        return ""


@pytest.mark.parametrize(("change", "failed"), [(lambda samples, _: samples, 0), (reversed_, 1)])
def test_a_second_recogniser_decides_about_what_the_first_gets_wrong(
    change: Callable[[Samples, int], Samples], failed: int, whisper: WhisperRecogniser
) -> None:
    voice = RecordedVoice(change)
    texts = list(voice.texts)[:1]
    alone = measure(voice, texts, Deaf(), manifest_sha256=DIGEST, seed=1)  # type: ignore[arg-type]
    assert (alone.doubted, alone.failures, alone.second_recogniser) == (1, {"recogniser": 1}, "")
    found = measure(voice, texts, Deaf(), manifest_sha256=DIGEST, seed=1, second=lambda: whisper)  # type: ignore[arg-type]
    assert (found.doubted, found.failed, found.second_recogniser) == (1, failed, whisper.name)
    assert f"wrong_by_deaf: 1, decided by {whisper.name}" in list(lines(found))
    assert found.word_error_rate == 1
    assert all(each.recognised for each in found.sentences)


def test_nothing_is_doubted_where_the_first_recogniser_is_right(whisper: WhisperRecogniser) -> None:
    def second() -> WhisperRecogniser:
        raise AssertionError("it is not needed")

    voice = RecordedVoice()
    found = measure(voice, list(voice.texts)[:1], whisper, manifest_sha256=DIGEST, seed=1, second=second)  # type: ignore[arg-type]
    assert (found.doubted, found.second_recogniser) == (0, "")


def test_only_the_words_after_a_time_count(whisper: WhisperRecogniser) -> None:
    first, second = [read_mono(path)[0] for path in list(RecordedVoice().texts.values())[:2]]
    pause = np.zeros(8_000, np.float32)
    both = [resample(samples, 22_050, 16_000) for samples in (first, second)]
    found = whisper.transcribe_after(np.concatenate((both[0], pause, both[1])), both[0].size / 16_000 + 0.25)
    alone = whisper.transcribe(both[1])
    assert errors_in_words(alone, found).rate < 0.2
    assert len(found.split()) < 1.2 * len(alone.split())


def test_figures_belong_to_one_bundle(tmp_path: Path) -> None:
    root = tmp_path / "voice_bundle"
    root.mkdir()
    figures = {"recogniser": "r", "seed": 1, "count": 10, "failed": 0, "failures": {}, "word_error_rate": 0.1}
    found = Stability(bundle_manifest_sha256=DIGEST, seconds_of_speech=20.0, sentences=(), doubted=0, **figures)  # type: ignore[arg-type]
    assert read_stability(root, DIGEST) is None
    files.write_json(stability_path(root), found.model_dump(mode="json"))
    assert read_stability(root, DIGEST) == found
    for digest in ("1" * 64, "f" * 64):
        other = found.model_copy(update={"bundle_manifest_sha256": "8" * 64})
        files.write_json(stability_path(root), other.model_dump(mode="json"))
        assert read_stability(root, digest) is None
    older = found.model_dump(mode="json", exclude={"second_recogniser", "doubted"})
    older |= {"stability_version": "voice_stability/1", "failed": 2, "failures": {"recogniser": 1, "clipping": 1}}
    files.write_json(stability_path(root), older)
    read = read_stability(root, DIGEST)
    assert read is not None
    assert (read.failed, read.doubted, read.second_recogniser) == (2, 1, "")
    stability_path(root).write_text(json.dumps({"count": 1}))
    assert read_stability(root, DIGEST) is None


def test_the_sentences_stay_the_same() -> None:
    """The figures of different versions are of the same sentences."""
    made = sentences(5000, seed=1)
    assert (
        files.sha256_bytes("\n".join(made).encode())
        == "79cb1ad9028ad13ef4d11d02cdeecb79b0b3211f66feec77a6d49fd0c8b1d135"
    )


def test_a_word_that_ends_after_the_sound_is_a_wrong_length(whisper: WhisperRecogniser) -> None:
    class Late(RecordedVoice):
        """Whose last word ends a tenth of a second after its samples."""

        def speak(self, text: str) -> Iterator[SpokenChunk]:
            (chunk,) = super().speak(text)
            last = chunk.words[-1]
            yield SpokenChunk(
                chunk.samples, (*chunk.words[:-1], TimedWord(last.text, last.start, last.end + 0.1, last.phones))
            )

    assert measured(Late(), whisper, 1).failures["length"] == 1


def test_sentences_of_every_kind_and_length() -> None:
    made = sentences(1000)
    assert made == sentences(1000)
    assert made[:100] == sentences(100)
    assert made != sentences(1000, seed=2)
    assert len(set(made)) > 800
    lengths = [len(text) for text in made]
    assert max(lengths) <= LONGEST
    assert sum(length > 250 for length in lengths) >= 90
    assert sum(len(text.split()) == 1 for text in made) == 100
    assert sum(re.search(r"\d", text) is not None for text in made) >= 190
    assert all(text[-1] in ".?!" for text in made)
    lists = [re.fullmatch(r"We need (\w+(?:, \w+)+) and (\w+) .+", text) for text in made[7::10]]
    things = [[*found[1].split(", "), found[2]] for found in lists if found]
    assert len(things) == 100
    assert {len(each) for each in things} == set(range(3, 8))
    assert all(len(set(each)) == len(each) for each in things)
