"""voice-clone, voice-register and the commands of built-in and designed voices.

The model is replaced by one that writes a prompt and speaks with flite, so that everything around it really runs.
`test_qwen_apps` runs the same commands with the real classes and random weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from voicemill import console
from voicemill.settings import REPOSITORY
from voicemill_cloning.engines.engine import EngineDescription, EngineRequest, EngineSpeech
from voicemill_cloning.engines.programs import FliteEngine, installed
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.prompts import ClonePrompt, read_prompt, write_prompt
from voicemill_cloning.registry import SpeakingVoices
from voicemill_marks.credentials import read_credentials
from voicemill_marks.detector import detect_in_file

CLONE_META = [
    "app", "created_at", "engine_mode", "generation_kwargs", "generation_profile", "generation_profile_meta",
    "generation_profile_source", "instruct", "instruct_source", "language", "model", "ref_language_detected",
    "ref_language_probability", "reference", "saved_generation_defaults", "schema_version", "selected_take",
    "selected_wav", "selection_metrics", "selection_policy", "source_type", "speaker", "takes", "text", "timings", "tone",
    "variants", "voice_generation_defaults", "x_vector_only",
]  # fmt: skip
REFERENCE = [
    "hash", "segment_duration", "segment_end", "segment_start", "transcript", "transcript_conf", "whisper_model",
]  # fmt: skip
TEXT = "The old bridge was closed for the winter."
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not installed("flite"), reason="flite is not installed")]


class StandIn:
    """Stands for a loaded model: its prompts are arrays of ones, its voices flite's."""

    opened: list[tuple[str, str]]

    def __init__(self, kind: str, model: str, opened: list[tuple[str, str]]) -> None:
        self.kind, self.weights = kind, SimpleNamespace(id=model)
        self.loaded = SimpleNamespace(speakers=("Aiden", "Ryan"))
        self.opened = opened
        opened.append((kind, model))

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *unused: object) -> None: ...

    def close(self) -> None: ...

    def build_prompt(
        self, audio: Path, text: str, target: Path, *, x_vector_only: bool = False, metadata: dict[str, str]
    ) -> None:
        assert soundfile.info(audio).samplerate == 24_000
        codes = None if x_vector_only else np.ones((4, 4), dtype=np.int64)
        prompt = ClonePrompt(np.ones(8, dtype=np.float32), codes, text, {"model": self.weights.id, **metadata})
        write_prompt(target, prompt)
        self.opened.append(("prompt", target.name))

    def _engine(self, name: str) -> FliteEngine:
        engine = FliteEngine("rms")
        engine.description = EngineDescription(
            "qwen", name, "1", self.weights.id, "Apache-2.0", varies=True, takes_instruct=self.kind != "base"
        )
        return engine

    def cloned(self, prompt: Path, name: str) -> FliteEngine:
        read_prompt(prompt)
        return self._engine(name)

    def built_in(self, speaker: str) -> FliteEngine:
        return self._engine(speaker)

    def designed(self, instruct: str) -> FliteEngine:
        assert instruct
        return self._engine("designed")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was loaded and built, in order."""
    from voicemill_cloning.engines.qwen import DEFAULT_MODELS

    found: list[tuple[str, str]] = []

    def open_model(options: EngineOptions, kind: str, model: str | None = None) -> StandIn:
        return StandIn(kind, options.model or model or DEFAULT_MODELS[kind], found)  # type: ignore[index]

    monkeypatch.setattr(EngineOptions, "open_model", open_model)
    monkeypatch.setattr(EngineOptions, "require_model", lambda *unused: None)
    return found


@pytest.fixture
def run(
    load_app: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:  # fmt: skip
    """Runs an app in a folder of its own; exit code, stdout and stderr. A reference is English unless a test says more."""
    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(app: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        reference = app == "voice-register" or arguments[:1] in (("synth",), ("prepare-ref",))
        if reference and not {"--ref-language", "--whisper-model", "--ref-text"} & set(arguments):
            arguments = (*arguments, "--ref-language", "English")
        code = console.run(load_app(app).main, list(arguments), program=app)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def voices(tmp_path: Path) -> SpeakingVoices:
    return SpeakingVoices(tmp_path / "cache", tmp_path / "work/bundles")


def test_a_recording_becomes_a_voice_that_speaks(
    run: Run, speech: Path, voices: SpeakingVoices, opened: list[tuple[str, str]], tmp_path: Path
) -> None:
    rights = ("--consent", "I agree.", "--licence", "CC0-1.0")
    code, _, err = run(
        "voice-clone", "synth", "--ref-audio", str(speech), "--voice-name", "Ann", "--text", TEXT, "--profile", "stable",
        "--save-profile-default", *rights,
    )  # fmt: skip
    assert code == 0, err
    folder = tmp_path / "work/ann"
    (sound,) = folder.glob("voice_clone_*.wav")
    assert sorted(path.name for path in folder.iterdir()) == sorted([sound.name, f"{sound.stem}.meta.json", "text.txt"])
    meta = json.loads((folder / f"{sound.stem}.meta.json").read_text("utf-8"))
    assert sorted(set(meta) - {"seed", "output", "rtf"}) == CLONE_META
    assert sorted(meta["reference"]) == REFERENCE
    assert sorted(meta["timings"]) == ["model_load_sec", "prep_sec", "synth_sec", "total_sec"]
    assert (meta["app"], meta["text"], meta["generation_profile"]) == ("voice-clone", TEXT, "stable")
    assert meta["output"]["duration_sec"] == pytest.approx(soundfile.info(sound).duration, abs=0.001)
    assert "print" in meta["reference"]["transcript"].lower() or meta["reference"]["transcript_conf"] > -1.2
    assert detect_in_file(sound).marked
    found = read_credentials(sound)
    assert found is not None
    assert (found.claims["voice"], "consent_sha256" in found.claims) == ("ann", True)
    known = voices.find("ann")
    assert known.file is not None
    assert known.ready
    assert known.file.generation_defaults is not None
    assert known.file.generation_defaults.profile == "stable"
    stem = known.file.prompt or ""
    assert stem.endswith("_qwen3-tts-12hz-0.6b-base_full_v1")
    prompt = read_prompt(known.folder / known.file.prompts[stem])
    assert prompt.text == meta["reference"]["transcript"]
    assert opened[0] == ("base", "Qwen/Qwen3-TTS-12Hz-0.6B-Base")
    code, _, err = run("voice-synth", "speak", "--voice", "an", "--text", TEXT, "--out-exact", "x")
    assert (code, json.loads(Path("x/takes.meta.json").read_text("utf-8"))["generation_profile"]) == (0, "stable"), err
    assert soundfile.info(known.folder / "source_clip.wav").samplerate == 44_100


def test_several_takes_have_a_folder_of_their_own(
    run: Run, speech: Path, opened: list[tuple[str, str]], tmp_path: Path
) -> None:
    code, _, err = run(
        "voice-clone", "synth", "--ref-audio", str(speech), "--text", TEXT, "--variants", "2", "--seed", "7",
        "--prompt-prefix", "Well,",
    )  # fmt: skip
    assert code == 0, err
    (folder,) = (tmp_path / "work").glob("voice_clone_*")
    assert sorted(path.name for path in folder.iterdir()) == [
        "take_01.wav",
        "take_02.wav",
        "takes.meta.json",
        "text.txt",
    ]
    meta = json.loads((folder / "takes.meta.json").read_text("utf-8"))
    assert sorted(meta) == CLONE_META
    assert ([take["seed"] for take in meta["takes"]], meta["text"]) == ([7, 8], f"Well, {TEXT}")
    assert list((tmp_path / "cache/voice-clone/prompts").glob("*.safetensors"))


def test_prompts_without_a_voice_speak_by_the_beginning_of_their_names(
    run: Run, speech: Path, opened: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert run("voice-clone", "prepare-ref", "--ref-audio", str(speech))[0] == 0
    (prompt,) = (tmp_path / "cache/voice-clone/prompts").glob("*.safetensors")
    for name in (prompt.stem, prompt.stem[:8].upper(), str(prompt)):
        code, _, err = run("voice-synth", "speak", "--voice", name, "--text", TEXT, "--out-exact", "x")
        assert code == 0, err
        assert json.loads(Path("x/takes.meta.json").read_text("utf-8"))["voice_id"] == prompt.stem
    assert "voice_not_found" in run("voice-synth", "speak", "--voice", prompt.stem[:3], "--text", TEXT)[2]
    prompt.with_name(f"{prompt.stem}b.safetensors").write_bytes(prompt.read_bytes())
    assert "voice_ambiguous" in run("voice-synth", "speak", "--voice", prompt.stem[:8], "--text", TEXT)[2]


def test_a_prompt_is_built_once(run: Run, speech: Path, voices: SpeakingVoices, opened: list[tuple[str, str]]) -> None:
    first = run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann")
    assert first[0] == 0, first[2]
    built = [entry for entry in opened if entry[0] == "prompt"]
    assert len(built) == 1
    assert voices.find("ann").ready
    run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann")
    assert [entry for entry in opened if entry[0] == "prompt"] == built
    run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann", "--force")
    assert len([entry for entry in opened if entry[0] == "prompt"]) == 2
    run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann", "--ref-text", "Other words.")
    assert len([entry for entry in opened if entry[0] == "prompt"]) == 3


def test_tones_and_embeddings_alone(
    run: Run, speech: Path, voices: SpeakingVoices, opened: list[tuple[str, str]]
) -> None:
    assert run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann")[0] == 0
    code, _, err = run(
        "voice-clone", "prepare-ref", "--voice", "ann", "--tone", "calm", "--ref-start", "2", "--ref-end", "6",
        "--x-vector-only",
    )  # fmt: skip
    assert code == 0, err
    known = voices.find("ann")
    assert known.file is not None
    assert known.file.tone_names == ("calm",)
    assert read_prompt(known.folder / (known.file.chosen("calm") or "")).mode == "xvec"
    assert read_prompt(known.folder / (known.file.chosen() or "")).mode == "full"
    assert run("voice-synth", "speak", "--voice", "ann", "--tone", "calm", "--text", TEXT, "--out-exact", "x")[0] == 0
    assert json.loads(Path("x/takes.meta.json").read_text("utf-8"))["tone"] == "calm"


def test_register_in_one_command(
    run: Run, interview: Path, voices: SpeakingVoices, opened: list[tuple[str, str]], tmp_path: Path
) -> None:
    options = ("--clips", "1", "--length", "8", "--seed", "1", "--threads", "1")
    code, out, err = run("voice-register", "--audio", str(interview), "--voice-name", "ann", "--text", TEXT, *options)
    assert code == 0, err
    assert voices.find("ann").ready
    names = {path.name.split("_from")[0].split("_2")[0] for path in (tmp_path / "work/ann").glob("*.wav")}
    assert names == {"clip_01", "clip_ref", "voice_clone"}
    assert out.count("ARTIFACT") == 6
    code, _, err = run(
        "voice-register", "--audio", str(interview), "--voice-name", "eve", "--text", TEXT, "--skip-synth", *options
    )
    assert code == 0, err
    assert voices.find("eve").ready
    assert not list((tmp_path / "work/eve").glob("voice_clone*"))
    assert run("voice-synth", "speak", "--voice", "eve", "--text", TEXT, "--out-exact", "x")[0] == 0


def test_the_self_test(run: Run, opened: list[tuple[str, str]]) -> None:
    code, out, err = run("voice-clone", "self-test")
    assert (code, '"status":"ok"' in out) == (0, True), err

    class Silent(FliteEngine):
        def synthesise(self, request: EngineRequest) -> EngineSpeech:
            return EngineSpeech(np.full(24_000, 1e-5, dtype=np.float32), 24_000)

    StandIn.cloned, kept = (lambda self, prompt, name: Silent("rms")), StandIn.cloned  # type: ignore[method-assign]
    try:
        code, _, err = run("voice-clone", "self-test")
    finally:
        StandIn.cloned = kept  # type: ignore[method-assign]
    assert (code, "self_test_failed" in err) == (2, True)


def test_built_in_speakers(run: Run, voices: SpeakingVoices, opened: list[tuple[str, str]]) -> None:
    base = ("register-builtin", "--voice-name", "newsroom", "--speaker")
    assert run("voice-synth", *base, "ryan")[0] == 0
    assert run("voice-synth", *base, "Ryan", "--tone", "warm", "--tone-instruct-style", "warm")[0] == 0
    assert (
        run("voice-synth", *base, "Ryan", "--tone", "slow", "--tone-instruct", "Slowly.", "--description", "News.")[0]
        == 0
    )
    known = voices.find("newsroom").file
    assert known is not None
    assert known.custom_voice is not None
    assert (known.custom_voice.speaker, known.tone_names, known.description) == ("Ryan", ("slow", "warm"), "News.")
    assert known.custom_voice.model == "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"
    code, _, err = run(
        "voice-synth", "speak", "--voice", "newsroom", "--tone", "slow", "--text", TEXT, "--out-exact", "x"
    )
    assert code == 0, err
    meta = json.loads(Path("x/takes.meta.json").read_text("utf-8"))
    assert (meta["instruct"], meta["instruct_source"], meta["speaker"]) == ("Slowly.", "tone:slow", "Ryan")
    assert opened[-1] == ("custom_voice", "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice")
    code, _, _ = run("voice-synth", "speak", "--speaker", "Ryan", "--instruct-style", "formal", "--text", TEXT,
                     "--out-exact", "y")  # fmt: skip
    meta = json.loads(Path("y/takes.meta.json").read_text("utf-8"))
    assert (code, meta["instruct_style"], meta["source_type"]) == (0, "formal", "custom_voice_builtin")
    assert run("voice-synth", "speak", "--speaker", "Ryan", "--text", TEXT, "--out-exact", "z")[0] == 0
    assert opened[-1] == ("custom_voice", "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--voice-name", "n", "--speaker", "Ryann"), "unknown_speaker:Ryann"),
        (("--voice-name", "n_n", "--speaker", "Ryan"), "invalid_voice_slug"),
        (("--voice-name", "n", "--speaker", "Ryan", "--tone", "warm"), "bad_usage"),
        (("--voice-name", "n", "--speaker", "Ryan", "--tone-instruct", "Warmly."), "bad_usage"),
        (("--voice-name", "n", "--speaker", "Ryan", "--instruct-default-style", "wrm"), "unknown_style:wrm"),
        (("--voice-name", "n", "--speaker", "Ryan", "--language-default", "Elvish"), "unknown_language:Elvish"),
        (("--speaker", "Ryan"), "bad_usage"),
    ],
)
def test_built_in_voices_that_cannot_be(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    code, _, err = run("voice-synth", "register-builtin", *arguments)
    assert (code, f"[error] {reason}" in err) == (1, True), err


def test_a_cloned_voice_does_not_become_a_built_in_one(run: Run, speech: Path, opened: list[tuple[str, str]]) -> None:
    assert run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann")[0] == 0
    code, _, err = run("voice-synth", "register-builtin", "--voice-name", "ann", "--speaker", "Ryan")
    assert (code, "voice_of_another_kind:ann" in err) == (1, True)


def test_a_designed_voice(run: Run, voices: SpeakingVoices, opened: list[tuple[str, str]], tmp_path: Path) -> None:
    words = "Good evening, and welcome to the programme. Tonight we travel north, to the islands."
    command = ("design-voice", "--instruct", "An old sailor.", "--ref-text", words, "--voice-name", "sailor")
    code, _, err = run("voice-synth", *command)
    assert code == 0, err
    known = voices.find("sailor")
    assert known.file is not None
    assert (known.engine, known.ready) == ("designed_clone", True)
    assert known.file.source is not None
    assert (known.file.source.type, known.file.source.instruct, known.file.source.ref_text) == (
        "designed", "An old sailor.", words
    )  # fmt: skip
    (reference,) = (tmp_path / "cache/voice-clone/designed_refs").glob("*/design_ref.wav")
    assert detect_in_file(reference).marked
    assert json.loads(reference.with_name("design_meta.json").read_text("utf-8"))["instruct"] == "An old sailor."
    assert [entry[0] for entry in opened] == ["voice_design", "base", "prompt"]
    assert "voice_exists:sailor" in run("voice-synth", *command)[2]
    assert run("voice-synth", *command, "--force")[0] == 0
    code, _, err = run("voice-synth", "speak", "--voice", "sailor", "--text", TEXT, "--out-exact", "x")
    meta = json.loads(Path("x/takes.meta.json").read_text("utf-8"))
    assert (code, meta["source_type"]) == (0, "designed_clone_prompt"), err
    for wrong in ((), ("--instruct", "a", "--instruct-style", "warm"), ("--instruct", " ")):
        assert run("voice-synth", "design-voice", "--ref-text", words, *wrong)[0] == 1
    assert run("voice-synth", "design-voice", "--instruct", "a", "--ref-text", "...")[0] == 1


def test_without_weights_the_reference_is_kept(run: Run, speech: Path, voices: SpeakingVoices) -> None:
    code, out, err = run("voice-clone", "prepare-ref", "--ref-audio", str(speech), "--voice-name", "ann")
    assert (code, "weights_unavailable" in err) == (2, True), err
    assert out.count("ARTIFACT") == 1
    known = voices.find("ann")
    assert known.file is not None
    assert (known.file.ref is not None, known.ready) == (True, False)
    for command in (
        ("voice-synth", "speak", "--speaker", "Ryan", "--text", TEXT),
        ("voice-synth", "design-voice", "--instruct", "a", "--ref-text", TEXT),
        ("voice-clone", "self-test"),
    ):
        code, _, err = run(*command)
        assert (code, "weights_unavailable" in err) == (2, True), err


def test_without_weights_a_recording_becomes_a_reference_with_a_warning_at_once(
    run: Run, interview: Path, two_people: Path, voices: SpeakingVoices, tmp_path: Path
) -> None:
    options = ("--voice-name", "ann", "--text", TEXT, "--clips", "1", "--length", "8")
    code, _, err = run("voice-register", "--audio", str(interview), *options)
    assert (code, "pin_weights.py" in err) == (2, True), err
    assert err.index("WARNING: the voice gets its reference, and no prompt") < err.index("decoding")
    known = voices.find("ann")
    assert known.file is not None
    assert (known.file.ref is not None, known.ready) == (True, False)
    # What is wrong with a reference is told before what is missing for a prompt of it.
    code, _, err = run("voice-clone", "synth", "--ref-audio", str(two_people), "--text", TEXT)
    assert (code, "[error] reference_two_speakers" in err) == (1, True), err
    code, out, err = run("voice-clone", "self-test")
    assert (code, "weights_unavailable" in err, out, (tmp_path / "cache/voice-clone/prompts").exists()) == (
        2,
        True,
        "",
        False,
    )
    code, out, err = run("voice-clone", "synth", "--ref-audio", str(interview), "--text", TEXT, "--model", "Qwen/none")
    assert (code, "allowlist_rejected" in err, out) == (2, True, "")


def test_a_built_in_voice_is_refused_before_its_recording_is_split(
    run: Run, interview: Path, voices: SpeakingVoices, opened: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert run("voice-synth", "register-builtin", "--voice-name", "desk", "--speaker", "Ryan")[0] == 0
    for command in (
        ("voice-split", "--audio", str(interview), "--voice-name", "desk"),
        ("voice-register", "--audio", str(interview), "--voice-name", "desk", "--text", TEXT),
        ("voice-clone", "prepare-ref", "--ref-audio", str(interview), "--voice-name", "desk"),
    ):
        code, out, err = run(*command)
        assert (code, "voice_of_another_kind:desk" in err, out) == (1, True, ""), err
    assert not (tmp_path / "work").exists()
    assert not (tmp_path / "cache/splits").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "bad_usage"),
        (("--voice", "nobody"), "voice_not_found:nobody"),
        (("--ref-audio", "a.wav", "--voice", "nobody"), "bad_usage"),
        (("--ref-audio", "none.wav"), "missing_audio_path:none.wav"),
        (("--ref-audio", "none.wav", "--tone", "warm"), "bad_usage"),
        (("--ref-audio", "none.wav", "--ref-text", " "), "bad_usage"),
        (("--ref-audio", "none.wav", "--ref-language", "Elvish"), "unknown_language:Elvish"),
        (
            ("--ref-audio", "none.wav", "--ref-language", "French", "--whisper-model", "tiny.en"),
            "language_not_judged:French",
        ),
        (("--ref-audio", "none.wav", "--ref-language", "French"), "missing_audio_path:none.wav"),
        (("--ref-audio", "none.wav", "--voice-name", "../x"), "invalid_voice_slug"),
        (("--ref-audio", "none.wav", "--whisper-model", "huge"), "unknown_recogniser:huge"),
    ],
)
def test_references_that_cannot_be(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    code, out, err = run("voice-clone", "prepare-ref", *arguments)
    assert (code, f"[error] {reason}" in err, out) == (1, True, ""), err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--text", "..."), "nothing_to_say"),
        (("--text", TEXT, "--language", "Klingon"), "unknown_language:Klingon"),
        (("--text", TEXT, "--max-new-tokens", "0"), "bad_usage"),
        (("--text", TEXT, "--consent", " "), "consent_unreadable"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_a_recording_is_opened(
    run: Run, interview: Path, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    for command in (
        ("voice-register", "--audio", str(interview), "--voice-name", "ann"),
        ("voice-clone", "synth", "--ref-audio", str(interview), "--voice-name", "ann"),
    ):
        code, out, err = run(*command, *arguments)
        assert (code, f"[error] {reason}" in err, out) == (1, True, ""), err
    assert not list(tmp_path.iterdir())


def test_options_of_a_clone_are_refused_before_its_reference_is_taken(run: Run, speech: Path, tmp_path: Path) -> None:
    for arguments, reason in (
        (("--profile", "stabel"), "unknown_profile:stabel"),
        (("--temperature", "9"), "bad_usage"),
        (("--save-profile-default",), "bad_usage"),
    ):
        code, out, err = run("voice-clone", "synth", "--ref-audio", str(speech), "--text", TEXT, *arguments)
        assert (code, f"[error] {reason}" in err, out) == (1, True, ""), err
    assert not list(tmp_path.iterdir())


def test_two_people_are_refused_and_can_be_forced(run: Run, two_people: Path, opened: list[tuple[str, str]]) -> None:
    code, _, err = run("voice-clone", "prepare-ref", "--ref-audio", str(two_people), "--voice-name", "both")
    assert (code, "reference_two_speakers" in err) == (1, True), err
    assert (
        run("voice-clone", "prepare-ref", "--ref-audio", str(two_people), "--voice-name", "both", "--force-bad-ref")[0]
        == 0
    )


def test_capabilities(run: Run, monkeypatch: pytest.MonkeyPatch, opened: list[tuple[str, str]]) -> None:
    code, out, err = run("voice-synth", "capabilities", "--json", "--skip-speaker-probe")
    found = json.loads(out)
    assert code == 0
    assert sorted(found) == [
        "api_compatibility", "available_models", "custom_voice", "default_models", "feature_flags", "generated_at",
        "packages", "runtime", "schema_version",
    ]  # fmt: skip
    assert sorted(found["runtime"]) == [
        "ctranslate2_compute_type", "ctranslate2_device", "cuda_available", "cuda_capability", "cuda_name",
        "dtype_requested", "dtype_resolved", "python_version", "threads", "torch_device", "torch_version",
    ]  # fmt: skip
    assert sorted(found["api_compatibility"]) == [
        "class_name", "compatible", "error", "missing", "package_version", "present", "required_methods",
    ]  # fmt: skip
    assert sorted(found["custom_voice"]) == [
        "enabled", "probe_model", "speaker_count", "speaker_probe_error", "speaker_probe_mode", "speakers",
    ]  # fmt: skip
    assert (found["custom_voice"]["speaker_probe_mode"], found["custom_voice"]["speaker_count"]) == (
        "static_fallback",
        9,
    )
    assert found["packages"]["qwen_tts_version"] == "0.1.1"
    assert "not set up" in err
    code, out, err = run("voice-synth", "capabilities", "--json", "--strict", "--skip-speaker-probe")
    assert (code, json.loads(out)["schema_version"], "capabilities_missing" in err) == (2, 1, True)
    found = json.loads(run("voice-synth", "capabilities", "--json")[1])["custom_voice"]
    assert (found["speaker_probe_mode"], found["speakers"]) == ("runtime", ["Aiden", "Ryan"])
    monkeypatch.setenv("QWEN3_ENABLE_CUSTOMVOICE", "off")
    code, out, err = run("voice-synth", "capabilities", "--json", "--require-runtime-speakers")
    found = json.loads(out)
    assert (found["custom_voice"]["speaker_probe_mode"], found["custom_voice"]["speaker_count"]) == (
        "feature_disabled",
        0,
    )
    assert "custom_voice" not in found["api_compatibility"]["required_methods"]
    assert "turned off" in err
    assert "custom_voice_disabled" in run("voice-synth", "list-speakers")[2]


def test_the_list_of_speakers(run: Run) -> None:
    found = json.loads(run("voice-synth", "list-speakers", "--json")[1])
    assert (found["count"], sorted(found)) == (9, ["count", "model", "speakers"])
    assert {"Ryan", "Vivian", "Uncle_Fu"} <= set(found["speakers"])


def test_pickled_prompts_are_converted(run: Run, voices: SpeakingVoices) -> None:
    examples = sorted((REPOSITORY / "tests/data/cloning").glob("*.pkl"))
    assert examples
    folder = voices.folder("old")
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts/p.pkl").write_bytes(examples[0].read_bytes())
    record = {"slug": "old", "prompts": {"p": "prompts/p.pkl"}, "tones": {}, "engine": "clone_prompt"}
    (folder / "voice.json").write_text(json.dumps(record), "utf-8")
    assert "prompt_is_pickle:p.pkl" in run("voice-synth", "speak", "--voice", "old", "--text", TEXT)[2]
    code, out, err = run("voice-synth", "convert-prompts", "old", "--consent", "Yes.")
    assert (code, '"converted":1' in out) == (0, True), err
    known = voices.find("old").file
    assert known is not None
    assert (known.chosen(), known.rights.consent if known.rights else None) == ("prompts/p.safetensors", "Yes.")
    read_prompt(folder / "prompts/p.safetensors")
    assert (folder / "prompts/p.pkl").is_file()
    (folder / "prompts/p.pkl").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    voices.change("old", lambda file: file.model_copy(update={"prompts": {"p": "prompts/p.pkl"}}))
    other = voices.folder("other")
    (other / "prompts").mkdir(parents=True)
    (other / "prompts/p.pkl").write_bytes(examples[0].read_bytes())
    (other / "voice.json").write_text(json.dumps({**record, "slug": "other"}), "utf-8")
    (voices.cache / "voice-clone/prompts").mkdir(parents=True)
    (voices.cache / "voice-clone/prompts/alone.pkl").write_bytes(examples[0].read_bytes())
    code, out, err = run("voice-synth", "convert-prompts")
    assert (code, "unsafe_archive" in err, Path("owned").exists()) == (2, True, False), err
    assert '"converted":2' in out  # the refused one keeps no other from being converted
    assert voices.find("other").ready
    assert run("voice-synth", "convert-prompts", "other")[0] == 0
