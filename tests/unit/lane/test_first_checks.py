"""What a run refuses in its first second: each check alone, with what it lets through."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from voicemill.dataset import description
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.request import SourceOptions
from voicemill.dataset.rights import Rights
from voicemill.errors import AudioError, DatasetError, StorageError, VoicemillError
from voicemill.lane import bare_gates, first_checks
from voicemill.lane.first_checks import Run
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.settings import Settings
from voicemill.training.config import AcousticConfig, PredictorConfig, TrainingConfig, TransformerConfig


def settings_of(root: Path, repository: Path, **more: str) -> Settings:
    environ = {"WORK_DIR": str(root / "work"), "CACHE_DIR": str(root / "cache"), **more}
    return Settings.from_environment(environ, repository=repository)


def run_of(root: Path, repository: Path, *, environ: dict[str, str] | None = None, **source: object) -> Run:
    settings = settings_of(root, repository, **(environ or {}))
    options = LaneOptions(SourceOptions(**source), voice="ann", preset="smoke")  # type: ignore[arg-type]
    return Run(LaneRequest.from_options(settings, options), settings, TrainingConfig(preset="smoke"))


def sparse(path: Path, size: int) -> Path:
    """A file of this size that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_the_weights_are_counted_layer_by_layer() -> None:
    acoustic = AcousticConfig(
        width=4,
        encoder=TransformerConfig(layers=5, heads=2, head_width=3, inner_width=8, kernel_size=3),
        decoder=TransformerConfig(layers=1, heads=1, head_width=7, inner_width=6, kernel_size=5),
        duration_predictor=PredictorConfig(layers=2, width=16, kernel_size=3),
        pitch_predictor=PredictorConfig(layers=3, width=10, kernel_size=5),
    )
    attention = 4 * 2 * 3 * 3 + 2 * 3 * 4  # queries, keys, values; what joins the heads
    encoder = 5 * (attention + 4 * 8 * 3 + 8 * 4 * 3)
    decoder = 1 * (4 * 4 * 7 + 4 * 6 * 5 + 6 * 4 * 5)
    duration = 4 * 16 * 3 + 16 * 16 * 3
    pitch = 4 * 10 * 5 + 10 * 10 * 5 + 10 * 10 * 5
    assert (encoder, decoder, duration, pitch) == (1440, 352, 960, 1200)
    assert first_checks.least_weights(acoustic) == encoder + decoder + duration + pitch


def test_a_lossless_recording_becomes_smaller_and_a_lossy_one_does_not(tmp_path: Path, repository: Path) -> None:
    for suffix, size in ((".flac", 300_000), (".WAV", 300_000), (".mp3", 2_000_000)):
        take = sparse(tmp_path / f"take{suffix}", 1_000_000)
        take.with_suffix(".txt").write_text("One.\n")
        assert first_checks.audio_bytes(run_of(tmp_path, repository, audio=str(take))) == size, suffix


def test_only_whole_recordings_that_are_here_are_counted(tmp_path: Path, repository: Path) -> None:
    take = sparse(tmp_path / "take.mp3", 1_000_000)
    take.with_suffix(".txt").write_text("One.\n")
    assert first_checks.audio_bytes(run_of(tmp_path, repository, audio=str(take), start="1")) == 0
    assert first_checks.audio_bytes(run_of(tmp_path, repository, audio=str(take), end="2")) == 0
    assert first_checks.audio_bytes(run_of(tmp_path, repository, audio="https://example.org/a.mp3")) == 0
    clips = tmp_path / "clips"
    for name in ("a", "b"):
        sparse(clips / f"{name}.mp3", 500_000).with_suffix(".txt").write_text("One.\n")
    assert first_checks.audio_bytes(run_of(tmp_path, repository, audio=str(clips))) == 2_000_000


def test_a_disk_too_small_for_the_recording_is_refused(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "work").mkdir()
    free = shutil.disk_usage(tmp_path).free
    take = sparse(tmp_path / "take.mp3", 1_000_000)
    take.with_suffix(".txt").write_text("One.\n")
    first_checks.check_disk_space(run_of(tmp_path, repository, audio=str(take)))
    sparse(take, free)  # twice as much is needed
    with pytest.raises(StorageError) as caught:
        first_checks.check_disk_space(run_of(tmp_path, repository, audio=str(take)))
    assert caught.value.reason == f"disk_full:{tmp_path / 'work'}"
    assert str(caught.value).startswith("The run needs ")


def test_a_disk_too_small_for_the_model_is_refused(tmp_path: Path, repository: Path) -> None:
    """Ten copies of float32: its weights alone would fit."""
    (tmp_path / "work").mkdir()
    run = run_of(tmp_path, repository, audio="https://example.org/a.mp3")
    free = shutil.disk_usage(tmp_path).free
    wide = free // 20 // (2 * 3 * 8)  # with one layer of width 8: a twentieth of the free bytes in weights
    stack = TransformerConfig(layers=1, heads=1, head_width=1, inner_width=wide, kernel_size=3)
    small = PredictorConfig(layers=1, width=1, kernel_size=1)
    acoustic = AcousticConfig(
        width=8, encoder=stack, decoder=small_stack(), duration_predictor=small, pitch_predictor=small
    )
    large = dataclasses.replace(run, config=TrainingConfig(preset="smoke", acoustic=acoustic))
    with pytest.raises(StorageError, match="The run needs"):
        first_checks.check_disk_space(large)
    half = acoustic.model_copy(update={"encoder": stack.model_copy(update={"inner_width": wide // 3})})
    first_checks.check_disk_space(dataclasses.replace(run, config=TrainingConfig(preset="smoke", acoustic=half)))


def small_stack() -> TransformerConfig:
    return TransformerConfig(layers=1, heads=1, head_width=1, inner_width=1, kernel_size=1)


def test_every_folder_of_a_run_must_be_writable(tmp_path: Path, repository: Path) -> None:
    run = run_of(tmp_path, repository, audio="https://example.org/a.mp3")
    paths = run.settings.paths
    work, cache = run.settings.workspace.work, run.settings.workspace.cache
    found = set(first_checks._folders(paths))
    assert found >= {
        run.settings.workspace.stage_cache,
        run.settings.workspace.weights_cache,
        run.settings.workspace.voices,
        work / "datasets",
        run.settings.workspace.reports,
        paths.artifacts,
        paths.checkpoints,
        paths.promoted_bundles,
        paths.production_bundle.parent,
        paths.training_status.parent,
        paths.evaluation.parent,
    }
    first_checks.check_writable(run)
    assert not work.exists(), "a check leaves nothing"
    assert not cache.exists()


@pytest.mark.parametrize("folder", ["work/datasets", "work/reports", "cache/voicemill", "work/bundles"])
def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, repository: Path, folder: str) -> None:
    run = run_of(tmp_path, repository, audio="https://example.org/a.mp3")
    paths, workspace = run.settings.paths, run.settings.workspace
    place = {
        "work/datasets": workspace.work / "datasets",
        "work/reports": workspace.reports,
        "cache/voicemill": workspace.stage_cache,
        "work/bundles": paths.promoted_bundles,
    }[folder]
    place.parent.mkdir(parents=True)
    place.write_text("a file")
    with pytest.raises(StorageError) as caught:
        first_checks.check_writable(run)
    assert caught.value.reason.startswith("not_writable:")


def manifest_of(folder: Path, *names: str) -> Path:
    path = folder / "m/manifest.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f'{{"audio_filepath": "{name}", "duration": 1.0, "text": "One."}}\n' for name in names))
    return path


@pytest.mark.parametrize("check", [first_checks.check_manifest, bare_gates._check_manifest])
def test_a_manifest_names_at_least_one_recording_that_is_there(tmp_path: Path, check) -> None:
    path = manifest_of(tmp_path, "none.wav", "clips/one.wav", "../beside.wav")
    with pytest.raises(DatasetError) as caught:
        check(path)
    assert caught.value.reason == "dataset_no_valid_audio"
    for name in ("m/clips/one.wav", "beside.wav"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"x")
        check(path)
        place.unlink()
        place.mkdir()  # a folder is no recording
        with pytest.raises(DatasetError):
            check(path)
        place.rmdir()
    with pytest.raises(DatasetError) as caught:
        check(path.with_name("none.jsonl"))
    assert caught.value.reason == f"dataset_manifest_missing:{path.with_name('none.jsonl')}"


def test_without_the_reader_of_manifests_a_line_that_cannot_be_read_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    for line in ("{", "[]", '{"audio": "a.wav"}', "[" * 100_000):
        path.write_text(f"\n{line}\n")
        bare_gates._check_manifest(path)
    path.write_text("\n  \n")
    with pytest.raises(DatasetError) as caught:
        bare_gates._check_manifest(path)
    assert caught.value.reason == "dataset_no_valid_audio"


def test_the_gates_without_packages_keep_the_order_of_the_contract(tmp_path: Path, repository: Path) -> None:
    def reason(**environ: str) -> str:
        with pytest.raises(VoicemillError) as caught:
            bare_gates.check(settings_of(tmp_path, repository, **environ))
        return caught.value.reason

    broken = {"PROD_TTS_CONFIG": "none.yaml", "PROD_TTS_DATASET_MANIFEST": str(tmp_path / "none.jsonl")}
    listed = tmp_path / "list.json"
    assert reason(**broken, PROD_TTS_ALLOWLIST=str(listed)) == f"allowlist_missing:{listed}"
    assert reason(**broken, PROD_TTS_BASE_WEIGHTS_ID="none/such").startswith("allowlist_rejected:")
    assert reason(**broken, PROD_TTS_BASE_WEIGHTS_ID="openai/whisper-tiny.en").startswith("allowlist_rejected:")
    assert reason(**broken) == "config_missing:none.yaml"
    del broken["PROD_TTS_CONFIG"]
    assert reason(**broken) == f"dataset_manifest_missing:{tmp_path / 'none.jsonl'}"
    bare_gates.check(settings_of(tmp_path, repository, **broken, PROD_TTS_DRY_RUN="1"))
    bare_gates.check(settings_of(tmp_path, repository))


def test_a_prepared_voice_must_be_complete(tmp_path: Path, repository: Path, prepared: PreparedDataset) -> None:
    root = tmp_path / "work/datasets/ann"
    shutil.copytree(prepared.root, root)
    run = run_of(tmp_path, repository)
    first_checks.check_dataset(run)
    assert first_checks.audio_bytes(run) == 0
    clip = root / prepared.entries[0].audio_filepath
    clip.unlink()
    with pytest.raises(DatasetError) as caught:
        first_checks.check_dataset(run)
    assert caught.value.reason == "dataset_incomplete:ann"
    assert f"{prepared.entries[0].audio_filepath} is missing" in str(caught.value)
    (root / description.NAME).write_text("{")
    with pytest.raises(DatasetError, match=r"dataset\.json cannot be read"):
        first_checks.check_dataset(run)
    shutil.rmtree(root)
    with pytest.raises(DatasetError, match=r"dataset\.json cannot be read"):
        first_checks.check_dataset(run)


def test_one_recording_must_be_a_sound_and_a_folder_of_clips_is_looked_at_later(
    tmp_path: Path, repository: Path
) -> None:
    take = tmp_path / "take.wav"
    take.write_text("no sound")
    take.with_suffix(".txt").write_text("One.\n")
    with pytest.raises(AudioError, match="contains no audio"):
        first_checks.check_dataset(run_of(tmp_path, repository, audio=str(take)))
    take.write_bytes((repository / "data/demo/demo.flac").read_bytes())
    first_checks.check_dataset(run_of(tmp_path, repository, audio=str(take)))
    take.with_suffix(".txt").unlink()
    with pytest.raises(DatasetError) as caught:
        first_checks.check_dataset(run_of(tmp_path, repository, audio=str(take)))
    assert caught.value.reason == "missing_transcript"
    first_checks.check_dataset(run_of(tmp_path, repository, audio="https://example.org/a.mp3"))


def test_a_consent_is_demanded_as_the_setting_says(tmp_path: Path, repository: Path, prepared: PreparedDataset) -> None:
    def check(required: str | None, **source: object) -> str | None:
        environ = {"VOICEMILL_REQUIRE_CONSENT": required} if required else {}
        try:
            first_checks.check_consent(run_of(tmp_path, repository, environ=environ, **source))
        except DatasetError as error:
            return error.reason
        return None

    missing = "voice_without_consent:ann"
    web = {"audio": "https://example.org/a.mp3"}
    assert check(None, **web) is None
    assert check("any", **web) == missing
    assert check("any", **web, licence="cc0-1.0") == missing
    assert check("any", **web, consent="I, Ann, agree.") is None
    assert check("recorded", **web, consent="I, Ann, agree.") == missing
    root = tmp_path / "work/datasets/ann"
    shutil.copytree(prepared.root, root)
    assert check("any") == missing
    held = prepared.description.model_copy(update={"rights": Rights(consent="I agree.", consent_sha256="ab" * 32)})
    (root / description.NAME).write_text(held.model_dump_json())
    assert check("any") is None
    assert check("recorded") == missing
