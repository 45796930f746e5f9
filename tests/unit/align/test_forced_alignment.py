from __future__ import annotations

import itertools
import pickle

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.features import to_pcm16
from voicemill.align.forced_alignment import Aligner, Alignment, Phone, Word
from voicemill.errors import DatasetError
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words

Clip = tuple[npt.NDArray[np.float32], str]


@pytest.fixture(scope="module")
def aligned(clips: list[Clip], lexicon: Lexicon) -> list[Alignment]:
    aligner = Aligner(lexicon)
    return [aligner.align(samples, text) for samples, text in clips]


def test_every_clip_aligns_phone_for_phone(clips: list[Clip], aligned: list[Alignment], lexicon: Lexicon) -> None:
    for (samples, text), found in zip(clips, aligned, strict=True):
        assert [word.text for word in found.words] == words(text)
        for word in found.words:
            assert tuple(phone.name for phone in word.phones) == lexicon.phones(word.text)
            assert (word.start, word.end) == (word.phones[0].start, word.phones[-1].end)
            for left, right in itertools.pairwise(word.phones):
                assert left.start < left.end == right.start
        for one, two in itertools.pairwise(found.words):
            assert one.end <= two.start
        assert found.words[0].start >= 0.0
        assert found.words[-1].end <= samples.size / 16_000 + 0.01
        assert found.fits
        assert found.score > -30.0


def test_punctuation_is_a_gap(clips: list[Clip], aligned: list[Alignment]) -> None:
    index = next(index for index, (_, text) in enumerate(clips) if text.startswith("Good morning,"))
    _, morning, following, *rest = aligned[index].words
    assert following.start - morning.end >= 0.05
    assert all(two.start - one.end < 0.03 for one, two in itertools.pairwise([following, *rest]))


def test_wrong_text_has_a_low_score(clips: list[Clip], lexicon: Lexicon) -> None:
    aligner = Aligner(lexicon)
    for (samples, _), (_, other) in zip(clips, clips[3:] + clips[:3], strict=True):
        assert not fits(aligner, samples, other)


def fits(aligner: Aligner, samples: npt.NDArray[np.float32], text: str) -> bool:
    try:
        return aligner.align(samples, text).fits
    except DatasetError as error:
        if error.code == "alignment_failed":
            return False
        raise


def test_independent_of_earlier_clips(clips: list[Clip], aligned: list[Alignment], lexicon: Lexicon) -> None:
    aligner = Aligner(lexicon)
    assert [aligner.align(samples, text) for samples, text in clips[:4][::-1]] == aligned[:4][::-1]


def test_loudness_does_not_matter(clips: list[Clip], aligned: list[Alignment], lexicon: Lexicon) -> None:
    samples, text = clips[0]
    quiet = Aligner(lexicon).align(samples * np.float32(0.01), text)
    assert quiet.words[0].start == pytest.approx(aligned[0].words[0].start, abs=0.021)
    assert quiet.score == pytest.approx(aligned[0].score, abs=2.0)


def test_text_too_long_for_the_clip(clips: list[Clip], lexicon: Lexicon) -> None:
    samples, text = clips[0]
    with pytest.raises(DatasetError) as caught:
        Aligner(lexicon).align(samples[:4000], text)
    assert caught.value.reason == "alignment_failed"
    assert text[:20] in str(caught.value)


@pytest.mark.parametrize("text", ["", "...", "?"])
def test_text_without_words(lexicon: Lexicon, text: str) -> None:
    with pytest.raises(DatasetError, match="no words"):
        Aligner(lexicon).align(np.zeros(16_000, dtype=np.float32), text)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), np.zeros(32_000)])
def test_silence_does_not_fit(lexicon: Lexicon, samples: npt.NDArray[np.float64]) -> None:
    assert not fits(Aligner(lexicon), samples.astype(np.float32), "good morning everybody")


def test_guessed_words_align_too(clips: list[Clip], lexicon: Lexicon) -> None:
    samples, text = clips[0]
    found = Aligner(lexicon).align(samples, text.replace("morning", "mawnink"))
    assert found.words[1].text == "mawnink"
    assert tuple(phone.name for phone in found.words[1].phones) == lexicon.pronounce("mawnink").phones


def test_an_aligner_can_be_pickled(clips: list[Clip], aligned: list[Alignment], lexicon: Lexicon) -> None:
    aligner = Aligner(lexicon)
    aligner.align(*clips[1])
    assert pickle.loads(pickle.dumps(aligner)).align(*clips[0]) == aligned[0]  # noqa: S301  # our own bytes


def test_misfit_is_the_share_of_speech_in_low_scored_words() -> None:
    def word(start: float, end: float, score: float) -> Word:
        return Word("a", start, end, (Phone("AH", start, end),), score)

    partly = Alignment((word(0.0, 0.7, -10.0), word(0.9, 1.2, -90.0)), score=-34.0)
    assert partly.misfit == pytest.approx(0.3)
    assert not partly.fits
    assert Alignment(partly.words[:1], score=-10.0).fits
    assert not Alignment(partly.words[:1], score=-41.0).fits


def test_pcm_has_a_fixed_peak() -> None:
    pcm = np.frombuffer(to_pcm16(np.array([0.0, 0.001, -0.002], dtype=np.float32)), dtype="<i2")
    assert pcm.tolist() == [0, 8192, -16384]
    assert to_pcm16(np.zeros(3, dtype=np.float32)) == bytes(6)


def test_words_that_were_not_spoken_are_detected_by_minimal_phones(clips: list[Clip], lexicon: Lexicon) -> None:
    aligner = Aligner(lexicon)
    for samples, text in clips[:6]:
        assert not fits(aligner, samples, f"Particularly unmistakable, {text}")
        assert not fits(aligner, samples, f"{text} Particularly unmistakable.")


def test_a_clip_without_silence_around_it_aligns_from_end_to_end(clips: list[Clip], lexicon: Lexicon) -> None:
    aligner = Aligner(lexicon)
    for samples, text in clips[:6]:
        loose = aligner.align(samples, text)
        first, last = (round(second * 16_000) for second in (loose.words[0].start, loose.words[-1].end))
        tight = aligner.align(samples[first:last], text)
        assert tight.fits
        assert tight.words[0].start < 0.05
        assert tight.words[-1].end > (last - first) / 16_000 - 0.05
