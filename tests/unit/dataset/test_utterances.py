from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.align.script import RepeatedTake, ScriptMatch, ScriptUtterance, Unusable
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.dataset import utterances
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.recordings import DecodeTask, Recording, SpeechTask, decode_one, speech_of
from voicemill.dataset.sources import ClipText
from voicemill.dataset.utterances import GAP_SECONDS, Heard, Means, from_clips, from_script
from voicemill.progress import SilentObserver
from voicemill.text.lexicon import Lexicon


@pytest.fixture
def means(tmp_path: Path) -> Means:
    return Means(Lexicon.load(), Segmentation(), Path("unused"), ClipPool(1), tmp_path, tmp_path / "cache")


def _heard(audio: Path, folder: Path, number: int, start: float, end: float) -> Heard:
    recording = Recording(audio, f"part{number}.flac", start, end)
    target = folder / f"{number}.wav"
    seconds = decode_one(DecodeTask(recording, target, 22_050))
    assert isinstance(seconds, float)
    found = speech_of(SpeechTask(target, folder / "cache"))
    return Heard(recording, target, seconds, tuple(Span(*span) for span in found.spans), found.digest)


def test_a_clip_keeps_its_pauses_and_loses_its_silence(means: Means, piece_audio: Path, tmp_path: Path) -> None:
    """0 to 12.6 s: two seconds of room, then three sentences."""
    heard = _heard(piece_audio, tmp_path, 0, 0.0, 12.6)
    found = from_clips([heard], [ClipText("It is.")], means, SilentObserver())
    (utterance,) = found.utterances
    assert (utterance.start, utterance.end) == pytest.approx((1.95, 12.3), abs=0.15)


@pytest.mark.slow
def test_clips_that_do_not_fit_are_named(means: Means, piece_audio: Path, tmp_path: Path) -> None:
    clips = [
        _heard(piece_audio, tmp_path, 0, 0.0, 1.8),  # nobody speaks yet
        _heard(piece_audio, tmp_path, 1, 1.9, 2.75),  # "Good morning"
        _heard(piece_audio, tmp_path, 2, 1.0, 27.0),
        _heard(piece_audio, tmp_path, 3, 4.8, 8.5),
    ]
    texts = [
        ClipText("Nothing."),
        ClipText("Good morning."),
        ClipText("Nobody ever uttered these words. They are about ships and taxes."),
        ClipText("Привет."),
    ]
    found = from_clips(clips, texts, means, SilentObserver())
    assert found.utterances == ()
    reasons = [row.reason for row in found.rejected]
    assert (reasons[0], reasons[1], reasons[-1]) == ("no_speech", "too_short", "text_not_english")
    assert "no_text" in reasons[2:-1] or reasons[2:-1] == ["script_mismatch"]
    assert found.rejected[1].start == pytest.approx(1.95, abs=0.15)


def test_a_long_clip_is_taken_apart_by_its_text(
    means: Means, piece_audio: Path, sentences: tuple[str, ...], tmp_path: Path
) -> None:
    heard = _heard(piece_audio, tmp_path, 0, 0.0, 19.75)
    found = from_clips([heard], [ClipText(" ".join(sentences[:5]), speaker=7)], means, SilentObserver())
    assert [(utterance.text, utterance.speaker) for utterance in found.utterances] == [
        (text, 7) for text in sentences[:5]
    ]


def test_two_recordings_read_one_script(
    means: Means, piece_audio: Path, sentences: tuple[str, ...], tmp_path: Path
) -> None:
    parts = [_heard(piece_audio, tmp_path, 0, 0.0, 12.6), _heard(piece_audio, tmp_path, 1, 12.6, 27.7)]
    script = [*sentences[:4], "This sentence was left out by the reader.", *sentences[4:]]
    found = from_script(parts, script, means, SilentObserver())
    assert [utterance.text for utterance in found.utterances] == list(sentences)
    assert [utterance.heard.recording.name for utterance in found.utterances] == ["part0.flac"] * 3 + ["part1.flac"] * 4
    assert found.unspoken == ("This sentence was left out by the reader.",)
    starts = [utterance.heard.recording.offset + utterance.start for utterance in found.utterances]
    assert starts == sorted(starts)
    assert starts[3] == pytest.approx(13.07, abs=0.15)


def test_times_of_the_joined_recordings_go_back_to_each(
    means: Means, monkeypatch: pytest.MonkeyPatch, piece_audio: Path, tmp_path: Path
) -> None:
    parts = [_heard(piece_audio, tmp_path, 0, 0.0, 4.0), _heard(piece_audio, tmp_path, 1, 10.0, 16.0)]
    second = 4.0 + GAP_SECONDS

    def match(*_: object, **__: object) -> ScriptMatch:
        said = ScriptUtterance(second + 1.0, second + 3.0, "part of one", (0,), 0.9)
        return ScriptMatch(
            utterances=(ScriptUtterance(0.5, 2.0, "One, and two.", (0,), 1.0), said),
            skipped=(1,),
            repeats=(RepeatedTake(2.5, 3.0, 0),),
            unusable=(Unusable(second + 3.5, second + 4.0, "One", "too_short"),),
            unmatched=(Span(second + 5.0, second + 9.0),),
            speech_seconds=8.0,
            matched_seconds=4.0,
        )

    monkeypatch.setattr(utterances, "match_script", match)
    found = from_script(parts, ["One \u2014 and two.", "Three."], means, SilentObserver())
    first, other = found.utterances
    assert (first.heard.recording.name, first.start) == ("part0.flac", 0.5)
    assert (first.text, first.normalized) == ("One \u2014 and two.", "One, and two.")
    assert (other.heard.recording.name, other.start, other.end) == ("part1.flac", 1.0, 3.0)
    assert other.text == "part of one"
    rows = [(row.source, row.start, row.end, row.reason) for row in found.rejected]
    assert rows == [
        ("part0.flac", 2.5, 3.0, "repeated_take"),
        ("part1.flac", 13.5, 14.0, "too_short"),
        ("part1.flac", 15.0, 16.0, "no_text"),  # never beyond the recording
    ]
    assert found.unspoken == ("Three.",)


_SPANS = st.lists(
    st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 10.0)).map(lambda pair: Span(pair[0], pair[0] + pair[1])),
    max_size=8,
)


@given(_SPANS, _SPANS)
def test_no_second_counts_twice(claims: list[Span], taken: list[Span]) -> None:
    """What is claimed, in turn, lies outside what was taken, and together they cover all that was claimed."""
    held = list(taken)
    for claim in claims:
        parts = utterances.outside(claim, held)
        assert all(claim.start <= part.start < part.end <= claim.end for part in parts)
        assert not any(min(part.end, other.end) - max(part.start, other.start) > 0 for part in parts for other in held)
        held += parts
    for claim in claims:
        left = utterances.outside(claim, held)
        assert left == []
