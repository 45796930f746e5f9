"""The apps with the real classes of Qwen3-TTS and tiny random models: prompts, speech, files; never quality."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import soundfile

from voicemill import console
from voicemill_cloning.prompts import read_prompt
from voicemill_cloning.registry import SpeakingVoices
from voicemill_marks.credentials import read_credentials

if TYPE_CHECKING:
    from tests.qwen_models import TinyQwen

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive]
TEXT = "Good morning."
SHORT = ("--max-new-tokens", "12")
WORDS = ("--ref-text", "The invention of movable metal letters.")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tiny_qwen: TinyQwen, load_app: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:  # fmt: skip
    """Runs an app with the tiny models; exit code, stdout and stderr."""
    monkeypatch.setenv("WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("CACHE_DIR", str(tiny_qwen.cache))
    monkeypatch.setenv("PROD_TTS_ALLOWLIST", str(tiny_qwen.allowlist))
    monkeypatch.setenv("VOICEMILL_QWEN_PYTHON", str(tiny_qwen.python))
    monkeypatch.chdir(tmp_path)

    def call(app: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = console.run(load_app(app).main, list(arguments), program=app)
        return code, *capsys.readouterr()

    return call


def _meta(folder: str) -> dict[str, object]:
    found = json.loads((Path(folder) / "takes.meta.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_a_cloned_voice(run: Run, speech: Path, tiny_qwen: TinyQwen, tmp_path: Path) -> None:
    who = ("--ref-audio", str(speech), "--voice-name", "tiny", *WORDS, "--consent", "Yes.")
    code, _, err = run("voice-clone", "synth", *who, "--text", TEXT, *SHORT, "--seed", "1")
    assert code == 0, err
    (sound,) = (tmp_path / "work/tiny").glob("voice_clone_*.wav")
    assert soundfile.info(sound).frames > 0
    found = read_credentials(sound)
    assert found is not None
    assert found.synthetic
    known = SpeakingVoices(tiny_qwen.cache, tmp_path / "work/bundles").find("tiny")
    assert known.file is not None
    prompt = read_prompt(known.folder / (known.file.chosen() or ""))
    assert (prompt.mode, prompt.text) == ("full", WORDS[1])
    code, _, err = run("voice-synth", "speak", "--voice", "tiny", "--text", TEXT, *SHORT, "--variants", "2", "--seed", "3",
                       "--out-exact", "x")  # fmt: skip
    assert code == 0, err
    meta = _meta("x")
    assert (meta["engine_mode"], meta["model"]) == ("clone_prompt", "Qwen/Qwen3-TTS-12Hz-0.6B-Base")
    assert run("voice-synth", "speak", "--voice", "tiny", "--text", TEXT, *SHORT, "--variants", "2", "--seed", "3",
               "--out-exact", "y")[0] == 0  # fmt: skip
    for take in ("take_01.wav", "take_02.wav"):
        first, again = soundfile.read(Path("x") / take)[0], soundfile.read(Path("y") / take)[0]
        assert (first == again).all()
    code, _, err = run("voice-clone", "prepare-ref", "--voice", "tiny", "--x-vector-only", "--tone", "plain")
    assert code == 0, err
    assert (
        run("voice-synth", "speak", "--voice", "tiny", "--tone", "plain", "--text", TEXT, *SHORT, "--out-exact", "z")[0]
        == 0
    )
    assert run("voice-synth", "delete-voice", "tiny", "--yes")[0] == 0


def test_built_in_speakers(run: Run) -> None:
    code, _, err = run("voice-synth", "speak", "--speaker", "Ryan", "--text", TEXT, *SHORT, "--out-exact", "x")
    assert (code, _meta("x")["source_type"]) == (0, "custom_voice_builtin"), err
    code, _, err = run("voice-synth", "speak", "--speaker", "vivian", "--instruct-style", "warm", "--text", TEXT, *SHORT,
                       "--out-exact", "y")  # fmt: skip
    assert (code, _meta("y")["model"]) == (0, "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"), err
    base = ("register-builtin", "--voice-name", "news", "--speaker", "Ryan")
    assert run("voice-synth", *base, "--tone", "slow", "--tone-instruct", "Slowly.")[0] == 0
    code, _, err = run(
        "voice-synth", "speak", "--voice", "news", "--tone", "slow", "--text", TEXT, *SHORT, "--out-exact", "z"
    )
    assert (code, _meta("z")["instruct"]) == (0, "Slowly."), err
    code, _, err = run("voice-synth", "speak", "--speaker", "Nobody", "--text", TEXT, *SHORT)
    assert (code, "unknown_speaker:Nobody" in err) == (1, True)
    found = json.loads(run("voice-synth", "capabilities", "--json")[1])
    assert found["custom_voice"]["speaker_probe_mode"] == "runtime"
    assert (found["api_compatibility"]["compatible"], found["api_compatibility"]["missing"]) == (True, {})


def test_a_designed_voice(run: Run) -> None:
    code, _, err = run("voice-synth", "design-voice", "--instruct", "An old sailor.", "--ref-text",
                       "Good evening, and welcome aboard.", "--voice-name", "sailor")  # fmt: skip
    assert code in (0, 1), err
    if code == 1:  # random weights may speak less than a reference needs
        assert "reference_" in err
    else:
        assert run("voice-synth", "speak", "--voice", "sailor", "--text", TEXT, *SHORT, "--out-exact", "x")[0] == 0
