from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from voicemill.launch import paths
from voicemill.launch.paths import Access
from voicemill.text import captions, transcripts

APPS = ("voice-prep", "voice-train-prod", "voice-bundle", "voice-verify", "voice-serve", "voice-split", "voice-synth", "voice-clone",
        "voice-register")
DECLARED = """
import importlib.util, json, pathlib, sys
import click
found = []
for app in sys.argv[1:]:
    path = pathlib.Path("apps", app, f"{app}.py")
    spec = importlib.util.spec_from_file_location(app.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, command in module.main.commands.items():
        default = getattr(module.main, "_default", None) is command
        found.append([app, name, "-", "default" if default else "command"])
        position = 0
        for parameter in command.params:
            argument = isinstance(parameter, click.Argument)
            position += argument
            names = [str(position)] if argument else [*parameter.opts, *parameter.secondary_opts]
            words = (parameter.metavar or "").replace(".", "|").split("|")
            if not argument and parameter.is_flag:
                kind = "flag"
            elif getattr(parameter, "_flag_needs_value", False):
                kind = "optional"
            elif isinstance(parameter.type, click.Path) or {"FILE", "DIR", "BUNDLE"} & set(words):
                kind = "path"
            else:
                kind = "value"
            found += [[app, name, each, kind] for each in names]
print(json.dumps(found))
"""
TEXT_OPTIONS_WITH_PATHS = {"--audio"}
"""A recording, a folder or a web address: declared as text."""


@pytest.fixture(scope="module")
def declared(repository: Path) -> dict[tuple[str, str, str], str]:
    """What each command of each app declares to click, by app, command and name."""
    done = subprocess.run(
        [sys.executable, "-c", DECLARED, *APPS], cwd=repository, capture_output=True, text=True, check=True, timeout=120
    )
    return {(app, command, name): kind for app, command, name, kind in json.loads(done.stdout)}


def test_the_table_has_every_flag_and_path_of_every_command_and_nothing_else(
    declared: dict[tuple[str, str, str], str],
) -> None:
    expected = {
        key: "path" if key[2] in TEXT_OPTIONS_WITH_PATHS else kind
        for key, kind in declared.items()
        if kind not in ("value", "command") or key[2] in TEXT_OPTIONS_WITH_PATHS
    }
    kinds = {"read": "path", "write": "path"}
    table = {
        (rule.app, rule.command, rule.name): kinds.get(rule.use, rule.use)
        for rule in paths.rules()
        if rule.app in APPS and rule.name != "." and rule.use != "serve"
    }
    assert table == expected
    commands = {key[:2] for key in declared}
    assert {(rule.app, rule.command) for rule in paths.rules() if rule.app in APPS} <= commands
    for rule in paths.rules():
        if rule.name == ".":
            assert declared[rule.app, rule.command, rule.scope] == "path"


def test_every_app_is_in_the_table(repository: Path) -> None:
    assert {path.name for path in (repository / "apps").iterdir() if path.is_dir()} == set(APPS)


def test_the_companions_of_a_recording_are_the_transcripts_that_the_preparation_reads() -> None:
    suffixes = {rule.name for rule in paths.rules() if rule.app == "companion" and rule.scope == "recording"}
    assert suffixes == {*transcripts.SIDECAR_SUFFIXES, *captions.SUFFIXES}


@pytest.mark.parametrize(
    ("app", "arguments", "expected"),
    [
        ("voice-prep", ["--audio", "a.wav", "--force", "--lexicon=x"], [("a.wav", "read"), ("x", "read")]),
        ("voice-prep", ["prepare", "--ray", "--audio", "a.wav"], [("a.wav", "read")]),
        ("voice-prep", ["--ray", "here:1", "--audio", "a.wav"], [("a.wav", "read")]),
        ("voice-prep", ["export", "ann"], [(".", "write")]),
        ("voice-prep", ["export", "ann", "--output", "x/a.zip"], [("x/a.zip", "write")]),
        ("voice-prep", ["review", "work/datasets/ann"], [("work/datasets/ann", "write")]),
        ("voice-prep", ["list", "--json"], []),
        ("voice-train-prod", ["say", "--text", "a.wav", "--out", "x.wav"], [("x.wav", "write")]),
        ("voice-train-prod", [], []),
        ("voice-bundle", ["export", "b", "a.tar"], [("b", "read"), ("a.tar", "write")]),
        ("voice-verify", ["bundle", "--json", "b"], [("b", "read")]),
        ("voice-verify", ["--help"], []),
        ("voice-prep", ["--audio"], []),
        ("voice-synth", ["speak", "--voice", "anna", "--text", "a"], []),
        ("voice-synth", ["speak", "--voice=p/x.safetensors", "--text", "a"], [("p/x.safetensors", "read")]),
        ("voice-synth", ["teach", "--voice", "p/x.pkl"], [("p/x.pkl", "read")]),
    ],
)
def test_the_paths_of_an_invocation(app: str, arguments: list[str], expected: list[tuple[str, str]]) -> None:
    assert [(str(access.path), access.use) for access in paths.accesses(app, arguments)] == expected


def test_a_script_tells_the_paths_with_the_standard_library_only(repository: Path, tmp_path: Path) -> None:
    for name in ("take.wav", "take.srt", "take.TextGrid", "other.srt"):
        (tmp_path / name).touch()
    script = repository / "lib/voicemill/launch/paths.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), "voice-prep", "--audio", "take.wav"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["read\ttake.wav", "read\ttake.srt", "read\ttake.TextGrid"]


def test_starting_the_script_imports_nothing_heavy(repository: Path) -> None:
    """It starts in well under 0.15 s because it imports neither the package nor argparse."""
    script = repository / "lib/voicemill/launch/paths.py"
    code = f"import runpy, sys; sys.argv = ['paths.py', 'voice-prep']; runpy.run_path({str(script)!r}); print(len(sys.modules), [n for n in sys.modules if n in ('argparse', 'subprocess') or n.startswith('voicemill')])"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[1] == "[]\n"


def test_the_companions_of_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "voice_bundle").mkdir()
    for name in ("certificate.json", "voice_bundle.sig", "voice_bundle.cdx.json", "notes.txt"):
        (tmp_path / name).touch()
    found = paths.companions(tmp_path / "voice_bundle", "bundle")
    assert [path.name for path in found] == ["certificate.json", "voice_bundle.cdx.json", "voice_bundle.sig"]


def test_variables_that_name_paths() -> None:
    assert paths.environment("read")["AUDIO_PATH"] == "recording"
    assert paths.environment("write")["PROMOTED_BUNDLE_ROOT"] == "folder"
    assert paths.accesses("voice-prep", ["--audio", "a"]) == [Access(Path("a"), "read", "recording")]
