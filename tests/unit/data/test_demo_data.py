"""The demo recording, its script, the held-out sentences and the base corpus fit together."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

DATA = Path(__file__).resolve().parents[3] / "data"
RECORDING = DATA / "demo" / "demo.flac"
TEXTS = {
    "script": DATA / "demo" / "script.txt",
    "heldout": DATA / "demo" / "heldout.txt",
    "corpus": DATA / "base" / "corpus.txt",
}
RUN = 6  # no two texts share that many words in a row


def sentences(name: str) -> list[str]:
    return TEXTS[name].read_text("utf-8").splitlines()


def words(sentence: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", sentence.lower()).split()


def runs(name: str) -> set[tuple[str, ...]]:
    found = set()
    for sentence in sentences(name):
        spoken = words(sentence)
        found.update(tuple(spoken[at : at + RUN]) for at in range(len(spoken) - RUN + 1))
    return found


def test_recording_is_a_stereo_flac_of_the_right_size() -> None:
    assert RECORDING.is_file()
    info = sf.info(RECORDING)
    assert (info.format, info.samplerate, info.channels) == ("FLAC", 44_100, 2)
    assert 6 * 60 <= info.duration <= 8 * 60
    assert 5e6 < RECORDING.stat().st_size < 40e6


def test_pauses_of_the_first_minute_hold_room_noise_near_minus_60_dbfs() -> None:
    samples, rate = sf.read(RECORDING, frames=60 * 44_100)
    assert np.max(np.abs(samples)) < 10 ** (-3 / 20)
    frame = rate // 20  # 50 ms
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame, 2)
    for channel in range(2):
        power = np.sort(np.mean(np.square(frames[:, :, channel]), axis=1))
        quiet = power[: len(power) // 5]  # a fifth of the minute is pauses at the least
        assert -63 < 10 * np.log10(np.mean(quiet)) < -57
    assert not np.array_equal(samples[:, 0], samples[:, 1])


@pytest.mark.parametrize(("name", "fewest", "most"), [("script", 100, 120), ("heldout", 40, 40), ("corpus", 300, 400)])
def test_sentences_are_plain_unique_and_of_speakable_length(name: str, fewest: int, most: int) -> None:
    lines = sentences(name)
    assert fewest <= len(lines) <= most
    assert len({" ".join(words(line)) for line in lines}) == len(lines)
    for line in lines:
        assert re.fullmatch(r"[A-Z][A-Za-z ,']*[.?!]", line), line
        assert 3 <= len(words(line)) <= 18, line


@pytest.mark.parametrize(("one", "other"), list(combinations(TEXTS, 2)))
def test_texts_share_no_sentence_and_no_run_of_words(one: str, other: str) -> None:
    joined = [{" ".join(words(line)) for line in sentences(name)} for name in (one, other)]
    assert not joined[0] & joined[1]
    assert not runs(one) & runs(other)
