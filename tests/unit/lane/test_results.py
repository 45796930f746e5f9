"""What a lane's steps read and show: the trained voice, the rows of its report, texts and datasets by name."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from tests.records import finished, measured

from voicemill import files
from voicemill.dataset.prepared import PreparedDataset
from voicemill.errors import UsageError, VoicemillError
from voicemill.evaluation.evaluate import VoiceEvaluation
from voicemill.evaluation.reference_free import NEEDS_RECORDINGS
from voicemill.lane import evaluation, notation, report, steps
from voicemill.lane.load_voice import MAX_TEXT_BYTES, read_input_text
from voicemill.lane.trained_voice import TrainedVoice, TrainingRecord, run_summary
from voicemill.metrics.figure_limits import FigureLimits
from voicemill.settings import Settings
from voicemill.training.config import TrainingConfig
from voicemill.training_status import TrainingStatus, write_training_status

RECORD = TrainingRecord(
    key="k",
    nemo="fastpitch.nemo",
    nemo_sha256="a" * 64,
    steps=40,
    final_loss=0.51234,
    average_loss=0.6,
    loss_curve=((1, 1.0, 0.9), (2, 0.7, 0.6)),
    seconds=83.7,
    seconds_to_first_step=0.5,
    peak_memory_bytes=9,
    weights_sha256="0" * 64,
)


@pytest.fixture
def settings(tmp_path: Path, repository: Path) -> Settings:
    environ = {"WORK_DIR": str(tmp_path / "work"), "CACHE_DIR": str(tmp_path / "cache")}
    return Settings.from_environment(environ, repository=repository)


@pytest.fixture
def status(settings: Settings, prepared: PreparedDataset) -> TrainingStatus:
    """A training that ended, with its files in the work folder."""
    work = settings.workspace.work
    shutil.copytree(prepared.root, work / "datasets/demo")
    folder = work / "checkpoints/prod_tts/demo"
    RECORD.save(folder / "acoustic/record.json")
    RECORD.model_copy(update={"steps": 4}).save(folder / "vocoder/record.json")
    (folder / "acoustic/fastpitch.nemo").write_bytes(b"weights")
    files.write_json(folder / "config.json", TrainingConfig(preset="smoke", seed=9).model_dump(mode="json"))
    made = finished(
        artifacts=("checkpoints/prod_tts/demo/acoustic/fastpitch.nemo",),
        config_path="checkpoints/prod_tts/demo/config.json",
        dataset_manifest="datasets/demo/manifest.jsonl",
        dataset_sha256=prepared.sha256,
        metrics={"final_loss": 0.5, "vocoder_steps": 4, "weights_sha256": "ef" * 32},
        peak_memory_bytes=3 * 2**20,
        settings={"preset": "smoke"},
        seed=9,
        device="cpu",
        versions={"python": "3.11.7", "torch": None},
    )
    write_training_status(settings.paths.training_status, made)
    return made


def test_the_trained_voice_is_read_from_its_files(settings: Settings, status: TrainingStatus) -> None:
    folder = settings.workspace.work / "checkpoints/prod_tts/demo"
    voice = TrainedVoice.read(settings)
    assert (voice.status, voice.folder, voice.config.seed) == (status, folder, 9)
    assert voice.acoustic == folder / "acoustic/fastpitch.nemo"
    assert voice.dataset.sha256 == status.dataset_sha256
    assert (voice.acoustic_record, voice.vocoder_record) == (RECORD, RECORD.model_copy(update={"steps": 4}))
    assert (voice.vocoder, voice.runtime_vocoder) == (None, None)
    (folder / "hifigan.nemo").write_bytes(b"v")
    (folder / "istft.safetensors").write_bytes(b"v")
    untrained = status.model_copy(update={"metrics": status.metrics.model_copy(update={"vocoder_steps": 0})})
    write_training_status(settings.paths.training_status, untrained)
    voice = TrainedVoice.read(settings)
    assert (voice.vocoder, voice.runtime_vocoder) == (folder / "hifigan.nemo", folder / "istft.safetensors")
    assert voice.vocoder_record is None, "the base vocoder as it is"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("checkpoints/prod_tts/demo/acoustic/fastpitch.nemo", "bundle_artifact_missing:checkpoints/prod_tts/demo/acoustic/fastpitch.nemo"),
        ("checkpoints/prod_tts/demo/config.json", "bundle_artifact_missing:checkpoints/prod_tts/demo/config.json"),
        ("datasets/demo/manifest.jsonl", "dataset_invalid"),
    ],
)  # fmt: skip
def test_a_file_that_is_missing_is_named(settings: Settings, status: TrainingStatus, damage: str, reason: str) -> None:
    (settings.workspace.work / damage).unlink()
    with pytest.raises(VoicemillError) as caught:
        TrainedVoice.read(settings)
    assert (caught.value.reason, caught.value.exit_code) == (reason, 2)


def test_what_is_no_configuration_and_another_dataset_are_refused(settings: Settings, status: TrainingStatus) -> None:
    write_training_status(settings.paths.training_status, status.model_copy(update={"dataset_sha256": "c" * 64}))
    with pytest.raises(VoicemillError) as caught:
        TrainedVoice.read(settings)
    assert caught.value.reason == "dataset_invalid"
    config = settings.workspace.work / status.config_path
    for text in ("{", '{"preset": 1}'):
        config.write_text(text)
        with pytest.raises(VoicemillError) as caught:
            TrainedVoice.read(settings)
        assert caught.value.reason == "config_invalid:config.json"


def test_a_training_in_a_few_words() -> None:
    assert run_summary(RECORD) == "40 steps in 84 s, loss 0.512"
    assert run_summary(RECORD.model_copy(update={"final_loss": None})) == "40 steps in 84 s, no loss"
    assert run_summary(None) == "base vocoder as it is"


def test_the_rows_of_the_report(settings: Settings, status: TrainingStatus, prepared: PreparedDataset) -> None:
    voice = TrainedVoice.read(settings)
    total, mel = report._curves("FastPitch", voice.acoustic_record)
    assert (total.group, total.name, list(total.steps), list(total.values)) == (
        "FastPitch",
        "total",
        [1, 2],
        [1.0, 0.7],
    )
    assert (mel.name, list(mel.steps), list(mel.values)) == ("mel", [1, 2], [0.9, 0.6])
    assert report._curves("FastPitch", None) == []
    assert report._curves("FastPitch", RECORD.model_copy(update={"loss_curve": ()})) == []
    assert dict(report._training_rows(voice, status)) == {
        "preset": "smoke",
        "FastPitch": "40 steps in 84 s, loss 0.512",
        "HiFi-GAN": "4 steps in 84 s, loss 0.512",
        "seed": "9",
        "device": "cpu",
        "peak memory": "3 MiB",
        "versions": "python 3.11.7, torch None",
    }
    unmeasured = status.model_copy(update={"peak_memory_bytes": None})
    assert dict(report._training_rows(voice, unmeasured))["peak memory"] == "not measured"
    rows, stats = dict(report._dataset_rows(prepared)), prepared.stats
    assert rows["clips"] == f"{stats.train_clips} to train, {stats.validation_clips} held out"
    assert rows["kept"] == f"{prepared.report.seconds_kept:.1f} s"
    assert rows["pitch"].endswith(f"searched {stats.pitch_fmin:.0f} to {stats.pitch_fmax:.0f} Hz")
    provenance = dict(report._provenance(status, None))
    assert provenance["weights sha256"] == "ef" * 32
    assert provenance["bundle manifest sha256"] == "no bundle: outside its limits"
    licences = report._licences(settings, status.model_copy(update={"weights_used": (status.selected_weights_id,)}))
    assert [each.name for each in licences] == ["voicemill/from-scratch"]


def test_a_figure_is_a_percentage_or_not_measured() -> None:
    found = VoiceEvaluation(measured(cer=0.1234, likeness=None), {})
    assert steps._percent(found, "cer") == "12.3 %"
    assert steps._percent(found, "speaker_similarity_ratio") == "not measured"
    assert steps._percent(found, "none") == "not measured"


def test_paths_are_written_for_people_and_for_later_steps(settings: Settings, tmp_path: Path) -> None:
    work = settings.workspace.work
    assert notation.shown(work / "a/b.json", settings) == "a/b.json"
    assert notation.shown(settings.repository / "configs/x.yaml", settings) == "configs/x.yaml"
    assert notation.shown(tmp_path / "elsewhere/deep/x.yaml", settings) == "deep/x.yaml"
    assert notation.reachable(work / "a/b.json", settings) == "a/b.json"
    assert notation.reachable(tmp_path / "beside.json", settings) == "../beside.json"


def test_a_dataset_is_found_by_folder_and_by_name(
    settings: Settings, status: TrainingStatus, prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluation._find_dataset(settings, "demo").sha256 == prepared.sha256
    assert evaluation._find_dataset(settings, str(prepared.root)).root == prepared.root
    monkeypatch.chdir(prepared.root.parent)
    shutil.rmtree(settings.workspace.work / "datasets/demo")
    assert evaluation._find_dataset(settings, "demo").sha256 == prepared.sha256, "a folder here, of one name"
    for named in ("none", "none/such"):
        with pytest.raises(UsageError) as caught:
            evaluation._find_dataset(settings, named)
        assert caught.value.reason == f"dataset_not_found:{named}"


def test_the_references_are_the_held_out_recordings(prepared: PreparedDataset) -> None:
    held_out = [entry for entry in prepared.entries if entry.split == "validation"]
    found = evaluation.references(prepared, 22_050)
    assert [(each.id, each.text) for each in found] == [(entry.id, entry.normalized_text) for entry in held_out]
    assert [len(each.samples) / 22_050 for each in found] == pytest.approx(
        [entry.duration for entry in held_out], abs=0.01
    )
    slower = evaluation.references(prepared, 16_000)
    assert [len(each.samples) / 16_000 for each in slower] == pytest.approx([e.duration for e in held_out], abs=0.01)


def test_limits_that_need_recordings_do_not_count_without_them() -> None:
    limits = FigureLimits(**{limit: 0.5 for limit in FigureLimits.model_fields})
    kept = evaluation._without(limits, NEEDS_RECORDINGS)
    figures = {limit.figure for limit in limits.limits()}
    assert {limit.figure for limit in kept.limits()} == figures - set(NEEDS_RECORDINGS)
    assert figures & set(NEEDS_RECORDINGS)
    assert figures - set(NEEDS_RECORDINGS)


def test_the_text_is_a_file_or_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffGrüße.\n".encode())
    assert read_input_text(path, io.BytesIO(b"no")) == "Grüße.\n"
    assert read_input_text(Path("-"), io.BytesIO("é".encode())) == "é"
    for source in (Path("-"), path):
        path.write_bytes(b"x" * MAX_TEXT_BYTES)
        assert len(read_input_text(source, io.BytesIO(b"x" * MAX_TEXT_BYTES))) == MAX_TEXT_BYTES
        for data in (b"x" * (MAX_TEXT_BYTES + 1), b"\xff"):
            path.write_bytes(data)
            with pytest.raises(UsageError) as caught:
                read_input_text(source, io.BytesIO(data))
            assert caught.value.reason == f"text_unreadable:{source}"
    with pytest.raises(UsageError):
        read_input_text(tmp_path / "none.txt", io.BytesIO())
    assert MAX_TEXT_BYTES == 4 * 2**20
