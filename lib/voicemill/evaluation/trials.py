"""Test sentences without a recording: plain sentences, long sentences, and sentences with numbers and dates.

A long sentence is spoken at once and again clause by clause. If the attention or the durations of a voice fail on long
input, it is misrecognised, too fast or too slow in the first case only, so the comparison needs no recording. The
figures are our own, after the unaligned duration ratio and the word deletion rate with which Shen et al.,
"Non-Attentive Tacotron", 2020, detect over- and under-generation.

A sentence with numbers goes through the same normaliser as in `say`. Its correct readings are stored beside it, so a
wrong reading counts as an error however well it is spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicemill import files
from voicemill.errors import ConfigError, DependencyError
from voicemill.evaluation.candidates import (
    Candidate,
    CandidateRun,
    Samples,
    SentenceProgress,
    speed_figures,
    synthesise,
)
from voicemill.evaluation.figures import figures_of, missing_figures
from voicemill.evaluation.model import Figure, TrialKind, TrialResult
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.metrics.catalogue import metrics_of
from voicemill.metrics.error_rate import spoken_words
from voicemill.metrics.inputs import LongSentences, NumberSentences, RecognisedSentences, SynthesisTime

if TYPE_CHECKING:
    from voicemill.metrics.figure_limits import EvaluationSettings

SHIPPED = Path("data/base/test_sentences.json")
NOT_ASKED = "The preset leaves this test out."


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NumberSentence(_Record):
    """The written text and its accepted readings, the usual one first."""

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
    """The normalised text, which the voice is given."""
    expected: str
    """The text that a listener should hear."""
    read_well: bool | None = None


@dataclass(frozen=True)
class Trials:
    """Sentences to be spoken, and the reasons for those that are not."""

    trials: tuple[Trial, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Figure -> why it will not be measured."""


@dataclass(frozen=True)
class TrialOutcome:
    """Figures of the trials, recognised texts, and sounds."""

    figures: dict[str, Figure]
    results: list[TrialResult]
    sounds: list[Samples]
    problem: str | None = None
    """The first sentence without usable sound, if there is one."""


def shipped_sentences(repository: Path) -> SentenceFile:
    """The shipped file.

    Raises:
        ConfigError: it is missing or invalid (`test_sentences_invalid`).
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
    """Select the sentences to be spoken.

    Args:
        sentences: the file.
        settings: tests that the preset asks for.
        normalise: written text -> spoken form, see `text.normalise`.
        plain: include the plain sentences, for a voice without recordings.
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
        left_out |= dict.fromkeys(_names({"long"}), NOT_ASKED)
    if settings.numbers:
        try:
            found += [_number(index, each, normalise) for index, each in enumerate(sentences.numbers)]
        except DependencyError as error:
            left_out |= dict.fromkeys(_names({"number"}), str(error))
    else:
        left_out |= dict.fromkeys(_names({"number"}), NOT_ASKED)
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
    planned: Trials, candidate: Candidate, sample_rate: int, pool: RecogniserPool, progress: SentenceProgress
) -> TrialOutcome:
    """Synthesise the planned sentences, recognise and measure them.

    A sentence that gives no usable sound leaves all these figures unmeasured; the outcome names it.
    """
    figures: dict[str, Figure] = {}
    for name, why in planned.left_out.items():
        figures |= missing_figures([name], why)
    trials = planned.trials
    if not trials:
        return TrialOutcome(figures, [], [])
    run = synthesise(candidate, trials, sample_rate, progress)
    if run.problem is not None:
        figures |= missing_figures(_names({trial.kind for trial in trials}), f"The {run.problem}.")
        return TrialOutcome(figures, [], [], run.problem)
    note = f"recognising with {pool.recogniser.name}"
    texts = pool.transcribe(run.sounds, sample_rate, lambda: progress.step(note))
    errors = RecognisedSentences.compare([trial.expected for trial in trials], texts)
    for kind in dict.fromkeys(trial.kind for trial in trials):
        figures |= _figures(kind, trials, run, errors)
    if any(trial.kind == "plain" for trial in trials):
        figures |= speed_figures(run, sample_rate)
    results = [
        TrialResult(
            kind=trial.kind,
            text=trial.written,
            spoken=trial.text,
            read_well=trial.read_well,
            heard=texts[index],
            seconds=round(len(run.sounds[index]) / sample_rate, 3),
            character_error_rate=round(errors.characters[index].rate, 6),
        )
        for index, trial in enumerate(trials)
    ]
    return TrialOutcome(figures, results, run.sounds)


def _names(kinds: Set[str]) -> list[str]:
    """Figures that sentences of these kinds carry."""
    inputs = {"plain": (RecognisedSentences, SynthesisTime), "long": (LongSentences,), "number": (NumberSentences,)}
    return [metric.name for kind, needed in inputs.items() if kind in kinds for metric in metrics_of(*needed)]


def _figures(
    kind: TrialKind, trials: Sequence[Trial], run: CandidateRun, errors: RecognisedSentences
) -> dict[str, Figure]:
    """Figures of the trials of one kind; the clauses belong to the long sentences."""

    def of(wanted: TrialKind) -> tuple[RecognisedSentences, int]:
        chosen = [index for index, trial in enumerate(trials) if trial.kind == wanted]
        recognised = RecognisedSentences(
            [errors.characters[index] for index in chosen], [errors.words[index] for index in chosen]
        )
        return recognised, sum(len(run.sounds[index]) for index in chosen)

    recognised, samples = of(kind)
    if kind == "plain":
        return figures_of(recognised, subject="shipped plain sentences, synthesised")
    if kind == "long":
        clauses, clause_samples = of("clause")
        return figures_of(LongSentences(recognised.characters, clauses.characters, samples, clause_samples))
    if kind == "number":
        return figures_of(NumberSentences(recognised, [bool(each.read_well) for each in trials if each.kind == kind]))
    return {}
