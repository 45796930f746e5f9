"""`artifacts/prod_tts_eval.json` (file formats, section 6): every figure is measured, or null with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from voicemill import files
from voicemill.errors import BundleError

MOS_NOT_MEASURED = "A mean opinion score needs listeners, or a model trained on listeners' scores: {}"
"""With the reason that the model cannot be used."""
DRY_RUN_NOT_MEASURED = "This was a dry run: nothing was trained and nothing was spoken."

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(_Record):
    """One measured number, or null and the reason."""

    value: Finite | None
    unit: str
    """`ratio`, `dB`, `Hz`, `cents`, `s`, `x real time`, or `distance` for a figure without a unit of its own."""
    method: str
    """The measured quantity and the method, one sentence; docs/evaluation.md gives the source of the formula."""
    library: str
    version: str
    samples: int | None = None
    """Number of sentences that the figure is based on."""
    interval: tuple[Finite, Finite] | None = None
    """95% interval over the choice of sentences, where it was computed."""
    not_measured: str | None = None

    @model_validator(mode="after")
    def _measured_or_why(self) -> Figure:
        if (self.value is None) == (self.not_measured is None):
            raise ValueError("a figure is either measured, or null with the reason in not_measured")
        return self


class VocoderResult(_Record):
    """One vocoder candidate on all held-out sentences."""

    name: str
    description: str
    usable: bool
    """False when a sentence has no finite, audible sound; `problem` names the sentence, and nothing is measured."""
    problem: str | None = None
    figures: dict[str, Figure]


class SpeakerResult(_Record):
    """Distance of the synthesised voice to one speaker."""

    name: str
    own: bool
    distance: Finite


class SentenceResultV1(_Record):
    """One held-out sentence in version 1."""

    id: str
    text: str
    real_seconds: Finite
    heard_real: str
    synthesised_seconds: dict[str, Finite]
    heard_synthesised: dict[str, str]
    character_error_rate_real: Finite
    character_error_rate_synthesised: dict[str, Finite]


class JudgedSound(_Record):
    """What the judges give for one sound; null where a judge is missing."""

    recognised: str | None = None
    """Whisper's text, as it is compared: lower-case words."""
    word_error_rate: Finite | None = None
    similarity: Finite | None = None
    """Cosine to the mean embedding of the speaker's training clips."""
    nearest_person: Finite | None = None
    """The highest cosine to one of the shipped other people."""
    opinion_overall: Finite | None = None
    opinion_p808: Finite | None = None


class SentenceResult(SentenceResultV1):
    """One held-out sentence: the recognised text of the recording and of each vocoder's sound."""

    judged_real: JudgedSound | None = None
    """None: not judged, because there are more sentences than the judges are given."""
    judged_synthesised: dict[str, JudgedSound] = {}


TrialKind = Literal["plain", "long", "clause", "number"]


class TrialResult(_Record):
    """One of the shipped test sentences, which have no recording, spoken by the voice as it ships."""

    kind: TrialKind
    text: str
    """As written, with digits."""
    spoken: str
    """The normalised text, which the voice was given."""
    read_well: bool | None = None
    """Whether it is one of the ways in which a person would read it; None where the text has no digits."""
    heard: str
    seconds: Finite
    character_error_rate: Finite


class LimitResult(_Record):
    """One limit of the preset, and whether its figure keeps it."""

    name: str
    figure: str
    bound: Finite
    value: Finite | None
    """None: the figure could not be measured, which counts as outside."""
    holds: bool


class EvaluationV1(_Record):
    """The whole evaluation of a voice in version 1, which has no judges."""

    eval_version: Literal["prod_tts_eval/1"] = "prod_tts_eval/1"
    status: Literal["ok", "blocked"]
    root_cause: str
    """`none`, or the reason of the failure."""
    source_status: str
    """`status` of the training status that this evaluates."""
    dry_run: bool
    final_loss: Finite | None
    """Copied from the training status; no other figure is derived from it."""
    mos_proxy: Finite | None
    wer_proxy: Finite | None
    """Word error rate of the recogniser on the voice as it ships (chosen vocoder)."""
    not_measured: dict[str, str]
    """Reason of each null among the top-level figures."""
    chosen_vocoder: str | None
    vocoder_choice: str
    """The reason for the choice, with the figures that decided."""
    recogniser: str | None
    recogniser_version: str | None
    figures: dict[str, Figure]
    vocoders: list[VocoderResult]
    speakers: list[SpeakerResult]
    sentences: list[SentenceResultV1]
    trials: list[TrialResult] = []
    limits: list[LimitResult] = []

    @model_validator(mode="after")
    def _nulls_have_reasons(self) -> Self:
        for name in ("mos_proxy", "wer_proxy", "final_loss"):
            if getattr(self, name) is None and not self.not_measured.get(name):
                raise ValueError(f"{name} is null, so not_measured must give the reason")
        return self


class Evaluation(EvaluationV1):
    """The whole evaluation of a voice."""

    eval_version: Literal["prod_tts_eval/2"] = "prod_tts_eval/2"  # type: ignore[assignment]
    sentences: list[SentenceResult]  # type: ignore[assignment]
    judges: dict[str, str] = {}
    """Id on the weights allowlist of each judge that was used: `recogniser`, `speaker`, `opinion`."""
    other_people: list[Finite] = []
    """Cosine of each of the shipped other people to the speaker, from low to high."""

    @property
    def own_speaker_nearest(self) -> bool | None:
        """Whether the voice is nearer to its own speaker than to every other; None where nothing was compared."""
        own = [each.distance for each in self.speakers if each.own]
        others = [each.distance for each in self.speakers if not each.own]
        return own[0] < min(others) if own and others else None


def parse_evaluation(document: object) -> Evaluation:
    """An evaluation of any version.

    Raises:
        ValidationError: it is none.
    """
    if isinstance(document, dict) and document.get("eval_version") == "prod_tts_eval/1":
        document = EvaluationV1.model_validate(document).model_dump() | {"eval_version": "prod_tts_eval/2"}
    return Evaluation.model_validate(document)


def not_evaluated(
    *,
    status: Literal["ok", "blocked"],
    root_cause: str,
    source_status: str,
    why: str,
    final_loss: float | None = None,
    dry_run: bool = False,
) -> Evaluation:
    """An evaluation in which nothing was measured, for a blocked run."""
    missing = {"mos_proxy": why, "wer_proxy": why}
    if final_loss is None:
        missing["final_loss"] = "The training status carries no final loss."
    return Evaluation(
        status=status,
        root_cause=root_cause,
        source_status=source_status,
        dry_run=dry_run,
        final_loss=final_loss,
        mos_proxy=None,
        wer_proxy=None,
        not_measured=missing,
        chosen_vocoder=None,
        vocoder_choice=why,
        recogniser=None,
        recogniser_version=None,
        figures={},
        vocoders=[],
        speakers=[],
        sentences=[],
    )


def dry_run_evaluation(*, source_status: str, final_loss: float | None = 0.0) -> Evaluation:
    """The evaluation of a dry run: the contract's fields, nothing measured, the same bytes each time."""
    return not_evaluated(
        status="ok",
        root_cause="none",
        source_status=source_status,
        why=DRY_RUN_NOT_MEASURED,
        final_loss=final_loss,
        dry_run=True,
    )


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write the evaluation atomically in the contract's JSON form."""
    files.write_json(path, evaluation.model_dump(mode="json"))


def read_evaluation(path: Path) -> Evaluation:
    """Read and validate an evaluation.

    Raises:
        BundleError: it is missing or invalid (`missing_evaluation`, `evaluation_invalid`).
    """
    try:
        return parse_evaluation(files.read_json(path))
    except FileNotFoundError as error:
        raise BundleError(
            f"There is no evaluation at {path}.",
            reason=f"missing_evaluation:{path}",
            hint="Run the evaluation step first.",
        ) from error
    except (files.InvalidJsonError, ValidationError, OSError) as error:
        first = str(error).splitlines()[0]
        raise BundleError(
            f"The evaluation {path} cannot be used: {first}.",
            reason=f"evaluation_invalid:{path}",
            hint="Run the evaluation step again.",
        ) from error
