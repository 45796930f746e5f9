"""Test sentences without a recording: plain ones, long ones, and ones with numbers and dates.

A long sentence is spoken at once and again clause by clause; a voice whose attention or durations fall apart on length
is misheard, or hurries, or drawls, in the first and not in the second. That comparison needs no recording. The figures
are our own, after the unaligned duration ratio and the word deletion rate by which Shen et al., "Non-Attentive
Tacotron", 2020, find over- and under-generation.

A sentence with numbers goes through the normaliser as `say` uses it; what it should read as is written down beside it,
so a wrong reading counts as misheard, whatever the voice does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import ConfigError, DependencyError
from voicemill.evaluation.candidates import Candidate, Progress, Samples, Spoken, speak, speed_figures
from voicemill.evaluation.figures import error_figure, figure, missing
from voicemill.evaluation.listening import listen
from voicemill.evaluation.model import Figure, TrialKind, TrialResult
from voicemill.metrics.error_rate import ErrorRate, character_errors, pooled, spoken_words, word_errors

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser
    from voicemill.metrics.limits import EvaluationSettings

SHIPPED = Path("data/base/test_sentences.json")
LONG = ("long_cer", "long_cer_excess", "long_duration_ratio")
NUMBER = ("number_cer", "number_wer", "number_reading")
NOT_ASKED = "The preset leaves this test out."


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberSentence(_Record):
    """As written, and the ways in which a person would read it, the usual one first."""

    written: str
    read: tuple[str, ...] = Field(min_length=1)


class SentenceFile(_Record):
    """The file of test sentences."""

    version: Literal["voicemill_test_sentences/1"] = "voicemill_test_sentences/1"
    plain: tuple[str, ...] = Field(min_length=1)
    long: tuple[tuple[str, ...], ...] = Field(min_length=1)
    """Clauses of each long sentence; they are joined by commas."""
    numbers: tuple[NumberSentence, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Trial:
    """One sentence to be spoken without a recording of it."""

    id: str
    kind: TrialKind
    written: str
    text: str
    """Normalised: what the voice is given."""
    expected: str
    """What a listener should hear."""
    read_well: bool | None = None


@dataclass(frozen=True)
class Trials:
    """What is to be spoken, and why the rest is not."""

    trials: tuple[Trial, ...]
    left_out: dict[str, str]
    """Figure -> why it will not be measured."""


@dataclass(frozen=True)
class TrialOutcome:
    """Figures of the trials, what was heard, and the sounds."""

    figures: dict[str, Figure]
    results: list[TrialResult]
    sounds: list[Samples]
    problem: str | None = None
    """Which sentence gave no usable sound, if one did."""


def shipped_sentences(repository: Path) -> SentenceFile:
    """The shipped file.

    Raises:
        ConfigError: it is missing or not what it should be (`test_sentences_invalid`).
    """
    path = repository / SHIPPED
    try:
        return SentenceFile.model_validate(files.read_json(path))
    except (OSError, files.InvalidJsonError, ValidationError) as error:
        raise ConfigError(
            f"The test sentences {SHIPPED} cannot be read: {str(error).splitlines()[0]}.",
            reason="test_sentences_invalid",
            hint="Restore the file from the repository.",
        ) from error


def plan(
    sentences: SentenceFile, settings: EvaluationSettings, normalise: Callable[[str], str], *, plain: bool
) -> Trials:
    """Which sentences are spoken.

    Args:
        sentences: the file.
        settings: which tests the preset asks for.
        normalise: written text -> spoken form, see `text.normalise`.
        plain: speak the plain sentences too, for a voice that no recording is at hand of.
    """
    found: list[Trial] = []
    left_out: dict[str, str] = {}
    if plain:
        found += [_trial("plain", index, text) for index, text in enumerate(sentences.plain)]
    if settings.long_sentences:
        found += [_trial("long", index, f"{', '.join(each)}.") for index, each in enumerate(sentences.long)]
        clauses = [clause for each in sentences.long for clause in each]
        found += [_trial("clause", index, f"{text[0].upper()}{text[1:]}.") for index, text in enumerate(clauses)]
    else:
        left_out |= dict.fromkeys(LONG, NOT_ASKED)
    if settings.numbers:
        try:
            found += [_number(index, each, normalise) for index, each in enumerate(sentences.numbers)]
        except DependencyError as error:
            left_out |= dict.fromkeys(NUMBER, str(error))
    else:
        left_out |= dict.fromkeys(NUMBER, NOT_ASKED)
    return Trials(tuple(found), left_out)


def _trial(kind: TrialKind, index: int, text: str) -> Trial:
    return Trial(id=f"{kind}-{index + 1}", kind=kind, written=text, text=text, expected=text)


def _number(index: int, sentence: NumberSentence, normalise: Callable[[str], str]) -> Trial:
    text = normalise(sentence.written)
    accepted = [each for each in sentence.read if spoken_words(each) == spoken_words(text)]
    return Trial(
        id=f"number-{index + 1}",
        kind="number",
        written=sentence.written,
        text=text,
        expected=(accepted or sentence.read)[0],
        read_well=bool(accepted),
    )


def run_trials(
    planned: Trials, candidate: Candidate, recogniser: Recogniser, sample_rate: int, workers: int, work: Progress
) -> TrialOutcome:
    """Speak the planned sentences, have them written down, and measure.

    A sentence that gives no usable sound leaves all these figures unmeasured and is named: that is the outcome.
    """
    figures = {name: missing(name, why) for name, why in planned.left_out.items()}
    trials = planned.trials
    if not trials:
        return TrialOutcome(figures, [], [])
    spoken = speak(candidate, trials, sample_rate, work)
    if spoken.problem is not None:
        kinds = _kinds(trials)
        figures |= {name: missing(name, f"The {spoken.problem}.") for name in kinds}
        return TrialOutcome(figures, [], [], spoken.problem)
    heard = listen(
        recogniser,
        spoken.sounds,
        sample_rate,
        workers=workers,
        heard_one=lambda: work.step(f"listening with {recogniser.name}"),
    )
    expected = [trial.expected for trial in trials]
    characters, words = character_errors(expected, heard), word_errors(expected, heard)
    figures |= _measured(trials, spoken, characters, words)
    if any(trial.kind == "plain" for trial in trials):
        figures |= speed_figures(spoken, sample_rate)
    results = [
        TrialResult(
            kind=trial.kind,
            text=trial.written,
            spoken=trial.text,
            read_well=trial.read_well,
            heard=heard[index],
            seconds=round(len(spoken.sounds[index]) / sample_rate, 3),
            character_error_rate=round(characters[index].rate, 6),
        )
        for index, trial in enumerate(trials)
    ]
    return TrialOutcome(figures, results, spoken.sounds)


def _kinds(trials: Sequence[Trial]) -> list[str]:
    kinds = {trial.kind for trial in trials}
    named = {"plain": ("cer", "wer", "speed", "real_time_factor"), "long": LONG, "number": NUMBER}
    return [name for kind, names in named.items() if kind in kinds for name in names]


def _measured(
    trials: Sequence[Trial], spoken: Spoken, characters: Sequence[ErrorRate], words: Sequence[ErrorRate]
) -> dict[str, Figure]:
    def of(kind: TrialKind, values: Sequence[ErrorRate]) -> list[ErrorRate]:
        return [value for trial, value in zip(trials, values, strict=True) if trial.kind == kind]

    def length(kind: TrialKind) -> int:
        return sum(len(sound) for trial, sound in zip(trials, spoken.sounds, strict=True) if trial.kind == kind)

    figures: dict[str, Figure] = {}
    plain, long, numbers = of("plain", characters), of("long", characters), of("number", characters)
    if plain:
        detail = ", shipped plain sentences, synthesised"
        figures["cer"] = error_figure("cer", plain, detail=detail)
        figures["wer"] = error_figure("wer", of("plain", words), detail=detail)
    if long:
        excess = pooled(long).rate - pooled(of("clause", characters)).rate
        figures["long_cer"] = error_figure("long_cer", long)
        figures["long_cer_excess"] = figure("long_cer_excess", excess, samples=len(long))
        figures["long_duration_ratio"] = figure(
            "long_duration_ratio", length("long") / length("clause"), samples=len(long)
        )
    if numbers:
        read = [trial.read_well for trial in trials if trial.kind == "number"]
        figures["number_cer"] = error_figure("number_cer", numbers)
        figures["number_wer"] = error_figure("number_wer", of("number", words))
        figures["number_reading"] = figure("number_reading", sum(map(bool, read)) / len(read), samples=len(read))
    return figures
