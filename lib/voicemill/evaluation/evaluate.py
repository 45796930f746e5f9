"""The evaluation of a trained voice: held-out sentences are synthesised, recognised and compared with recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import NotMeasurableError, UsageError
from voicemill.evaluation.candidates import (
    Candidate,
    CandidateRun,
    ReferenceSentence,
    Samples,
    SentenceProgress,
    judge,
    measure_candidate,
    recognise,
    synthesise,
)
from voicemill.evaluation.figures import figures_of
from voicemill.evaluation.judging import Judged, Panel
from voicemill.evaluation.model import (
    MOS_NOT_MEASURED,
    Evaluation,
    Figure,
    SentenceResult,
    SpeakerResult,
    TrialResult,
    VocoderResult,
)
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.trials import Trials, run_trials
from voicemill.evaluation.vocoder_choice import VocoderChoice, choose_vocoder
from voicemill.metrics.inputs import RecognisedRecordings, RecognisedSentences, SpeakerSounds
from voicemill.metrics.judges import Judges
from voicemill.metrics.speaker import SpeakerProfile, speaker_distance
from voicemill.progress import Observer, SilentObserver

if TYPE_CHECKING:
    from voicemill.align.recognition import Recogniser

OWN_SPEAKER = "own"
STAGE = "evaluation"
"""Name of the stage that the observer receives."""


@dataclass(frozen=True)
class VoiceEvaluation:
    """The figures, and the sounds that they were measured on (for the report)."""

    evaluation: Evaluation
    spoken: Mapping[str, Mapping[str, Samples]]
    """Vocoder -> sentence id -> samples; usable candidates only."""
    trials: Sequence[Samples] = ()
    """Sounds of `evaluation.trials`, in order, by the chosen vocoder."""
    for_nemo: str = ""
    """The best of the vocoders that NeMo knows; the graph speaks with `evaluation.chosen_vocoder`."""


@dataclass(frozen=True)
class SpeakerReferences:
    """Recordings and profiles for speaker comparison.

    Attributes:
        own: recordings of the voice's own speaker (training clips); the held-out recordings are used when empty.
        others: profiles of other speakers by name.
        people: embeddings of other people, (people, dimensions).
    """

    own: Sequence[Samples] = ()
    others: Mapping[str, SpeakerProfile] = field(default_factory=dict)
    people: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class TestMaterial:
    """Everything that a voice is tested on.

    Attributes:
        sample_rate: of every sound in and out, Hz.
        references: held-out sentences with their recordings.
        speakers: recordings of the own speaker and profiles of others.
        trials: sentences without recordings, spoken by the chosen vocoder.
        judges: learned models that judge the sounds; each a model or the reason that there is none.
    """

    __test__ = False  # not a test case of pytest

    sample_rate: int
    references: Sequence[ReferenceSentence] = ()
    speakers: SpeakerReferences = field(default_factory=SpeakerReferences)
    trials: Trials = field(default_factory=Trials)
    judges: Judges = field(default_factory=Judges)

    @property
    def panel(self) -> Panel:
        """The judges with the speaker."""
        return Panel(self.sample_rate, self.judges, self.speakers.own, self.speakers.people)


@dataclass(frozen=True)
class TrainingSummary:
    """Values of the training status that the evaluation repeats.

    Attributes:
        status: its `status`.
        final_loss: copied, never used for a figure.
    """

    status: str = "ok"
    final_loss: float | None = None


@dataclass(frozen=True)
class Measurements:
    """All results of an evaluation that go into its file."""

    figures: Mapping[str, Figure]
    vocoders: Sequence[VocoderResult] = ()
    speakers: Sequence[SpeakerResult] = ()
    sentences: Sequence[SentenceResult] = ()
    trials: Sequence[TrialResult] = ()
    judges: Mapping[str, str] = field(default_factory=dict)
    other_people: Sequence[float] = ()


def evaluate_voice(
    candidates: Sequence[Candidate],
    material: TestMaterial,
    pool: RecogniserPool,
    training: TrainingSummary | None = None,
    observer: Observer | None = None,
) -> VoiceEvaluation:
    """Measure a trained voice on sentences that it was not trained on, and choose the vocoder that it ships with.

    Args:
        candidates: the voice with each vocoder in question; the first wins where no measurement decides.
        material: sentences, recordings and other speakers.
        pool: recognises recordings and synthesised sound alike.
        training: what the training status says.
        observer: receives the progress, sentence by sentence.

    Raises:
        UsageError: no candidate, no reference, or two of one name.
        NotAcceptableError: no candidate gave usable sound (`synthesis_unusable`).
    """
    references, rate = material.references, material.sample_rate
    _check(candidates, references)
    pitch_range = _pitch_range(references, rate)
    panel = material.panel
    judged_sets = 1 + len(candidates) if panel.names else 0
    steps = len(references) * (1 + 2 * len(candidates) + judged_sets) + 2 * len(material.trials.trials)
    progress = start_progress(observer, steps)
    runs = [synthesise(candidate, references, rate, progress) for candidate in candidates]
    texts = recognise(pool, references, runs, rate, progress)
    recorded = RecognisedRecordings.compare([reference.text for reference in references], texts)
    for run in runs:
        if run.problem is None:
            measure_candidate(run, references, rate, pitch_range, recorded)
    judged, judged_sounds = judge(panel, references, runs, progress)
    results = [run.result() for run in runs]
    scores = {run.candidate.name: run.judged.sentences for run in runs if run.judged}
    fallbacks = {candidate.name for candidate in candidates if candidate.fallback}
    choice = choose_vocoder(results, scores, fallbacks)
    known = [run.result() for run in runs if run.candidate.in_nemo and run.problem is None]
    for_nemo = choose_vocoder(known, scores, fallbacks).name if known else choice.name
    chosen = next(run for run in runs if run.candidate.name == choice.name)
    tried = run_trials(material.trials, chosen.candidate, rate, pool, progress)
    sounds = _speaker_sounds(chosen, material)
    measurements = Measurements(
        figures=figures_of(recorded) | figures_of(judged) | chosen.figures | tried.figures | figures_of(sounds),
        vocoders=results,
        speakers=_speaker_results(sounds, material.speakers.others),
        sentences=_sentences(references, (texts, recorded, judged_sounds), runs, rate),
        trials=tried.results,
        judges=panel.names,
        other_people=panel.other_people,
    )
    spoken = {
        run.candidate.name: dict(zip((reference.id for reference in references), run.sounds, strict=True))
        for run in runs
        if run.problem is None
    }
    evaluation = assemble(choice, measurements, pool.recogniser, training or TrainingSummary())
    return VoiceEvaluation(evaluation=evaluation, spoken=spoken, trials=tried.sounds, for_nemo=for_nemo)


def start_progress(observer: Observer | None, total: int) -> SentenceProgress:
    """Announce the evaluation and count its sentences."""
    observer = observer or SilentObserver()
    observer.stage(STAGE, total)
    return SentenceProgress(observer)


def _check(candidates: Sequence[Candidate], references: Sequence[ReferenceSentence]) -> None:
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


def _pitch_range(references: Sequence[ReferenceSentence], sample_rate: int) -> tuple[float, float]:
    """Lowest and highest F0 of the recordings, in Hz."""
    from voicemill.audio.pitch import range_of

    low, high = range_of(np.concatenate([each.samples for each in references]), sample_rate)
    return low, high


def _speaker_sounds(chosen: CandidateRun, material: TestMaterial) -> SpeakerSounds:
    return SpeakerSounds(
        synthesised=chosen.sounds,
        recorded=[reference.samples for reference in material.references],
        own=material.speakers.own,
        sample_rate=material.sample_rate,
    )


def _speaker_results(sounds: SpeakerSounds, others: Mapping[str, SpeakerProfile]) -> list[SpeakerResult]:
    """Distances to the own speaker and to the others; none where there is too little speech."""
    try:
        voice, own = sounds.synthesised_profile, sounds.own_profile
    except NotMeasurableError:
        return []
    found = [SpeakerResult(name=OWN_SPEAKER, own=True, distance=round(speaker_distance(voice, own), 6))]
    return found + [
        SpeakerResult(name=name, own=False, distance=round(speaker_distance(voice, profile), 6))
        for name, profile in sorted(others.items())
    ]


def _sentences(
    references: Sequence[ReferenceSentence],
    recordings: tuple[Sequence[str], RecognisedSentences, Judged],
    runs: Sequence[CandidateRun],
    sample_rate: int,
) -> list[SentenceResult]:
    """Results of each sentence; `recordings` are the recognised texts, errors and judgements of the recordings."""
    texts, recorded, judged = recordings
    usable = {run.candidate.name: run for run in runs if run.problem is None}
    return [
        SentenceResult(
            id=reference.id,
            text=reference.text,
            real_seconds=round(len(reference.samples) / sample_rate, 3),
            heard_real=texts[index],
            synthesised_seconds={name: round(len(run.sounds[index]) / sample_rate, 3) for name, run in usable.items()},
            heard_synthesised={name: run.recognised[index] for name, run in usable.items()},
            character_error_rate_real=round(recorded.characters[index].rate, 6),
            character_error_rate_synthesised={
                name: round(run.errors.characters[index].rate, 6) for name, run in usable.items()
            },
            judged_real=judged.sounds[index],
            judged_synthesised={
                name: sound
                for name, run in usable.items()
                if run.judged is not None and (sound := run.judged.sounds[index]) is not None
            },
        )
        for index, reference in enumerate(references)
    ]


def assemble(
    choice: VocoderChoice, measurements: Measurements, recogniser: Recogniser, training: TrainingSummary
) -> Evaluation:
    """The evaluation file; each null at its top has its reason."""
    not_measured = {}
    opinion = measurements.figures["dnsmos_p808"]
    if opinion.value is None:
        not_measured["mos_proxy"] = MOS_NOT_MEASURED.format(opinion.not_measured)
    if training.final_loss is None:
        not_measured["final_loss"] = "The training status carries no final loss."
    return Evaluation(
        status="ok",
        root_cause="none",
        source_status=training.status,
        dry_run=False,
        final_loss=training.final_loss,
        mos_proxy=opinion.value,
        wer_proxy=measurements.figures["wer"].value,
        not_measured=not_measured,
        chosen_vocoder=choice.name,
        vocoder_choice=choice.why,
        recogniser=recogniser.name,
        recogniser_version=recogniser.version,
        figures=dict(measurements.figures),
        vocoders=list(measurements.vocoders),
        speakers=list(measurements.speakers),
        sentences=list(measurements.sentences),
        trials=list(measurements.trials),
        judges=dict(measurements.judges),
        other_people=list(measurements.other_people),
    )
