"""References: candidates, their scores, and recordings that a clone would suffer from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from voicemill.align.transcription import ScoredText, WhisperTranscriber
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.vad import Span
from voicemill.dataset.rights import Rights
from voicemill.errors import VoicemillError
from voicemill.metrics.judges import WhisperRecogniser, find_judges
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import references
from voicemill_cloning.reference_candidates import LONGEST, SHORTEST, ReferenceCandidate, candidate_spans, score
from voicemill_cloning.references import Reference, ReferenceRequest, prepare_reference
from voicemill_cloning.registration import register_prompt, register_reference, register_source, source_of
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.voice_file import CustomVoice, SpeakingVoice, VoiceSource, now

from .conftest import RATE, clip_of


class Known:
    """A recogniser whose answer is given."""

    name, language = "known", "English"

    def load(self) -> Known:
        """See `LoadableRecogniser`."""
        return self

    def __init__(self, *answers: tuple[str, float]) -> None:
        self.answers, self.calls = answers, 0

    def scored(self, samples: npt.NDArray[np.float32]) -> ScoredText:
        """See `ScoringRecogniser`."""
        self.calls += 1
        return ScoredText(*self.answers[min(self.calls, len(self.answers)) - 1])


GOOD = ("Printing, in the only sense.", -0.3)


@pytest.fixture(scope="session")
def encoder() -> SpeakerModel:
    found = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, Path("unused"), REPOSITORY)).speaker
    if isinstance(found, str):
        pytest.skip(found)
    return found


Prepare = Callable[..., Reference]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    def call(
        audio: Path, answers: Sequence[tuple[str, float]] = (GOOD,), encoder: SpeakerModel | None = None, **how: object
    ) -> Reference:
        known = Known(*answers)
        request = ReferenceRequest(audio, **how)  # type: ignore[arg-type]
        return prepare_reference(request, tmp_path / "cache", tmp_path / "stages", known, encoder)

    return call


def _reason(call: Callable[[], object]) -> str:
    with pytest.raises(VoicemillError) as caught:
        call()
    return caught.value.reason


def _candidate(seconds: float = 8.5, sure: float | None = -0.2, **changes: float) -> ReferenceCandidate:
    values = {"clipping": 1.0, "noise": 1.0, "continuity": 1.0, **changes}
    return ReferenceCandidate(
        start=0.0,
        end=seconds,
        score=0.0,
        transcript="Words.",
        log_probability=sure,
        **values,  # type: ignore[arg-type]
    )


def test_the_score_of_a_candidate() -> None:
    assert score(_candidate(sure=0.0)) == 1.0
    assert score(_candidate(sure=None)) == 1.0
    assert score(_candidate(sure=-2.0)) == pytest.approx(0.55)
    better = [score(_candidate()), score(_candidate(4.0)), score(_candidate(4.0, noise=0.2))]
    assert better == sorted(better, reverse=True)
    assert score(_candidate(sure=-0.1)) > score(_candidate(sure=-0.9))
    assert score(_candidate().model_copy(update={"transcript": ""})) == pytest.approx(0.55)
    for seconds in (3.0, 12.0):
        for sure in (-9.0, 0.0, None):
            assert 0.0 <= score(_candidate(seconds, sure, clipping=0.0, noise=0.0, continuity=0.0)) <= 1.0


def test_candidates_are_the_stretches_nearest_to_the_best_length() -> None:
    spans = [Span(0.0, 3.5), Span(5.0, 13.0), Span(20.0, 50.0), Span(60.0, 69.0), Span(70.0, 71.0)]
    found = candidate_spans(spans, 80.0)
    assert found == [Span(5.0, 13.0), Span(20.0, 32.0), Span(60.0, 69.0)]
    assert all(SHORTEST <= span.duration <= LONGEST for span in found)


def test_short_stretches_are_taken_together() -> None:
    assert candidate_spans([Span(0.0, 2.0), Span(2.5, 4.5)], 5.0) == [Span(0.0, 4.5)]
    assert candidate_spans([Span(1.0, 2.5), Span(5.0, 7.0)], 9.0) == [Span(1.0, 9.0)]
    assert candidate_spans([Span(0.0, 1.0)], 5.0) == []
    assert candidate_spans([], 5.0) == []


def test_the_reference_of_a_recording(interview: Path, prepare: Prepare) -> None:
    answers = (("One.", -1.1), ("Two.", -0.1))
    found = prepare(interview, answers)
    chosen = found.prepared.chosen
    assert len(found.prepared.candidates) == 2
    assert chosen.transcript == "Two."
    assert chosen.score == max(candidate.score for candidate in found.prepared.candidates)
    info = soundfile.info(found.wav)
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    assert SHORTEST <= info.duration <= LONGEST
    assert info.duration == pytest.approx(chosen.seconds, abs=0.01)
    assert (found.text, found.confidence) == (chosen.transcript, chosen.log_probability)
    assert prepare(interview, [("Another.", -0.5)]).prepared == found.prepared  # from the cache


def test_other_rules_mean_another_choice(interview: Path, prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(interview)
    monkeypatch.setattr(references, "SCORING_VERSION", 99)
    assert prepare(interview, [("Another.", -0.5)]).text != first.text


def test_a_given_text_or_part_is_not_recognised(interview: Path, prepare: Prepare) -> None:
    found = prepare(interview, [("", -9.0)], text=" The words. ")
    assert (found.text, found.confidence) == ("The words.", None)
    part = prepare(interview, start=4.0, end=9.0)
    assert (part.prepared.chosen.start, part.prepared.chosen.end, len(part.prepared.candidates)) == (4.0, 9.0, 1)
    assert prepare(interview).prepared.chosen.start != 4.0


def test_a_person_chooses(interview: Path, prepare: Prepare) -> None:
    shown: list[int] = []

    def choose(candidates: Sequence[ReferenceCandidate]) -> int:
        shown.append(len(candidates))
        return 0

    assert prepare(interview, choose=choose).prepared.chosen == prepare(interview).prepared.candidates[0]
    assert shown == [2]


@pytest.mark.parametrize("answer", [("Mumbling.", -1.3), ("", 0.0), ("", -0.1)])
def test_words_that_cannot_be_recognised(interview: Path, prepare: Prepare, answer: tuple[str, float]) -> None:
    assert _reason(lambda: prepare(interview, [answer])) == "reference_unclear"
    assert _reason(lambda: prepare(interview, [answer])) == "reference_unclear"
    assert prepare(interview, [answer], force=True).text == answer[0]
    assert prepare(interview, [answer], text="Known.").text == "Known."


def test_two_people(two_people: Path, interview: Path, prepare: Prepare, encoder: SpeakerModel) -> None:
    assert _reason(lambda: prepare(two_people, encoder=encoder)) == "reference_two_speakers"
    forced = prepare(two_people, encoder=encoder, force=True)
    assert forced.prepared.similarity is not None
    assert forced.prepared.similarity < references.MIN_SIMILARITY
    alone = prepare(interview, encoder=encoder)
    assert alone.prepared.similarity is not None
    assert alone.prepared.similarity > references.MIN_SIMILARITY


def _write(path: Path, samples: npt.NDArray[np.float32], rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def test_recordings_that_are_no_reference(people: Path, tmp_path: Path, prepare: Prepare) -> None:
    speech = clip_of(people, "lj/LJ001-0002.flac")
    noise = np.random.default_rng(1).standard_normal(8 * RATE).astype(np.float32) * np.float32(0.02)
    short = _write(tmp_path / "short.wav", speech)
    assert _reason(lambda: prepare(short)) == "reference_too_short"
    assert _reason(lambda: prepare(_write(tmp_path / "noise.wav", noise))) == "reference_silent"
    assert _reason(lambda: prepare(_write(tmp_path / "zero.wav", 0.0 * noise))) == "audio_silent"
    long = _write(tmp_path / "long.wav", np.zeros(905 * 8000, dtype=np.float32), 8000)
    assert _reason(lambda: prepare(long)) == "reference_too_long"
    assert _reason(lambda: prepare(tmp_path / "none.wav")).startswith("missing_audio_path")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"start": 1.0, "end": 3.0}, "reference_too_short"),
        ({"start": 1.0, "end": 20.0}, "reference_too_long"),
        ({"start": 5.0, "end": 1.0}, "reference_too_short"),
        ({"start": 48.0, "end": 58.0}, "reference_outside"),
        ({"start": -8.0, "end": 1.0}, "reference_outside"),
        ({"start": 0.0, "end": 3.0, "text": "Words."}, "reference_silent"),
        ({"start": 1.0}, "bad_usage"),
        ({"text": "  "}, "bad_usage"),
    ],
)
def test_requests_that_make_no_sense(interview: Path, prepare: Prepare, how: dict[str, object], reason: str) -> None:
    assert _reason(lambda: prepare(interview, **how)) == reason


def test_a_reference_enters_the_registry(interview: Path, prepare: Prepare, tmp_path: Path) -> None:
    voices = SpeakingVoices(tmp_path / "cache", tmp_path / "bundles")
    source, rights = VoiceSource(type="file", path="a.wav"), Rights(licence="CC0-1.0")
    reference = prepare(interview)
    made = register_reference(voices, "ann", reference, "English", source=source, rights=rights)
    assert made.ref is not None
    assert (made.ref.transcript, made.ref.language, made.rights) == (GOOD[0], "English", rights)
    assert source_of(voices, "ann").name == "ref.wav"
    assert not voices.get("ann").ready
    register_source(voices, "ann", interview, source)
    assert source_of(voices, "ann").name == "source_clip.wav"
    (voices.folder("ann") / "prompts").mkdir()
    for stem in ("one", "two", "three"):
        (voices.folder("ann") / f"prompts/{stem}.safetensors").write_bytes(b"x")
    register_prompt(voices, "ann", "one", None)
    register_prompt(voices, "ann", "two", "warm")
    known = voices.get("ann")
    assert known.file is not None
    assert (known.ready, known.file.chosen(), known.file.chosen("warm")) == (
        True, "prompts/one.safetensors", "prompts/two.safetensors"
    )  # fmt: skip
    assert register_prompt(voices, "ann", "three", None).chosen() == "prompts/three.safetensors"
    assert register_reference(voices, "ann", reference, None, source=source).rights == rights


def test_voices_of_other_kinds(interview: Path, prepare: Prepare, tmp_path: Path) -> None:
    voices = SpeakingVoices(tmp_path / "cache", tmp_path / "bundles")
    source = VoiceSource(type="file", path="a.wav")
    custom = CustomVoice(model="m", speaker="Ryan")
    voices.create(
        SpeakingVoice(
            slug="b", display_name="b", created_at=now(), updated_at=now(), engine="custom_voice", custom_voice=custom
        )
    )
    reference = prepare(interview)
    assert _reason(lambda: register_source(voices, "b", interview, source)) == "voice_of_another_kind:b"
    found = _reason(lambda: register_reference(voices, "b", reference, None, source=source))
    assert found == "voice_of_another_kind:b"
    assert _reason(lambda: source_of(voices, "b")) == "voice_without_source:b"


def test_a_recogniser_that_is_sure_of_speech_and_not_of_noise(people: Path) -> None:
    found = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, Path("unused"), REPOSITORY)).recogniser
    if not isinstance(found, WhisperRecogniser):
        pytest.skip(found)
    model = WhisperTranscriber(found.model.path, found.model.pins)
    samples, rate = soundfile.read(people / "lj/LJ001-0011.flac", dtype="float32")
    at_16k = references.decode.resample(samples, rate, 16_000)
    clear = model.scored(at_16k)
    assert clear.log_probability > references.MIN_LOG_PROBABILITY
    assert len(clear.text.split()) > 5
    assert clear.text == model.transcribe([at_16k])[0]
