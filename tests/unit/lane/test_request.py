from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from voicemill.dataset.limits import QualityLimits
from voicemill.dataset.request import (
    INHERITABLE,
    ClipFolderSource,
    ManifestSource,
    PreparationRequest,
    PreparedVoiceSource,
    RecordingSource,
    SourceOptions,
    WebRecordingSource,
)
from voicemill.errors import RefusedError, UsageError
from voicemill.lane.gates import configure
from voicemill.lane.request import LaneOptions, LaneRequest
from voicemill.launch.preflight import check_head
from voicemill.settings import Settings

SOURCE = {field.name for field in dataclasses.fields(SourceOptions)}


def request(repository: Path, environment: dict[str, str] | None = None, **options: Any) -> LaneRequest:
    source = SourceOptions(**{name: options.pop(name) for name in SOURCE & options.keys()})
    settings = Settings.from_environment(environment or {}, repository=repository)
    return LaneRequest.from_options(settings, LaneOptions(source=source, **options))


def prepared(made: LaneRequest, **changes: Any) -> PreparationRequest:
    """The preparation as the lane runs it under a training configuration."""
    wanted = {"sample_rate": 22_050, "seed": 1, "quality": QualityLimits(), **changes}
    return made.preparation.for_training(**wanted)


def test_the_demo_is_the_default(repository: Path) -> None:
    found = request(repository)
    assert found.preparation.source == RecordingSource(
        repository / "data/demo/demo.flac", repository / "data/demo/script.txt"
    )
    assert found.note is None
    assert (found.preparation.voice, found.display_name, found.seed) == ("dottie_default", "Dottie", None)


def test_an_option_wins_over_a_variable(repository: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    environment = {
        "VOICE_PROFILE_ID": "env",
        "VOICE_DISPLAY_NAME": "Env",
        "PROD_TTS_MAX_STEPS": "7",
        "AUDIO_PATH": str(take),
    }
    from_variables = request(repository, environment)
    assert (from_variables.preparation.voice, from_variables.max_steps) == ("env", 7)
    assert from_variables.preparation.source == RecordingSource(take)
    from_options = request(repository, environment, voice="anna", max_steps=3)
    assert (from_options.preparation.voice, from_options.display_name, from_options.max_steps) == ("anna", "anna", 3)


def test_the_backend_or_an_option_chooses_a_cluster(repository: Path) -> None:
    assert request(repository, {"RAY_ADDRESS": "head:1"}).preparation.ray is None
    assert request(repository, {"TRAIN_BACKEND": "ray"}).preparation.ray == "auto"
    assert request(repository, {"TRAIN_BACKEND": "ray", "RAY_ADDRESS": "head:1"}).preparation.ray == "head:1"
    assert request(repository, {"RAY_ADDRESS": "head:1"}, ray="auto").preparation.ray == "head:1"
    many = {"TRAIN_BACKEND": "ray", "RAY_ADDRESS": "head:1", "PROD_TTS_DEVICES": "4", "PROD_TTS_NODES": "2"}
    found = request(repository, many, ray="other:2", nodes=3)
    assert (found.preparation.ray, found.devices, found.nodes) == ("other:2", 4, 3)
    assert prepared(found).ray == "other:2"


def test_base_weights_and_init_from_exclude_each_other(repository: Path, tmp_path: Path) -> None:
    environment = {"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en"}
    assert request(repository, environment).base_weights == "nvidia/nemo-tts-fastpitch-en"
    assert request(repository, environment, init_from=tmp_path / "m.nemo").base_weights is None
    with pytest.raises(UsageError, match="two starts"):
        request(repository, base_weights="a/b", init_from=tmp_path / "m.nemo")


def test_a_recording_replaces_the_manifest_of_the_environment(repository: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    environment = {"PROD_TTS_DATASET_MANIFEST": "train.jsonl"}
    assert request(repository, environment).preparation.source == ManifestSource(Path("train.jsonl"))
    assert request(repository, environment, audio=str(take)).preparation.source == RecordingSource(take)


@pytest.mark.parametrize(
    "options",
    [
        {"audio": "a.wav", "dataset": Path("b.jsonl")},
        {"script": Path("a.txt"), "metadata": Path("b.csv"), "audio": "c"},
        {"script": Path("a.txt")},
        {"dataset": Path("b.jsonl"), "start": "3"},
        {"metadata": Path("b.csv"), "tier": "words"},
    ],
)
def test_contradictions_are_refused(repository: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        request(repository, **options)


def test_steps_are_capped_never_raised(repository: Path) -> None:
    settings = Settings.from_environment({}, repository=repository)
    capped = configure(request(repository, preset="cpu", max_steps=20, seed=9), settings)
    assert (capped.acoustic.max_steps, capped.vocoder.max_steps, capped.seed) == (20, 0, 9)
    whole = configure(request(repository, preset="cpu"), settings)
    more = configure(request(repository, preset="cpu", max_steps=10**6), settings)
    assert more.acoustic.max_steps == whole.acoustic.max_steps


def test_a_search_of_the_rate_and_other_weights_combine(repository: Path) -> None:
    settings = Settings.from_environment({}, repository=repository)
    wished = request(repository, preset="cpu", find_learning_rate=True, base_weights="nvidia/nemo-tts-fastpitch-en")
    acoustic, preset = (
        configure(wished, settings).acoustic,
        configure(request(repository, preset="cpu"), settings).acoustic,
    )
    assert (acoustic.base_weights, acoustic.optimiser.find_learning_rate) == ("nvidia/nemo-tts-fastpitch-en", True)
    assert acoustic.optimiser.warmup_steps == preset.optimiser.warmup_steps
    assert not preset.optimiser.find_learning_rate


def test_expected_head(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"

    def settings(expected: str) -> Settings:
        return Settings.from_environment({"EXPECTED_HEAD": expected, "VOICEMILL_COMMIT": commit}, repository=tmp_path)

    check_head(settings("01234567"))
    check_head(settings(commit.upper()))
    for wrong in ("012345", "deadbeef", commit + "0"):
        with pytest.raises(RefusedError) as caught:
            check_head(settings(wrong))
        assert caught.value.code == "deterministic_head_mismatch"


def test_a_missing_text_is_refused(repository: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    for option in ("script", "metadata", "lexicon"):
        with pytest.raises(UsageError) as caught:
            request(repository, audio=str(take), **{option: tmp_path / "none.txt"})
        assert caught.value.reason == "missing_input_file"


@pytest.mark.parametrize(
    ("environment", "preset"),
    [
        ({}, "cpu"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch"}, "cpu"),
        ({"TORCH_DEVICE": "cuda", "PROD_TTS_BASE_WEIGHTS_ID": "voicemill/base-en-people-fastpitch"}, "cpu"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en"}, "finetune"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en", "PROD_TTS_PRESET": "smoke"}, "smoke"),
        ({"TORCH_DEVICE": "cuda"}, "gpu"),
        ({"TORCH_DEVICE": "cuda", "PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch"}, "scratch"),
    ],
)
def test_base_weights_and_device_choose_the_preset(repository: Path, environment: dict[str, str], preset: str) -> None:
    assert request(repository, {"TORCH_DEVICE": "cpu", **environment}).preset == preset


def test_on_a_gpu_pinned_checkpoints_are_finetuned(repository: Path, tmp_path: Path) -> None:
    listed = json.loads((repository / "configs/voice/prod_tts/weights_allowlist.json").read_text(encoding="utf-8"))
    path = tmp_path / "allowlist.json"
    environment = {"TORCH_DEVICE": "cuda", "PROD_TTS_ALLOWLIST": str(path)}
    assert request(repository, environment).preset == "gpu"  # a list that cannot be read is the gates' to refuse
    for entry in listed["weights"][:2]:
        for item in entry["files"]:
            item["sha256"] = "0" * 64
    path.write_text(json.dumps(listed), encoding="utf-8")
    assert request(repository, environment).preset == "finetune"


def test_sources_of_the_environment(repository: Path, tmp_path: Path) -> None:
    """A manifest that is there, else a recording or a folder to make one from, else the demo."""
    folder, manifest = tmp_path / "takes", tmp_path / "train.jsonl"
    folder.mkdir()
    environment = {"PROD_TTS_SOURCE_DIR": str(folder), "PROD_TTS_DATASET_MANIFEST": str(manifest)}
    missing = request(repository, environment)
    assert missing.preparation.source == ClipFolderSource(folder)
    manifest.touch()
    there = request(repository, environment)
    assert there.preparation.source == ManifestSource(manifest)
    assert request(repository, {"PROD_TTS_RESUME": "1"}).resume


def test_a_web_address_and_a_part_of_it(repository: Path) -> None:
    wanted = request(
        repository, {"AUDIO_PATH": "elsewhere.wav"}, audio="https://example.org/a?b=c//d", start="1:30", end="1:02:30.5"
    )
    assert wanted.preparation.source == WebRecordingSource("https://example.org/a?b=c//d", start=90.0, end=3750.5)
    limits = QualityLimits(min_snr_db=20.0)
    made = prepared(wanted, quality=limits)
    assert (made.source, made.quality) == (wanted.preparation.source, limits)
    assert "quality" not in made.inherited  # a limit of the training configuration comes before the dataset's
    with pytest.raises(UsageError, match="two sources"):
        request(repository, audio="https://example.org/a", dataset=Path("m.jsonl"))
    with pytest.raises(UsageError, match="not after"):
        request(repository, start="2:00", end="90")


def test_rights_and_tier_reach_the_preparation(repository: Path) -> None:
    asked = request(repository, consent="I, Ann, agree.", licence="cc-by-4.0", tier="words")
    made = prepared(asked)
    assert made.settings.tier == "words"
    assert made.rights is not None
    assert (made.rights.consent, made.rights.licence) == ("I, Ann, agree.", "CC-BY-4.0")
    assert prepared(request(repository)).rights is None
    with pytest.raises(UsageError) as caught:
        request(repository, licence="none at all")
    assert caught.value.reason == "licence_invalid"


def test_the_dataset_of_a_named_voice_is_its_source(repository: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    environment = {"WORK_DIR": str(work)}
    none = request(repository, environment, voice="ann")
    assert isinstance(none.preparation.source, RecordingSource)
    assert none.note == (
        "No dataset is prepared under the name ann, and no source is named: the demo recording is trained."
    )
    (work / "datasets/ann").mkdir(parents=True)
    (work / "datasets/ann/dataset.json").write_text("{}")
    found = request(repository, environment, voice="ann")
    assert (found.preparation.source, found.note) == (PreparedVoiceSource("ann"), None)
    assert request(repository, environment | {"VOICE_PROFILE_ID": "ann"}).preparation.source == PreparedVoiceSource(
        "ann"
    )
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    assert request(repository, environment, voice="ann", audio=str(take)).preparation.source == RecordingSource(take)
    with_take = environment | {"AUDIO_PATH": str(take), "VOICE_PROFILE_ID": "ann"}
    assert request(repository, with_take).preparation.source == RecordingSource(take)
    assert request(repository, with_take, voice="ann").preparation.source == PreparedVoiceSource("ann")
    for option in ({"start": "3"}, {"tier": "words"}, {"lexicon": take}):
        with pytest.raises(UsageError, match="needs the recordings"):
            request(repository, environment, voice="ann", **option)


def test_settings_that_no_option_names_come_from_the_dataset(repository: Path) -> None:
    assert request(repository).preparation.inherited == INHERITABLE
    seeded = request(repository, seed=7)
    assert seeded.preparation.inherited == INHERITABLE - {"seed"}
    assert prepared(seeded, seed=7).seed == 7
