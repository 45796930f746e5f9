"""voice-synth: its commands, their files and their refusals, with engines that need no weights."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import jsonschema
import numpy as np
import pytest
import soundfile

from voicemill import console
from voicemill.errors import UsageError
from voicemill.settings import REPOSITORY
from voicemill_cloning.engines.programs import installed
from voicemill_cloning.registry import SpeakingVoices
from voicemill_cloning.speak_run import align_words
from voicemill_cloning.speaking import SynthesisedTake
from voicemill_cloning.voice_file import CustomVoice, SpeakingVoice, now
from voicemill_marks.credentials import read_credentials
from voicemill_marks.detector import detect_in_file

TAKES_META = [
    "app", "chunked", "created_at", "engine_mode", "generation_kwargs", "generation_profile", "generation_profile_meta",
    "generation_profile_source", "instruct", "instruct_source", "instruct_style", "language", "load_sec", "model",
    "n_chunks", "original_text", "prompt_path", "ref_language", "saved_generation_defaults", "schema_version",
    "selected_take", "selected_wav", "selection_metrics", "selection_policy", "source_type", "speaker", "takes", "text",
    "tone", "total_sec", "variants", "voice_generation_defaults", "voice_id",
]  # fmt: skip
RESULT = {
    "": ["app", "created_at", "files", "model", "request", "run_dir", "schema_version", "selection", "timings"],
    "request": ["engine_mode", "language", "source_type", "speaker", "text_chars", "variants", "voice_id"],
    "selection": ["enabled", "selected_take", "selected_wav"],
    "timings": ["load_sec", "total_sec"],
    "files": ["best", "meta", "takes", "text"],
}
NAMED = [
    "_has_ref", "_prompt_count", "_ready", "created_at", "custom_tones", "description", "display_name", "duration_sec",
    "engine", "generation_defaults", "generation_profile_default", "id", "instruct_default", "kind", "model", "pkl",
    "pkl_exists", "ref_language", "slug", "speaker", "transcript",
]  # fmt: skip
TEXT = "The old bridge was closed for the winter."


@pytest.fixture(scope="module")
def app(load_app: Callable[[str], ModuleType]) -> ModuleType:
    """The app as a module."""
    return load_app("voice-synth")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work and cache folder of the commands."""
    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(app: ModuleType, home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the app; exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = console.run(app.main, list(arguments), program="voice-synth")
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def voices(home: Path) -> SpeakingVoices:
    found = SpeakingVoices(home / "cache", home / "work/bundles")
    found.create(
        _voice("newsroom", CustomVoice(model="m", speaker="Ryan", tones={"warm": "Warmly.", "calm": "Calmly."}))
    )
    found.create(_voice("newsreel", CustomVoice(model="m", speaker="Vivian")))
    return found


def _voice(slug: str, custom: CustomVoice) -> SpeakingVoice:
    return SpeakingVoice(
        slug=slug, display_name=slug, created_at=now(), updated_at=now(), engine="custom_voice", custom_voice=custom
    )


needs_flite = pytest.mark.skipif(not installed("flite"), reason="flite is not installed")


def _only_run(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


@needs_flite
def test_a_take_its_record_and_its_marks(run: Run, home: Path) -> None:
    code, out, _ = run("speak", "--speaker", "flite:slt", "--text", f" {TEXT} ", "--json-result", "r/result.json")
    assert code == 0
    folder = _only_run(home / "work/flite/slt")
    assert sorted(path.name for path in folder.iterdir()) == ["take_01.wav", "takes.meta.json", "text.txt"]
    assert out.count("ARTIFACT ") == 4
    meta = json.loads((folder / "takes.meta.json").read_text("utf-8"))
    assert sorted(meta) == TAKES_META
    assert (meta["text"], meta["original_text"], meta["engine_mode"]) == (TEXT, f" {TEXT} ", "flite")
    (take,) = meta["takes"]
    assert list(take) == sorted(["take", "wav", "seed", "duration_sec", "synth_sec", "rtf"])
    samples, rate = soundfile.read(folder / "take_01.wav")
    assert take["duration_sec"] == pytest.approx(len(samples) / rate, abs=0.001)
    result = json.loads((home / "r/result.json").read_text("utf-8"))
    for name, keys in RESULT.items():
        assert sorted(result[name] if name else result) == keys, name
    assert result["files"]["takes"] == [str(folder / "take_01.wav")]
    assert detect_in_file(folder / "take_01.wav").marked
    claims = repr(read_credentials(folder / "take_01.wav"))
    assert "flite:slt" in claims
    assert "MIT-Festival" in claims


@needs_flite
def test_options_of_a_run(run: Run, home: Path) -> None:
    Path("talk.txt").write_text("Good morning. This is the second sentence, after a pause.\n", "utf-8")
    options = (
        "--chunk",
        "--variants",
        "2",
        "--seed",
        "5",
        "--profile",
        "stable",
        "--top-p",
        "0.5",
        "--out-exact",
        "exact",
    )
    code, _, err = run("speak", "--speaker", "flite:kal", "--text", "unused", "--text-file", "talk.txt", *options)
    assert code == 0
    assert "all takes are alike" in err
    meta = json.loads((home / "exact/takes.meta.json").read_text("utf-8"))
    assert [take["seed"] for take in meta["takes"]] == [5, 6]
    assert (meta["chunked"], meta["n_chunks"] >= 1, meta["variants"]) == (True, True, 2)
    assert meta["generation_kwargs"] == {"temperature": 0.45, "top_p": 0.5, "repetition_penalty": 1.12}
    assert meta["generation_profile_source"] == "explicit"
    assert "second sentence" in meta["text"]
    assert sorted(path.name for path in Path("exact").iterdir())[:2] == ["take_01.wav", "take_02.wav"]
    first, second = (soundfile.read(f"exact/take_0{number}.wav")[0] for number in (1, 2))
    assert np.array_equal(first, second)
    run("speak", "--speaker", "flite:kal", "--text", TEXT, "--out-exact", "exact")
    assert json.loads((home / "exact/takes.meta.json").read_text("utf-8"))["variants"] == 1


@needs_flite
def test_qa_and_words_of_a_take(run: Run, home: Path) -> None:
    code, _, err = run(
        "speak", "--speaker", "flite:rms", "--text", TEXT, "--qa", "--align-words", "--json-result", "r.json",
        "--out-exact", "x",
    )  # fmt: skip
    assert code == 0, err
    (take,) = json.loads(Path("x/takes.meta.json").read_text("utf-8"))["takes"]
    assert sorted(take["qa"]) == ["duration_sec", "intelligibility", "transcript"]
    assert "bridge" in take["qa"]["transcript"].lower()
    assert take["qa"]["intelligibility"] > 0.7
    words = json.loads(Path("r.json").read_text("utf-8"))["alignment"]["words"]
    assert [word["word"] for word in words] == TEXT.lower().rstrip(".").split()
    assert all(one["end"] <= two["start"] + 0.011 for one, two in itertools.pairwise(words))
    assert words[-1]["end"] <= take["duration_sec"]


def test_words_that_are_not_in_a_take() -> None:
    take = SynthesisedTake(1, 0, np.zeros(3200, dtype=np.float32), 16_000, 0.1)
    with pytest.raises(UsageError) as caught:
        align_words(take, "Many more words than fit into so short a take, which has no sound at all.")
    assert caught.value.reason == "words_not_aligned"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--voice", "newsrom", "--text", "a"), 1, "voice_not_found:newsrom"),
        (("--voice", "news", "--text", "a"), 1, "voice_ambiguous:news"),
        (("--voice", "newsroom", "--tone", "wram", "--text", "a"), 1, "unknown_tone:wram"),
        (("--voice", "newsroom", "--text", "..."), 1, "nothing_to_say"),
        (("--voice", "newsroom", "--text", ""), 1, "nothing_to_say"),
        (("--voice", "newsroom"), 1, "bad_usage"),
        (("--text", "a"), 1, "bad_usage"),
        (("--voice", "newsroom", "--speaker", "Ryan", "--text", "a"), 1, "bad_usage"),
        (("--voice", "newsroom", "--text", "a", "--language", "Klingon"), 1, "unknown_language:Klingon"),
        (("--voice", "newsroom", "--text", "a", "--profile", "stabel"), 1, "unknown_profile:stabel"),
        (("--voice", "newsroom", "--text", "a", "--temperature", "0"), 1, "bad_usage"),
        (("--voice", "newsroom", "--text", "a", "--variants", "0"), 1, "bad_usage"),
        (("--voice", "newsroom", "--text", "a", "--instruct-style", "wram"), 1, "unknown_style:wram"),
        (("--voice", "newsroom", "--text", "a", "--instruct-style", "warm", "--instruct", "b"), 1, "bad_usage"),
        (("--voice", "newsroom", "--text-file", "none.txt"), 1, "text_unreadable:none.txt"),
        (("--voice", "p.pkl", "--text", "a"), 1, "prompt_missing:p.pkl"),
        (("--speaker", "Ryan", "--tone", "warm", "--text", "a"), 1, "bad_usage"),
        (("--speaker", "flite:nobody", "--text", "a"), 1, "unknown_speaker:nobody"),
        (("--speaker", "flite:slt", "--text", "a", "--save-profile-default"), 1, "bad_usage"),
        (("--speaker", "Ryna", "--text", "a"), 1, "unknown_speaker:Ryna"),
        (("--speaker", "espeak-ng:klingon", "--text", "a"), 1, "unknown_speaker:klingon"),
        (("--speaker", "flite:slt", "--text", "a", "--json-result", "."), 2, "not_writable:."),
        (("--speaker", "flite:slt", "--text", "a", "--out-exact", "/dev/null"), 2, "not_writable:/dev/null"),
        (("--speaker", "flite:slt", "--text", "a", "--out", "/dev/null/x"), 2, "not_writable:/dev/null"),
        (("--speaker", "flite:slt", "--text", "a", "--cache", "/dev/null/x"), 2, "not_writable:/dev/null"),
        (("--speaker", "flite:slt", "--text", "a", "--instruct", "b"), 1, "instruction_not_taken"),
        (("--speaker", "flite:slt", "--text", "Bonjour", "--language", "fr", "--qa"), 1, "language_not_spoken:French"),
        (
            ("--speaker", "espeak-ng:fr", "--text", "a", "--language", "fr", "--qa", "--whisper-model", "tiny.en"),
            1,
            "language_not_judged:French",
        ),
        (("--speaker", "flite:slt", "--text", "a", "--language", "German"), 1, "language_not_spoken:German"),
        (("--speaker", "flite:slt", "--text", "a", "--qa", "--whisper-model", "huge"), 1, "unknown_recogniser:huge"),
    ],
)
@needs_flite
def test_refusals_leave_nothing(
    run: Run, home: Path, voices: SpeakingVoices, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    found, out, err = run("speak", *arguments)
    assert (found, f" {reason}" in err.replace("]", "] ")) == (code, True), err
    assert out == ""
    assert not (home / "work").exists()


def test_names_that_are_near_are_offered(run: Run, voices: SpeakingVoices) -> None:
    assert "newsroom" in run("speak", "--voice", "newsrom", "--text", "a")[2]
    assert "warm" in run("speak", "--voice", "newsroom", "--tone", "wram", "--text", "a")[2]
    assert "calm" in run("speak", "--voice", "newsroom", "--tone", "tender", "--text", "a")[2]
    for speaker, near in (
        ("Ryna", "Ryan"),
        ("uncle fu", "Uncle_Fu"),
        ("flite:stl", "slt"),
        ("espeak-ng:en-gd", "en-gb"),
    ):
        assert near in run("speak", "--speaker", speaker, "--text", "a")[2]
    assert "German" in run("speak", "--speaker", "Ryan", "--text", "a", "--language", "Germn")[2]
    assert "warm" in run("speak", "--speaker", "Ryan", "--text", "a", "--instruct-style", "wram")[2]
    for command in (
        ("delete-voice", "newsrom", "--yes"),
        ("export-voice", "newsrom"),
        ("rename-voice", "newsrom", "b"),
    ):
        assert "newsroom" in run(*command)[2]
    assert "newsroom" in run("teach", "--voice", "newsrom")[2]


def test_the_switch_of_built_in_speakers(run: Run, voices: SpeakingVoices, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("0", "false", "No", " off ", "disabled"):
        monkeypatch.setenv("QWEN3_ENABLE_CUSTOMVOICE", value)
        for who in (("--voice", "newsroom"), ("--speaker", "Ryan")):
            code, _, err = run("speak", *who, "--text", "a")
            assert (code, "custom_voice_disabled" in err) == (1, True), value


def test_a_voice_without_a_prompt_says_how_to_make_one(run: Run, voices: SpeakingVoices) -> None:
    voices.create(_voice("bare", CustomVoice(model="m", speaker="x")).model_copy(update={"engine": "clone_prompt"}))
    code, _, err = run("speak", "--voice", "bare", "--text", "a")
    assert (code, "voice_not_ready:bare" in err, "prepare-ref --voice bare" in err) == (1, True, True)


def test_pickles_are_never_loaded(run: Run, home: Path) -> None:
    Path("p.pkl").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    code, _, err = run("speak", "--voice", "p.pkl", "--text", "a")
    assert (code, "prompt_is_pickle:p.pkl" in err, Path("owned").exists()) == (1, True, False)


@needs_flite
def test_a_text_that_looks_like_a_direction_is_spoken_with_a_warning(run: Run) -> None:
    code, _, err = run("speak", "--speaker", "flite:slt", "--text", "[whispering] Good morning.", "--out-exact", "x")
    assert (code, "looks like a direction" in err) == (0, True)
    assert "looks like" not in run("speak", "--speaker", "flite:slt", "--text", "Good morning.", "--out-exact", "x")[2]


def test_the_list_of_voices(run: Run, home: Path, voices: SpeakingVoices) -> None:
    (home / "cache/voice-clone/prompts").mkdir(parents=True)
    (home / "cache/voice-clone/prompts/abc_full_v1.pkl").write_bytes(b"x")
    code, out, _ = run("list-voices", "--json")
    found = json.loads(out)
    assert code == 0
    assert sorted(found) == [
        "cache",
        "legacy",
        "legacy_count",
        "legacy_dir",
        "named",
        "named_count",
        "registry_dir",
        "total",
    ]
    assert (found["total"], found["named_count"], found["legacy_count"]) == (3, 2, 1)
    assert all(sorted(entry) == NAMED for entry in (*found["named"], *found["legacy"]))
    by_name = {entry["slug"]: entry for entry in found["named"]}
    assert by_name["newsroom"]["custom_tones"] == ["calm", "warm"]
    assert (by_name["newsroom"]["_ready"], found["legacy"][0]["_ready"]) == (True, False)
    assert "newsreel" in run("list-voices")[2]
    assert json.loads(run("list-voices", "--json", "--cache", "elsewhere")[1])["total"] == 0
    (voices.folder("newsreel") / "voice.json").write_text("{", "utf-8")
    code, out, err = run("list-voices", "--json")
    assert (code, json.loads(out)["named_count"], "voice.json of newsreel is not valid" in err) == (0, 1, True)


def test_managing_voices(run: Run, home: Path, voices: SpeakingVoices) -> None:
    assert run("rename-voice", "newsroom", "Desk")[0] == 0
    assert voices.find("desk").ready
    code, out, _ = run("export-voice", "desk", "--dest", "d/desk.zip")
    assert (code, "ARTIFACT d/desk.zip" in out) == (0, True)
    assert "voice_exists:desk" in run("import-voice", "--zip", "d/desk.zip")[2]
    code, _, err = run("delete-voice", "desk")
    assert (code, "confirmation_needed" in err) == (1, True)
    assert run("delete-voice", "desk", "--yes")[0] == 0
    assert "voice_not_found:desk" in run("delete-voice", "desk", "--yes")[2]
    code, out, _ = run("import-voice", "--zip", "d/desk.zip")
    assert (code, '"ready":true' in out) == (0, True)
    schema = json.loads((REPOSITORY / "configs/voice/schemas/speaking-voice-1.schema.json").read_text("utf-8"))
    document = json.loads((voices.folder("desk") / "voice.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert run("export-voice", "desk")[0] == 0
    assert (home / "work/desk.zip").is_file()


def test_a_profile_is_saved_for_a_voice_before_it_speaks(run: Run, voices: SpeakingVoices) -> None:
    code, _, err = run("speak", "--voice", "newsroom", "--text", "a", "--profile", "stable", "--top-p", "0.5",
                       "--save-profile-default")  # fmt: skip
    assert (code, "allowlist_rejected" in err) == (2, True), err
    saved = voices.find("newsroom").file
    assert saved is not None
    assert saved.generation_defaults is not None
    assert saved.generation_defaults.model_dump(exclude_none=True) == {"profile": "stable", "top_p": 0.5}
