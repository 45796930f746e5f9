"""Commands, options and defaults of the earlier toolbox: each is taken here, so that its users' scripts run."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import click
import pytest

ENGINE = "--model --threads --dtype --cache"
SOURCE = "--url --audio --start --end --clips --length --cookies --max-scan-seconds --interactive -i --voice-name --out --cache"
GENERATION = "--profile --save-profile-default --temperature --top-p --repetition-penalty --max-new-tokens"
CLONING = f"{ENGINE} --whisper-model --ref-language --language --x-vector-only --seed --force --interactive -i"
REFERENCE = "--ref-audio --voice --voice-name --ref-text --ref-start --ref-end --force-bad-ref"
OPTIONS = {
    "voice-split": f"{SOURCE} --window-len --candidates --seed",
    "voice-register": f"{SOURCE} {ENGINE} --text --language --tone --ref-text --ref-language --whisper-model --seed --timeout "
    "--max-new-tokens --force-bad-ref --force --skip-synth",
    "voice-clone synth": f"{CLONING} {REFERENCE} {GENERATION} --text --text-file --tone --prompt-prefix --prompt-suffix "
    "--variants --select-best --timeout --out",
    "voice-clone prepare-ref": f"{CLONING} {REFERENCE}",
    "voice-clone self-test": f"{CLONING} --out",
    "voice-synth list-voices": "--cache --json",
    "voice-synth list-speakers": f"{ENGINE} --json",
    "voice-synth capabilities": f"{ENGINE} --skip-speaker-probe --require-runtime-speakers --strict --json",
    "voice-synth register-builtin": f"{ENGINE} --voice-name --speaker --instruct-default --instruct-default-style --tone "
    "--tone-instruct --tone-instruct-style --language-default --display-name --description",
    "voice-synth speak": f"{ENGINE} {GENERATION} --voice --speaker --instruct --instruct-style --text --text-file --tone "
    "--variants --select-best --chunk --qa --align-words --out --out-exact --json-result --whisper-model --language --seed",
    "voice-synth design-voice": f"{ENGINE} --instruct --instruct-style --ref-text --design-model --clone-model --out "
    "--voice-name --language --seed --force",
    "voice-synth rename-voice": "--cache",
    "voice-synth delete-voice": "--yes --cache",
    "voice-synth export-voice": "--dest --out --cache",
    "voice-synth import-voice": "--zip --force --cache",
}
DEFAULTS = {
    "voice-split": {"clips": 10, "length": 30.0},
    "voice-register": {"clips": 3, "length": 30.0, "language": "Auto", "ref_language": "Auto", "dtype": "auto"},
    "voice-clone synth": {"variants": 1, "select_best": False, "language": "Auto", "x_vector_only": False},
    "voice-synth register-builtin": {"language_default": "English"},
    "voice-synth speak": {"variants": 1, "chunk": False, "qa": False, "language": "Auto", "dtype": "auto"},
}
ARGUMENTS = {"rename-voice": ["old", "new"], "delete-voice": ["voice"], "export-voice": ["voice"]}


def command(load_app: Callable[[str], ModuleType], name: str) -> click.Command:
    app, _, sub = name.partition(" ")
    group = load_app(app).main
    assert isinstance(group, click.Group)
    return group.commands[sub or app.removeprefix("voice-")]


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_taken(load_app: Callable[[str], ModuleType], name: str) -> None:
    found = command(load_app, name)
    taken = {each for parameter in found.params for each in parameter.opts if each.startswith("-")}
    assert set(OPTIONS[name].split()) - taken == set()
    context = click.Context(found)
    defaults = {parameter.name: parameter.get_default(context) for parameter in found.params}
    for option, value in DEFAULTS.get(name, {}).items():
        assert (defaults[option] or None) == (value or None), option
    arguments = [each.name for each in found.params if isinstance(each, click.Argument)]
    assert arguments == ARGUMENTS.get(name.partition(" ")[2], [])


def test_every_style_is_there() -> None:
    from voicemill.settings import REPOSITORY
    from voicemill_cloning.styles import SHIPPED, load_styles

    names = (
        "serious_doc nature_doc excited energetic punchy warm conversational sad melancholic whisper hushed calm formal"
    )
    assert set(load_styles(REPOSITORY / SHIPPED)) >= {*names.split(), "audiobook"}


def test_the_profiles_have_the_earlier_numbers() -> None:
    from voicemill_cloning.generation import DEFAULT, PROFILES

    numbers = {
        name: (each.temperature, each.top_p, each.repetition_penalty, each.token_factor)
        for name, each in PROFILES.items()
    }
    assert numbers == {
        "stable": (0.45, 0.78, 1.12, 0.90),
        "balanced": (0.70, 0.90, 1.05, 1.00),
        "expressive": (0.92, 0.96, 1.00, 1.20),
    }
    assert DEFAULT == "balanced"
