"""Speak the held-out sentences, let a recogniser write them down, compare sound with sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemill.audio.embedding import NO_MODEL, SpeakerModel
from voicemill.errors import NotMeasurableError, UsageError
from voicemill.evaluation.candidates import (
    Candidate,
    HeardErrors,
    Progress,
    Reference,
    Samples,
    Spoken,
    hear,
    measure,
    pitch_range_of,
    result_of,
    speak,
)
from voicemill.evaluation.figures import error_figure, figure, measured, missing
from voicemill.evaluation.model import (
    MOS_NOT_MEASURED,
    Evaluation,
    Figure,
    SentenceResult,
    SpeakerResult,
    VocoderResult,
)
from voicemill.evaluation.neural_metrics import speaker_similarity
from voicemill.evaluation.trials import TrialOutcome, Trials, run_trials
from voicemill.evaluation.vocoder import Choice, choose_vocoder
from voicemill.metrics.speaker import SpeakerProfile, speaker_distance, speaker_profile
from voicemill.progress import Observer, SilentObserver

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

OWN_SPEAKER = "own"
NO_TRIALS = Trials((), {})


@dataclass(frozen=True)
class VoiceEvaluation:
    """The figures, and the sound that they were measured on (for the report)."""

    evaluation: Evaluation
    spoken: Mapping[str, Mapping[str, Samples]]
    """Vocoder -> sentence id -> samples; usable candidates only."""
    trials: Sequence[Samples] = ()
    """Sounds of `evaluation.trials`, in order; of the chosen vocoder."""


def evaluate_voice(
    candidates: Sequence[Candidate],
    references: Sequence[Reference],
    recogniser: Recogniser,
    *,
    sample_rate: int,
    source_status: str,
    final_loss: float | None = None,
    own: Sequence[Samples] = (),
    others: Mapping[str, SpeakerProfile] | None = None,
    embedding: SpeakerModel | str = NO_MODEL,
    trials: Trials = NO_TRIALS,
    workers: int = 1,
    observer: Observer | None = None,
) -> VoiceEvaluation:
    """Measure a trained voice on sentences that it was not trained on, and choose the vocoder it ships with.

    Args:
        candidates: the voice with each vocoder in question; the first wins where no measurement decides.
        references: held-out sentences with their recordings.
        recogniser: writes down what it hears; the same for recordings and synthesised sound.
        sample_rate: of every sound in and out, Hz.
        source_status: `status` of the training status.
        final_loss: of the training status; copied, never used.
        own: recordings of the voice's own speaker (training clips); the held-out recordings when empty.
        others: profiles of other speakers, for the question whose voice this is.
        embedding: model of speaker similarity, or why there is none.
        trials: sentences without recordings, spoken by the chosen vocoder.
        workers: processes that listen; more than one needs a recogniser that can be pickled.
        observer: hears of each sentence.

    Raises:
        UsageError: no candidate, no reference, or two of one name.
        NotAcceptableError: no candidate gave usable sound (`synthesis_unusable`).
    """
    _check(candidates, references)
    observer = observer or SilentObserver()
    observer.stage("evaluation", len(references) * (1 + 2 * len(candidates)) + 2 * len(trials.trials))
    work = Progress(observer)
    spoken = [speak(candidate, references, sample_rate, work) for candidate in candidates]
    heard_real = hear(recogniser, references, spoken, sample_rate, workers, work)
    texts = [reference.text for reference in references]
    real = HeardErrors.of(texts, heard_real)
    pitch_range = pitch_range_of(references, sample_rate)
    for each in spoken:
        if each.problem is None:
            measure(each, references, sample_rate, pitch_range, real)
    results = [result_of(each) for each in spoken]
    choice = choose_vocoder(results)
    chosen = next(each for each in spoken if each.candidate.name == choice.name)
    tried = run_trials(trials, chosen.candidate, recogniser, sample_rate, workers, work)
    figures = {
        "cer_real": error_figure("cer", real.characters, detail=", real recordings"),
        "wer_real": error_figure("wer", real.words, detail=", real recordings"),
        **chosen.figures,
        **tried.figures,
    }
    recorded = [each.samples for each in references]
    speakers = _speakers(chosen.sounds, list(own) or recorded, others or {}, sample_rate, figures)
    figures["speaker_similarity"] = speaker_similarity(chosen.sounds, list(own) or recorded, sample_rate, embedding)
    figures["speaker_distance_real"] = _recorded_distance(recorded, own, sample_rate)
    evaluation = assemble(
        choice,
        figures,
        results,
        recogniser,
        speakers=speakers,
        source_status=source_status,
        final_loss=final_loss,
        sentences=_sentences(references, heard_real, real, spoken, sample_rate),
        trials=tried,
    )
    usable = {
        each.candidate.name: dict(zip((r.id for r in references), each.sounds, strict=True))
        for each in spoken
        if each.problem is None
    }
    return VoiceEvaluation(evaluation=evaluation, spoken=usable, trials=tried.sounds)


def _check(candidates: Sequence[Candidate], references: Sequence[Reference]) -> None:
    if not candidates or not references:
        raise UsageError(
            "An evaluation needs at least one vocoder and one held-out sentence.",
            reason="nothing_to_evaluate",
            hint="Keep at least one clip in the validation manifest.",
        )
    for names in ([each.name for each in candidates], [each.id for each in references]):
        if len(set(names)) != len(names):
            raise UsageError(
                "Two vocoders or two sentences of an evaluation share a name.", reason="nothing_to_evaluate"
            )


def _speakers(
    made: Sequence[Samples],
    own: Sequence[Samples],
    others: Mapping[str, SpeakerProfile],
    sample_rate: int,
    figures: dict[str, Figure],
) -> list[SpeakerResult]:
    """Distances to the own speaker and to the others; the own distance is also a figure."""
    try:
        voice = speaker_profile(made, sample_rate)
        mine = speaker_profile(own, sample_rate)
    except NotMeasurableError as error:
        figures["speaker_distance"] = missing("speaker_distance", str(error), detail=", to the own speaker")
        return []
    distance = speaker_distance(voice, mine)
    figures["speaker_distance"] = figure("speaker_distance", distance, samples=len(made), detail=", to the own speaker")
    found = [SpeakerResult(name=OWN_SPEAKER, own=True, distance=round(distance, 6))]
    return found + [
        SpeakerResult(name=name, own=False, distance=round(speaker_distance(voice, profile), 6))
        for name, profile in sorted(others.items())
    ]


def _recorded_distance(recorded: Sequence[Samples], own: Sequence[Samples], sample_rate: int) -> Figure:
    """How far the held-out recordings are from the speaker's other recordings: the distance of a perfect voice."""
    detail = ", held-out recordings to the speaker's other recordings"
    if not own:
        return missing("speaker_distance", "No other recordings of the speaker were given.", detail=detail)
    return measured(
        "speaker_distance",
        lambda: speaker_distance(speaker_profile(recorded, sample_rate), speaker_profile(own, sample_rate)),
        samples=len(recorded),
        detail=detail,
    )


def _sentences(
    references: Sequence[Reference],
    heard_real: Sequence[str],
    real: HeardErrors,
    spoken: Sequence[Spoken],
    sample_rate: int,
) -> list[SentenceResult]:
    usable = [each for each in spoken if each.problem is None]
    return [
        SentenceResult(
            id=reference.id,
            text=reference.text,
            real_seconds=round(len(reference.samples) / sample_rate, 3),
            heard_real=heard_real[index],
            synthesised_seconds={
                each.candidate.name: round(len(each.sounds[index]) / sample_rate, 3) for each in usable
            },
            heard_synthesised={each.candidate.name: each.heard[index] for each in usable},
            character_error_rate_real=round(real.characters[index].rate, 6),
            character_error_rate_synthesised={
                each.candidate.name: round(each.characters[index].rate, 6) for each in usable
            },
        )
        for index, reference in enumerate(references)
    ]


def assemble(
    choice: Choice,
    figures: dict[str, Figure],
    results: list[VocoderResult],
    recogniser: Recogniser,
    *,
    source_status: str,
    trials: TrialOutcome,
    final_loss: float | None = None,
    speakers: Sequence[SpeakerResult] = (),
    sentences: Sequence[SentenceResult] = (),
) -> Evaluation:
    """The evaluation file of what was measured; nulls at its top get their reasons."""
    missing_figures = {"mos_proxy": MOS_NOT_MEASURED}
    if final_loss is None:
        missing_figures["final_loss"] = "The training status carries no final loss."
    return Evaluation(
        status="ok",
        root_cause="none",
        source_status=source_status,
        dry_run=False,
        final_loss=final_loss,
        mos_proxy=None,
        wer_proxy=figures["wer"].value,
        not_measured=missing_figures,
        chosen_vocoder=choice.name,
        vocoder_choice=choice.why,
        recogniser=recogniser.name,
        recogniser_version=recogniser.version,
        figures=figures,
        vocoders=results,
        speakers=list(speakers),
        sentences=list(sentences),
        trials=trials.results,
    )
