from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.align.script import RepeatedTake, ScriptMatch, ScriptUtterance, Unusable
from voicemill.audio.vad import Span
from voicemill.dataset.context import PreparationContext
from voicemill.dataset.recordings import DecodedRecording, Recording
from voicemill.dataset.sources import ClipText
from voicemill.dataset.stages import segmentation
from voicemill.dataset.stages.decode import Decoded, DecodeTask, decode_one
from voicemill.dataset.stages.segmentation import GAP_SECONDS, from_clips, from_script
from voicemill.dataset.stages.voice_activity import SpeechTask, speech_of
from voicemill.dataset.utterances import outside
from voicemill.progress import SilentObserver


@pytest.fixture
def context(make_context: Callable[..., PreparationContext]) -> PreparationContext:
    return make_context()


def _decoded(audio: Path, folder: Path, number: int, start: float, end: float) -> DecodedRecording:
    source = Recording(audio, f"part{number}.flac", start, end)
    target = folder / f"{number}.wav"
    decoded = decode_one(DecodeTask(source, target, 22_050))
    assert isinstance(decoded, Decoded)
    found = speech_of(SpeechTask(target, folder / "cache"))
    return DecodedRecording(source, target, decoded.seconds, tuple(Span(*span) for span in found.spans), found.digest)


def test_a_clip_keeps_its_pauses_and_loses_its_silence(
    context: PreparationContext, piece_audio: Path, tmp_path: Path
) -> None:
    """0 to 12.6 s: two seconds of room, then three sentences."""
    recording = _decoded(piece_audio, tmp_path, 0, 0.0, 12.6)
    found = from_clips([recording], [ClipText("It is.")], context, SilentObserver())
    (utterance,) = found.utterances
    assert (utterance.start, utterance.end) == pytest.approx((1.95, 12.3), abs=0.15)


@pytest.mark.slow
def test_clips_that_do_not_fit_are_named(context: PreparationContext, piece_audio: Path, tmp_path: Path) -> None:
    clips = [
        _decoded(piece_audio, tmp_path, 0, 0.0, 1.8),  # nobody speaks yet
        _decoded(piece_audio, tmp_path, 1, 1.9, 2.75),  # "Good morning"
        _decoded(piece_audio, tmp_path, 2, 1.0, 27.0),
        _decoded(piece_audio, tmp_path, 3, 4.8, 8.5),
    ]
    texts = [
        ClipText("Nothing."),
        ClipText("Good morning."),
        ClipText("Nobody ever uttered these words. They are about ships and taxes."),
        ClipText("Привет."),
    ]
    found = from_clips(clips, texts, context, SilentObserver())
    assert found.utterances == ()
    reasons = [row.reason for row in found.rejected]
    assert (reasons[0], reasons[1], reasons[-1]) == ("no_speech", "too_short", "text_not_english")
    assert "no_text" in reasons[2:-1] or reasons[2:-1] == ["script_mismatch"]
    assert found.rejected[1].start == pytest.approx(1.95, abs=0.15)


def test_a_long_clip_is_taken_apart_by_its_text(
    context: PreparationContext, piece_audio: Path, sentences: tuple[str, ...], tmp_path: Path
) -> None:
    recording = _decoded(piece_audio, tmp_path, 0, 0.0, 19.75)
    found = from_clips([recording], [ClipText(" ".join(sentences[:5]), speaker=7)], context, SilentObserver())
    assert [(utterance.text, utterance.speaker) for utterance in found.utterances] == [
        (text, 7) for text in sentences[:5]
    ]


def test_two_recordings_read_one_script(
    context: PreparationContext, piece_audio: Path, sentences: tuple[str, ...], tmp_path: Path
) -> None:
    parts = [_decoded(piece_audio, tmp_path, 0, 0.0, 12.6), _decoded(piece_audio, tmp_path, 1, 12.6, 27.7)]
    script = [*sentences[:4], "This sentence was left out by the reader.", *sentences[4:]]
    found = from_script(parts, script, context, SilentObserver())
    assert [utterance.text for utterance in found.utterances] == list(sentences)
    assert [utterance.recording.source.name for utterance in found.utterances] == ["part0.flac"] * 3 + [
        "part1.flac"
    ] * 4
    assert found.unspoken == ("This sentence was left out by the reader.",)
    starts = [utterance.recording.source.offset + utterance.start for utterance in found.utterances]
    assert starts == sorted(starts)
    assert starts[3] == pytest.approx(13.07, abs=0.15)


def test_times_of_the_joined_recordings_go_back_to_each(
    context: PreparationContext, monkeypatch: pytest.MonkeyPatch, piece_audio: Path, tmp_path: Path
) -> None:
    parts = [_decoded(piece_audio, tmp_path, 0, 0.0, 4.0), _decoded(piece_audio, tmp_path, 1, 10.0, 16.0)]
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

    monkeypatch.setattr(segmentation, "match_script", match)
    monkeypatch.setattr(segmentation, "require_words_and_speech", lambda script, spans: None)
    monkeypatch.setattr(segmentation.CachedScriptRecogniser, "recognise", lambda *_: [])
    found = from_script(parts, ["One \u2014 and two.", "Three."], context, SilentObserver())
    first, other = found.utterances
    assert (first.recording.source.name, first.start) == ("part0.flac", 0.5)
    assert (first.text, first.normalized) == ("One \u2014 and two.", "One, and two.")
    assert (other.recording.source.name, other.start, other.end) == ("part1.flac", 1.0, 3.0)
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
        parts = outside(claim, held)
        assert all(claim.start <= part.start < part.end <= claim.end for part in parts)
        assert not any(min(part.end, other.end) - max(part.start, other.start) > 0 for part in parts for other in held)
        held += parts
    for claim in claims:
        left = outside(claim, held)
        assert left == []
