"""How a generation is steered: a profile, then the voice's own defaults, then the options of the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voicemill.errors import UsageError
from voicemill_cloning.engines.engine import SamplingOptions
from voicemill_cloning.styles import unknown
from voicemill_cloning.voice_file import GenerationDefaults


@dataclass(frozen=True)
class GenerationProfile:
    """Options under a name; `token_factor` multiplies the budget of tokens."""

    temperature: float
    top_p: float
    repetition_penalty: float
    token_factor: float


PROFILES = {
    "stable": GenerationProfile(0.45, 0.78, 1.12, 0.90),
    "balanced": GenerationProfile(0.70, 0.90, 1.05, 1.00),
    "expressive": GenerationProfile(0.92, 0.96, 1.00, 1.20),
}
DEFAULT = "balanced"


@dataclass(frozen=True)
class GenerationOptions:
    """What the command line says; None leaves the decision to the voice and the profile."""

    profile: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int | None = None


@dataclass(frozen=True)
class Generation:
    """The decision.

    Attributes:
        profile: its name; `source` is `explicit`, `voice_default` or `default`.
        token_factor: multiplies the budget of tokens.
        meta: where each value comes from, for `takes.meta.json`.
    """

    profile: str
    source: str
    sampling: SamplingOptions
    token_factor: float
    meta: dict[str, Any]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The sampling options that have a value."""
        values = {
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "repetition_penalty": self.sampling.repetition_penalty,
            "max_new_tokens": self.sampling.max_new_tokens,
        }
        return {name: value for name, value in values.items() if value is not None}


def resolve(options: GenerationOptions, defaults: GenerationDefaults) -> Generation:
    """The options of one generation.

    Args:
        options: of the command line.
        defaults: of the voice.

    Raises:
        UsageError: `unknown_profile:<name>`; a value outside its range.
    """
    if options.profile is not None and options.profile not in PROFILES:
        raise unknown("profile", options.profile, PROFILES, reason=f"unknown_profile:{options.profile[:60]}")
    name = options.profile or defaults.profile or DEFAULT
    source = "explicit" if options.profile else "voice_default" if defaults.profile else "default"
    chosen = PROFILES[name]
    values: dict[str, float] = {}
    sources: dict[str, str] = {}
    for field, low, high in (("temperature", 0.01, 2.0), ("top_p", 0.01, 1.0), ("repetition_penalty", 0.5, 2.0)):
        given, own = getattr(options, field), getattr(defaults, field)
        value = given if given is not None else own if own is not None else getattr(chosen, field)
        if not low <= value <= high:
            raise UsageError(f"{field} must lie between {low:g} and {high:g}, not {value:g}.")
        values[field] = value
        sources[field] = "option" if given is not None else "voice" if own is not None else "profile"
    factor = chosen.token_factor
    if isinstance(defaults.max_new_tokens_policy, int | float):
        factor = float(defaults.max_new_tokens_policy)
    sampling = SamplingOptions(
        temperature=values["temperature"],
        top_p=values["top_p"],
        repetition_penalty=values["repetition_penalty"],
        max_new_tokens=options.max_new_tokens,
    )
    meta = {"profile": name, "source": source, "values": sources, "token_factor": factor}
    return Generation(name, source, sampling, factor, meta)


def as_defaults(generation: Generation) -> GenerationDefaults:
    """The profile and the values that differ from it, to be saved as a voice's defaults."""
    chosen = PROFILES[generation.profile]
    values = {
        name: value
        for name in ("temperature", "top_p", "repetition_penalty")
        if (value := getattr(generation.sampling, name)) != getattr(chosen, name)
    }
    return GenerationDefaults.model_validate({"profile": generation.profile, **values})
