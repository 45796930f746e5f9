from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.dataset.limits import QualityLimits
from voicemill.errors import RefusedError, UsageError
from voicemill.lane.gates import configure
from voicemill.lane.request import LaneRequest
from voicemill.launch.preflight import check_head
from voicemill.settings import Settings


def request(repository: Path, environment: dict[str, str] | None = None, **options: object) -> LaneRequest:
    return LaneRequest.from_options(Settings.from_environment(environment or {}, repository=repository), options)


def test_nothing_said_means_the_demo(repository: Path) -> None:
    found = request(repository)
    assert found.audio == repository / "data/demo/demo.flac"
    assert found.script == repository / "data/demo/script.txt"
    assert (found.voice, found.display_name, found.seed) == ("dottie_default", "Dottie", None)


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
    assert (from_variables.voice, from_variables.max_steps, from_variables.audio) == ("env", 7, take)
    assert from_variables.script is None
    from_options = request(repository, environment, voice="anna", max_steps=3)
    assert (from_options.voice, from_options.display_name, from_options.max_steps) == ("anna", "anna", 3)


def test_a_cluster_is_used_where_the_backend_or_an_option_says(repository: Path) -> None:
    assert request(repository, {"RAY_ADDRESS": "head:1"}).ray is None
    assert request(repository, {"TRAIN_BACKEND": "ray"}).ray == "auto"
    assert request(repository, {"TRAIN_BACKEND": "ray", "RAY_ADDRESS": "head:1"}).ray == "head:1"
    assert request(repository, {"RAY_ADDRESS": "head:1"}, ray="auto").ray == "head:1"
    many = {"TRAIN_BACKEND": "ray", "RAY_ADDRESS": "head:1", "PROD_TTS_DEVICES": "4", "PROD_TTS_NODES": "2"}
    found = request(repository, many, ray="other:2", nodes=3)
    assert (found.ray, found.devices, found.nodes) == ("other:2", 4, 3)
    assert found.preparation(22050, 1, QualityLimits(), Path("list.json")).ray == "other:2"


def test_there_is_one_start(repository: Path, tmp_path: Path) -> None:
    environment = {"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en"}
    assert request(repository, environment).base_weights == "nvidia/nemo-tts-fastpitch-en"
    assert request(repository, environment, init_from=tmp_path / "m.nemo").base_weights is None
    with pytest.raises(UsageError, match="two starts"):
        request(repository, base_weights="a/b", init_from=tmp_path / "m.nemo")


def test_the_manifest_of_the_environment_gives_way_to_a_recording(repository: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    environment = {"PROD_TTS_DATASET_MANIFEST": "train.jsonl"}
    assert request(repository, environment).dataset == Path("train.jsonl")
    assert request(repository, environment, audio=take).dataset is None


@pytest.mark.parametrize(
    "options",
    [
        {"audio": "a.wav", "dataset": "b.jsonl"},
        {"script": "a.txt", "metadata": "b.csv", "audio": "c"},
        {"script": "a.txt"},
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


def test_a_search_of_the_rate_and_other_weights_are_wished_for_together(repository: Path) -> None:
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


def test_a_text_that_is_not_there_is_refused(repository: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.wav"
    take.write_bytes(b"x")
    for option in ("script", "metadata", "lexicon"):
        with pytest.raises(UsageError) as caught:
            request(repository, audio=take, **{option: tmp_path / "none.txt"})
        assert caught.value.reason == "missing_input_file"


@pytest.mark.parametrize(
    ("environment", "preset"),
    [
        ({}, "cpu"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch"}, "cpu"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en"}, "finetune"),
        ({"PROD_TTS_BASE_WEIGHTS_ID": "nvidia/nemo-tts-fastpitch-en", "PROD_TTS_PRESET": "smoke"}, "smoke"),
        ({"TORCH_DEVICE": "cuda"}, "finetune"),
        ({"TORCH_DEVICE": "cuda", "PROD_TTS_BASE_WEIGHTS_ID": "voicemill/from-scratch"}, "scratch"),
    ],
)
def test_base_weights_and_device_choose_the_preset(repository: Path, environment: dict[str, str], preset: str) -> None:
    assert request(repository, {"TORCH_DEVICE": "cpu", **environment}).preset == preset


def test_sources_of_the_environment(repository: Path, tmp_path: Path) -> None:
    """A manifest that is there, else a recording or a folder to make one from, else the demo."""
    folder, manifest = tmp_path / "takes", tmp_path / "train.jsonl"
    folder.mkdir()
    environment = {"PROD_TTS_SOURCE_DIR": str(folder), "PROD_TTS_DATASET_MANIFEST": str(manifest)}
    missing = request(repository, environment)
    assert (missing.audio, missing.dataset) == (folder, None)
    manifest.touch()
    there = request(repository, environment)
    assert (there.audio, there.dataset) == (None, manifest)
    assert request(repository, {"PROD_TTS_RESUME": "1"}).resume


def test_a_web_address_and_a_part_of_it(repository: Path) -> None:
    wanted = request(
        repository, {"AUDIO_PATH": "elsewhere.wav"}, audio="https://example.org/a?b=c//d", start="1:30", end="1:02:30.5"
    )
    assert (wanted.audio, wanted.url) == (None, "https://example.org/a?b=c//d")
    assert (wanted.start, wanted.end) == (90.0, 3750.5)
    limits = QualityLimits(min_snr_db=20.0)
    prepared = wanted.preparation(22_050, 1, limits, Path("list.json"))
    assert prepared.allowlist == Path("list.json")
    assert (prepared.url, prepared.start, prepared.end, prepared.quality) == (wanted.url, 90.0, 3750.5, limits)
    with pytest.raises(UsageError, match="two sources"):
        request(repository, audio="https://example.org/a", dataset="m.jsonl")
    with pytest.raises(UsageError, match="not after"):
        request(repository, start="2:00", end="90")


def test_rights_and_tier_reach_the_preparation(repository: Path) -> None:
    asked = request(repository, consent="I, Ann, agree.", licence="cc-by-4.0", tier="words")
    prepared = asked.preparation(22_050, 1, QualityLimits(), Path("list.json"))
    assert prepared.tier == "words"
    assert prepared.rights is not None
    assert (prepared.rights.consent, prepared.rights.licence) == ("I, Ann, agree.", "CC-BY-4.0")
    assert request(repository).preparation(22_050, 1, QualityLimits(), Path("list.json")).rights is None
    with pytest.raises(UsageError) as caught:
        request(repository, licence="none at all")
    assert caught.value.reason == "licence_invalid"
