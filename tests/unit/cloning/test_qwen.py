"""Qwen3-TTS as engines: the licence gate before anything starts, and the real classes with tiny random models."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from voicemill.errors import BlockedError, GateError, UsageError, VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED, load_allowlist
from voicemill.weights.registry import WeightsRegistry
from voicemill_cloning.engines.engine import EngineRequest, SamplingOptions
from voicemill_cloning.engines.qwen import DEFAULT_MODELS, MODELS, Kind, QwenEngine, QwenModel, QwenOptions
from voicemill_cloning.prompt_pickles import read_pickled_prompt
from voicemill_cloning.prompts import read_prompt, write_prompt
from voicemill_cloning.speaking import SpeakOptions, speak
from voicemill_cloning.worker.environment import QwenEnvironment

if TYPE_CHECKING:
    from tests.qwen_models import TinyQwen

SHORT = SamplingOptions(max_new_tokens=12)
PICKLE = REPOSITORY / "tests/data/cloning/full.pkl"
NOTHING = QwenEnvironment(REPOSITORY, Path("/nonexistent"), given=Path("/nonexistent/python"))


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(VoicemillError) as caught:
        work()
    assert caught.value.hint or caught.value.code == "bad_usage"
    return caught.value.reason


@pytest.mark.parametrize("model", sorted({model for models in MODELS.values() for model in models}))
def test_published_weights_are_listed_with_evidence_and_refused_until_they_are_pinned(
    tmp_path: Path, model: str
) -> None:
    entry = load_allowlist(REPOSITORY / SHIPPED).find(model)
    assert entry is not None
    assert (entry.weights_license, entry.code_license, entry.kind) == ("Apache-2.0", "Apache-2.0", "tts")
    assert len(entry.files) == 11
    assert all(item.url and item.url.endswith(f"{model}/resolve/main/{item.path}") for item in entry.files)
    assert len(entry.evidence) >= 2
    registry = WeightsRegistry(REPOSITORY / SHIPPED, tmp_path, REPOSITORY)
    kind = next(kind for kind, models in MODELS.items() if model in models)
    with pytest.raises(GateError) as caught:
        QwenModel(model, kind, registry, NOTHING)
    assert caught.value.reason == f"weights_unavailable:{model}"
    assert f"pin_weights.py {model}" in caught.value.hint
    assert "11 files" in caught.value.hint


def test_the_default_models_are_models_of_their_kind() -> None:
    assert all(DEFAULT_MODELS[kind] == models[0] for kind, models in MODELS.items())


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., WeightsRegistry]:
    """A registry with one pinned model whose only file is its configuration."""

    def make(config: str, **changes: object) -> WeightsRegistry:
        from voicemill import files

        path = tmp_path / "weights/a/model/config.json"
        path.parent.mkdir(parents=True)
        path.write_text(config)
        entry = {
            "id": "a/model",
            "kind": "tts",
            "weights_license": "MIT",
            "code_license": "MIT",
            "commercial_use_allowed": True,
            "license_url": "https://a.example",
            "files": [{"path": "config.json", "sha256": files.sha256_file(path)}],
        }
        allowlist = tmp_path / "list.json"
        allowlist.write_text(json.dumps({"version": "prod_tts_allowlist/3", "weights": [entry | changes]}))
        return WeightsRegistry(allowlist, tmp_path / "weights", REPOSITORY)

    return make


@pytest.mark.parametrize(
    ("config", "changes", "expected"),
    [
        ('{"tts_model_type": "voice_design"}', {}, "engine_model_kind:voice_design"),
        ('{"model_type": "llama"}', {}, "engine_model_invalid"),
        ("no JSON", {}, "engine_model_invalid"),
        ("{}", {"kind": "asr"}, "allowlist_rejected:kind_is_asr"),
        ("{}", {"weights_license": "CC-BY-NC-4.0"}, "allowlist_commercial_rejected"),
    ],
)
def test_what_is_refused_before_anything_starts(
    listed: Callable[..., WeightsRegistry], config: str, changes: dict[str, object], expected: str
) -> None:
    registry = listed(config, **changes)
    assert reason(lambda: QwenModel("a/model", "base", registry, NOTHING)) == expected


def test_a_changed_file_is_refused_before_anything_starts(listed: Callable[..., WeightsRegistry]) -> None:
    registry = listed("{}")
    (registry.cache / "a/model/config.json").write_text("{} ")
    assert reason(lambda: QwenModel("a/model", "base", registry, NOTHING)) == "weights_checksum_mismatch:a/model"


@pytest.mark.parametrize(
    "changes", [{"temperature": 0.0}, {"top_p": 1.5}, {"top_k": 0}, {"repetition_penalty": 0.5}, {"max_new_tokens": 1}]
)
def test_impossible_options_are_refused(changes: dict[str, float]) -> None:
    assert reason(lambda: SamplingOptions(**changes)) == "bad_usage"  # type: ignore[arg-type]


def test_an_unknown_dtype_is_refused() -> None:
    assert reason(lambda: QwenOptions(dtype="int4")) == "bad_usage"


# The real classes of the package, with random weights.


@pytest.fixture(scope="module")
def open_model(tiny_qwen: TinyQwen) -> Iterator[Callable[..., QwenModel]]:
    """Opens one model after the other, and closes the one before."""
    opened: list[tuple[tuple[object, ...], QwenModel]] = []
    registry = WeightsRegistry(tiny_qwen.allowlist, tiny_qwen.cache / "weights", REPOSITORY)
    environment = QwenEnvironment(
        REPOSITORY, tiny_qwen.cache, given=tiny_qwen.python, device="cpu", variables=dict(os.environ)
    )

    def make(kind: Kind, model: str = "", **options: object) -> QwenModel:
        key = (kind, model, *options.items())
        if opened and opened[0][0] == key:
            return opened[0][1]
        while opened:
            opened.pop()[1].close()
        made = QwenModel(
            model or DEFAULT_MODELS[kind],
            kind,
            registry,
            environment,
            QwenOptions(threads=1, **options),  # type: ignore[arg-type]
        )
        opened.append((key, made))
        return made

    yield make
    while opened:
        opened.pop()[1].close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "ref.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 24_000 * 2), 24_000)
    return path


@pytest.mark.exhaustive
def test_a_cloned_voice(open_model: Callable[..., QwenModel], reference: Path, tmp_path: Path) -> None:
    model = open_model("base")
    assert (model.loaded.kind, model.loaded.device, model.loaded.dtype) == ("base", "cpu", "float32")
    assert model.loaded.attention == "sdpa"
    assert "flash-attention needs a GPU" in model.loaded.attention_note
    assert model.loaded.frames_per_second == 12.5
    full, alone = tmp_path / "full.safetensors", tmp_path / "xvec.safetensors"
    model.build_prompt(reference, "Good morning.", full, metadata={"ref_language": "English"})
    model.build_prompt(reference, "", alone, x_vector_only=True)
    assert (read_prompt(full).mode, read_prompt(full).text) == ("full", "Good morning.")
    assert read_prompt(full).metadata["ref_language"] == "English"
    assert read_prompt(full).metadata["model"] == DEFAULT_MODELS["base"]
    codes = read_prompt(full).codes
    assert codes is not None
    assert codes.shape == (25, 4), "12.5 frames a second"
    assert read_prompt(alone).mode == "xvec"
    engine = model.cloned(full, "anna")
    first, again, other = (
        engine.synthesise(EngineRequest("A sentence.", "English", seed, SHORT)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first.samples, again.samples), "the same seed gives the same speech"
    assert first.samples.shape != other.samples.shape or not np.array_equal(first.samples, other.samples)
    assert np.abs(first.samples).max() > 0.01
    assert model.cloned(alone, "anna").synthesise(EngineRequest("A sentence.", sampling=SHORT)).sample_rate == 24_000
    assert engine.description.licence == "Apache-2.0"
    assert engine.description.frames_per_second == 12.5
    assert not engine.description.takes_instruct


@pytest.mark.exhaustive
def test_a_converted_prompt_speaks_as_the_pickle_did(open_model: Callable[..., QwenModel], tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_prompt(path, read_pickled_prompt(PICKLE))
    speech = open_model("base").cloned(path, "old").synthesise(EngineRequest("A sentence.", sampling=SHORT))
    assert len(speech.samples) > 1920


@pytest.mark.exhaustive
def test_the_end_of_a_generation(open_model: Callable[..., QwenModel], tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_prompt(path, read_pickled_prompt(PICKLE))
    engine = open_model("base").cloned(path, "old")
    seen: list[tuple[int, int]] = []
    engine.progress = lambda tokens, of: seen.append((tokens, of))
    ends = {
        engine.synthesise(EngineRequest("A sentence.", seed=seed, sampling=SamplingOptions(max_new_tokens=60))).complete
        for seed in range(8)
    }
    assert ends == {True, False}, "some end by themselves, some at their longest"
    assert (25, 60) in seen


@pytest.mark.exhaustive
def test_a_running_generation_can_be_stopped(open_model: Callable[..., QwenModel], tmp_path: Path) -> None:
    model = open_model("custom_voice")
    engine = model.built_in("Ryan")
    engine.progress = lambda tokens, of: threading.Thread(target=model.process.stop).start()
    greedy = SamplingOptions(max_new_tokens=4000, do_sample=False, subtalker_temperature=0.5)
    speech = engine.synthesise(EngineRequest("A sentence.", sampling=greedy))
    assert not speech.complete
    assert speech.seconds < 4000 / 12.5 / 2


@pytest.mark.exhaustive
def test_a_generation_over_time_is_one_sentence(open_model: Callable[..., QwenModel]) -> None:
    engine = open_model("custom_voice", timeout=0.001).built_in("Ryan")
    greedy = SamplingOptions(max_new_tokens=4000, do_sample=False)
    with pytest.raises(BlockedError) as caught:
        engine.synthesise(EngineRequest("A sentence.", sampling=greedy))
    assert caught.value.reason == "generation_timeout"
    assert "--timeout" in caught.value.hint


@pytest.mark.exhaustive
def test_built_in_speakers(open_model: Callable[..., QwenModel]) -> None:
    model = open_model("custom_voice")
    assert model.loaded.speakers == ("aiden", "dylan", "ryan", "vivian")
    takes = speak(model.built_in("RYAN"), "One. Two.", SpeakOptions(variants=2, seed=3, sampling=SHORT))
    assert [take.seed for take in takes] == [3, 4]
    assert reason(lambda: model.built_in("Rian")) == "unknown_speaker:Rian"
    engine = model.built_in("dylan")
    assert "English" in engine.description.languages
    assert reason(lambda: engine.synthesise(EngineRequest("x", "Klingon"))) == "language_not_spoken:Klingon"
    # The package drops an instruction for this size without a word.
    assert reason(lambda: engine.synthesise(EngineRequest("x", instruct="sad"))) == "instruct_without_effect"


@pytest.mark.exhaustive
def test_an_instruction_changes_the_speech_of_the_larger_model(open_model: Callable[..., QwenModel]) -> None:
    engine = open_model("custom_voice", MODELS["custom_voice"][1]).built_in("ryan")
    assert engine.description.takes_instruct
    likeliest = SamplingOptions(max_new_tokens=40, do_sample=False)  # random weights choose almost blindly otherwise
    plain, sad = (
        engine.synthesise(EngineRequest("A sentence.", sampling=likeliest, instruct=how)) for how in ("", "Be sad.")
    )
    assert plain.samples.shape != sad.samples.shape or not np.array_equal(plain.samples, sad.samples)


@pytest.mark.exhaustive
def test_a_designed_voice(open_model: Callable[..., QwenModel]) -> None:
    model = open_model("voice_design")
    speech = model.designed("A calm, deep voice.").synthesise(EngineRequest("A sentence.", "English", 1, SHORT))
    assert speech.seconds > 0.1


@pytest.mark.exhaustive
def test_a_prompt_of_a_model_of_another_size(open_model: Callable[..., QwenModel], tmp_path: Path) -> None:
    import dataclasses

    path = tmp_path / "p.safetensors"
    prompt = read_pickled_prompt(PICKLE)
    write_prompt(path, dataclasses.replace(prompt, embedding=np.zeros(32, dtype=np.float32)))
    engine = open_model("base").cloned(path, "old")
    assert reason(lambda: engine.synthesise(EngineRequest("x", sampling=SHORT))) == "prompt_of_another_model"


@pytest.mark.exhaustive
def test_a_reference_without_words(open_model: Callable[..., QwenModel], reference: Path, tmp_path: Path) -> None:
    model = open_model("base")
    assert reason(lambda: model.build_prompt(reference, " ", tmp_path / "p")) == "reference_text_missing"
    assert not (tmp_path / "p").exists()


@pytest.mark.exhaustive
def test_an_engine_takes_its_process_along(open_model: Callable[..., QwenModel]) -> None:
    model = open_model("voice_design")
    engine = QwenEngine(model, "x", instruct="Any.")
    folder, pid = model.folder, model.process.pid
    engine.close()
    engine.close()
    assert not folder.exists()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ValueError, match="closed"):
        _ = model.process


@pytest.mark.exhaustive
def test_float16_on_a_cpu_is_refused(open_model: Callable[..., QwenModel]) -> None:
    with pytest.raises(UsageError) as caught:
        open_model("base", dtype="float16")
    assert caught.value.reason == "bad_usage"
