"""Teaching: readings that judges accept, the record of synthetic speech, and what is done with it afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voicemill.bundle.manifest import artifact_sha256, source_manifest, synthetic_recordings
from voicemill.dataset import teacher
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.rights import Rights
from voicemill.errors import DatasetError, UsageError, VoicemillError
from voicemill.progress import SilentObserver
from voicemill.text.frontend import read
from voicemill.text.lexicon import default_lexicon
from voicemill.verify.rows import recordings_row
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning import lesson, sentences
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.choice import choose_speaker
from voicemill_cloning.durations import expected_seconds
from voicemill_cloning.engines.engine import EngineDescription, EngineRequest, EngineSpeech
from voicemill_cloning.generation import GenerationOptions, resolve
from voicemill_cloning.judging import ReferenceVoice, TakeJudges
from voicemill_cloning.speaking import SpeakOptions
from voicemill_cloning.styles import Instruction
from voicemill_cloning.teaching import JOURNAL, Lesson, ReadingJudges, TeachingLimits, teach

RATE = 16_000
LIMITS = TeachingLimits()


class ToneEngine:
    """Speaks tones of the length that a text takes; some readings are too short, silent or cut off."""

    def __init__(self, faults: dict[int, str] | None = None, varies: bool = True) -> None:
        self.description = EngineDescription(
            engine="tones",
            voice="a",
            version="1",
            model="tones/a",
            licence="CC0-1.0",
            attribution="Tones.",
            varies=varies,
        )
        self.calls = 0
        self._faults = faults or {}

    def synthesise(self, request: EngineRequest) -> EngineSpeech:
        """See `SpeechEngine`."""
        fault = self._faults.get(self.calls) or self._faults.get(-1)
        self.calls += 1
        seconds = expected_seconds(request.text) * (0.3 if fault == "short" else 3.0 if fault == "long" else 1.0)
        samples = np.sin(np.arange(round(seconds * RATE)) / 20).astype(np.float32) * (
            1e-6 if fault == "silent" else 0.3
        )
        return EngineSpeech(samples, RATE, complete=fault != "cut")

    def close(self) -> None:
        """Nothing is held."""


class VectorModel:
    """An encoder whose embedding is given by the loudness of the first sample: one voice, or another."""

    name = "vectors"

    def embed(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """A vector of norm 1."""
        return np.array([0.0, 1.0]) if samples[0] > 0.05 else np.array([1.0, 0.0])


def _teach(engine: ToneEngine, folder: Path, minutes: float = 0.2, **changes: object) -> teacher.SyntheticSpeech:
    limits = replace(LIMITS, **changes)  # type: ignore[arg-type]
    made = Lesson(minutes, SpeakOptions(seed=1), limits)
    return teach(engine, sentences.reading_list(1), made, ReadingJudges(None, None, limits), folder, SilentObserver())


def test_takes_their_texts_and_the_record(tmp_path: Path) -> None:
    record = _teach(ToneEngine(), tmp_path)
    assert sum(clip.seconds for clip in record.clips) >= 12.0
    assert teacher.SyntheticSpeech.model_validate(json.loads((tmp_path / teacher.NAME).read_text("utf-8"))) == record
    for clip in record.clips:
        samples, rate = soundfile.read(tmp_path / clip.file)
        assert clip.seconds == pytest.approx(len(samples) / rate, abs=0.001)
        assert (tmp_path / clip.file).with_suffix(".txt").read_text("utf-8") == f"{clip.text}\n"
    assert len({clip.text for clip in record.clips}) == len(record.clips)
    assert (record.engine, record.licence, record.rejected) == ("tones", "CC0-1.0", {})


def test_readings_that_are_not_good_are_read_again(tmp_path: Path) -> None:
    engine = ToneEngine({0: "short", 1: "silent", 3: "cut", 5: "long"})
    record = _teach(engine, tmp_path)
    assert record.rejected == {"incomplete": 1, "silent": 1, "too_long": 1, "too_short": 1}
    assert [clip.attempts for clip in record.clips][:3] == [3, 2, 2]
    assert len({clip.seed for clip in record.clips}) == len(record.clips)


def test_an_engine_that_reads_in_one_way_is_not_asked_again(tmp_path: Path) -> None:
    engine = ToneEngine({0: "short"}, varies=False)
    record = _teach(engine, tmp_path)
    assert (record.rejected, engine.calls) == ({"too_short": 1}, len(record.clips) + 1)


def test_a_hopeless_teacher_is_stopped_early(tmp_path: Path) -> None:
    engine = ToneEngine({-1: "silent"})
    with pytest.raises(DatasetError) as caught:
        _teach(engine, tmp_path)
    assert (caught.value.reason, engine.calls) == ("teacher_unusable", 36)
    assert not (tmp_path / teacher.NAME).exists()


def test_too_few_sentences(tmp_path: Path) -> None:
    made = Lesson(1.0, SpeakOptions(), LIMITS)
    with pytest.raises(DatasetError) as caught:
        teach(
            ToneEngine(), ["One.", "One.", "Two."], made, ReadingJudges(None, None, LIMITS), tmp_path, SilentObserver()
        )
    assert caught.value.code == "sentences_used_up"
    assert len(list(tmp_path.glob("*.wav"))) == 2


@pytest.mark.parametrize("minutes", [0.0, 0.1, 500.0, float("nan")])
def test_minutes_outside_the_range(minutes: float) -> None:
    with pytest.raises(UsageError):
        Lesson(minutes, SpeakOptions(), LIMITS)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    whole = _teach(ToneEngine(), tmp_path / "whole", 0.4)
    _teach(ToneEngine(), tmp_path / "parts", 0.2)
    engine = ToneEngine()
    assert _teach(engine, tmp_path / "parts", 0.4) == whole
    assert engine.calls < len(whole.clips)
    again = ToneEngine()
    assert _teach(again, tmp_path / "parts", 0.4) == whole
    assert again.calls == 0


def test_damaged_takes_are_read_again(tmp_path: Path) -> None:
    whole = _teach(ToneEngine(), tmp_path)
    (tmp_path / whole.clips[0].file).write_bytes(b"damaged")
    (tmp_path / "99999.wav").write_bytes(b"left over")
    engine = ToneEngine()
    record = _teach(engine, tmp_path)
    assert engine.calls >= 1
    assert {clip.text for clip in record.clips} >= {clip.text for clip in whole.clips[1:]}
    assert not (tmp_path / "99999.wav").exists()
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"half')
    assert _teach(ToneEngine(), tmp_path) == record


def test_other_limits_begin_anew(tmp_path: Path) -> None:
    _teach(ToneEngine(), tmp_path)
    engine = ToneEngine()
    _teach(engine, tmp_path, shortest=0.6)
    assert engine.calls > 1


def test_another_speaker_is_rejected(tmp_path: Path) -> None:
    class TwoVoices(ToneEngine):
        def synthesise(self, request: EngineRequest) -> EngineSpeech:
            number = self.calls
            speech = super().synthesise(request)
            return replace(speech, samples=speech.samples + np.float32(0.1 if number % 4 == 3 else 0.0))

    made = Lesson(0.2, SpeakOptions(), LIMITS)
    judges = ReadingJudges(None, ReferenceVoice(VectorModel()), LIMITS)  # type: ignore[arg-type]
    record = teach(TwoVoices(), sentences.reading_list(1), made, judges, tmp_path, SilentObserver())
    assert record.rejected["other_voice"] >= 1
    assert [clip.similarity for clip in record.clips][:2] == [None, 1.0]
    assert record.speaker_model == "vectors"


def test_the_list_of_sentences() -> None:
    first, again, other = (list(islice(sentences.reading_list(seed), 400)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(set(first)) >= 398
    known = default_lexicon()
    words = {word.text for sentence in first[200:260] for part in read(sentence, known) for word in part.words}
    assert {word for word in words if word not in known} == set()
    assert max(expected_seconds(sentence) for sentence in first) < 10.0


def test_judges_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('{"version": "prod_tts_allowlist/3", "weights": []}')
    judges = TakeJudges(WeightsRegistry(tmp_path / "list.json", tmp_path, tmp_path))
    for find in (lambda: judges.recogniser("English"), judges.speaker):
        with pytest.raises(VoicemillError, match="judged") as caught:
            find()
        assert caught.value.code == "judge_unavailable"
        assert "cannot be used" in str(caught.value)


SPEECH = teacher.SyntheticSpeech(
    engine="flite", voice="slt", engine_version="2.2", model="flite/slt", licence="MIT-Festival", attribution="By CMU."
)


def test_a_folder_of_synthetic_speech_states_its_teacher(tmp_path: Path) -> None:
    assert teacher.of_folder(tmp_path) == {}
    (tmp_path / teacher.NAME).write_text(SPEECH.model_dump_json(), "utf-8")
    stated = teacher.of_folder(tmp_path)
    expected = "trained on synthetic speech of flite 2.2, voice slt (model flite/slt; licence MIT-Festival)"
    assert teacher.sentence(stated) == expected
    assert teacher.notice(stated) == f"This voice was {expected}.\n\nBy CMU."
    assert (teacher.sentence({"voicemill": "1"}), teacher.notice({})) == (None, "")
    (tmp_path / teacher.NAME).write_text("{}", "utf-8")
    with pytest.raises(DatasetError) as caught:
        teacher.of_folder(tmp_path)
    assert caught.value.reason == "synthetic_speech_invalid"


def test_a_finished_dataset_is_asked_for_its_teacher(prepared: PreparedDataset, tmp_path: Path) -> None:
    described = json.loads((prepared.root / "dataset.json").read_text("utf-8"))
    assert teacher.of_manifest(prepared.manifest, prepared.sha256) == {}
    described["tools"] |= SPEECH.tools("0" * 64)
    (tmp_path / "dataset.json").write_text(json.dumps(described), "utf-8")
    found = teacher.of_manifest(tmp_path / "manifest.jsonl", prepared.sha256)
    assert teacher.sentence(found) is not None
    assert teacher.of_manifest(tmp_path / "manifest.jsonl", "1" * 64) == {}


def test_the_statement_survives_promotion() -> None:
    source = {"bundle_version": "x", "dry_run": False, "synthetic_recordings": "trained on synthetic speech of flite"}
    source["artifact_sha256"] = artifact_sha256(source)
    provenance = {f"source_{name}": value for name, value in source.items()}
    assert source_manifest(provenance)["synthetic_recordings"] == source["synthetic_recordings"]
    assert synthetic_recordings({"provenance": provenance}) == synthetic_recordings(source)
    row = recordings_row(source)
    assert row is not None
    assert (row.go, row.detail) == (True, "trained on synthetic speech of flite")
    assert recordings_row({}) is None


def test_a_dataset_of_recordings_is_not_replaced(prepared: PreparedDataset, tmp_path: Path) -> None:
    context = AppContext.read({"WORK_DIR": str(tmp_path / "work"), "CACHE_DIR": str(tmp_path / "cache")})
    shutil.copytree(prepared.root, context.workspace.dataset("ann"))
    choice = choose_speaker("flite:slt", Instruction())
    generation = resolve(GenerationOptions(), choice.defaults)
    with pytest.raises(UsageError) as caught:
        lesson.plan(context, choice, generation, name="ann", minutes=1.0, seed=1, limits=LIMITS, stated=None)
    assert caught.value.reason == "dataset_not_taught:ann"


def test_rights_of_a_dataset_that_was_taught() -> None:
    stated, held = Rights(consent="Yes.", consent_sha256="1"), Rights(licence="CC-BY-4.0", consent="Old.")
    both = lesson._rights(stated, held)
    assert both == Rights(consent="Yes.", consent_sha256="1", licence="CC-BY-4.0")
    of_engine = lesson._of_teacher(ToneEngine(), None)
    assert of_engine == Rights(licence="CC0-1.0")
    assert lesson._of_teacher(ToneEngine(), held) == held
