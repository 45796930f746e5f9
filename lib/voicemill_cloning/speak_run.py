"""One run of `speak`: a text, a voice and options -> judged takes, ready to be written."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voicemill.align.features import SAMPLE_RATE
from voicemill.align.forced_alignment import Aligner, spoken_reading
from voicemill.audio.decode import read_mono, resample
from voicemill.audio.embedding import SpeakerModel
from voicemill.errors import DatasetError, NotMeasurableError, UsageError
from voicemill.metrics.judges import Judges
from voicemill.metrics.opinion import OpinionModel
from voicemill.progress import Observer
from voicemill.text import normalise
from voicemill.text.lexicon import default_lexicon
from voicemill.text.readings import reading_of
from voicemill_cloning import chunking, judging, languages, selection
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.engines.engine import SpeechEngine
from voicemill_cloning.generation import Generation
from voicemill_cloning.judging import RecognisedTake, ReferenceVoice, TakeJudges, TakeRecogniser
from voicemill_cloning.languages import AUTO
from voicemill_cloning.opening import origin_of, require_spoken
from voicemill_cloning.results import JudgedTake, SpokenRun
from voicemill_cloning.speaking import SpeakOptions, SynthesisedTake, speak
from voicemill_cloning.styles import looks_like_direction
from voicemill_cloning.text_language import by_text, language_if_clear
from voicemill_cloning.voice_file import REFERENCE

MAX_TEXT_BYTES = 4 * 1024 * 1024
ALIGNER = "pocketsphinx-en-us"


@dataclass(frozen=True)
class SpeakRequest:
    """What is to be spoken, and how the takes are judged.

    Attributes:
        text: as given.
        language: a name, a code or `AUTO`.
        variants: number of takes.
        select_best: rank them, and copy the best.
        chunk: speak the text in pieces.
        qa: judge the words of each take.
        align_words: find the times of the words of the chosen take.
        recogniser: name of the Whisper model that judges the words.
        seed: of the first take.
        saved: defaults that were saved for the voice.
    """

    text: str
    choice: VoiceChoice
    generation: Generation
    language: str = AUTO
    variants: int = 1
    select_best: bool = False
    chunk: bool = False
    qa: bool = False
    align_words: bool = False
    recogniser: str | None = None
    seed: int | None = None
    saved: dict[str, Any] | None = field(default=None)


def check_text(text: str) -> str:
    """The text without surrounding space.

    Raises:
        UsageError: `nothing_to_say`; `text_too_long`.
    """
    clean = text.strip()
    if not any(map(str.isalnum, clean)):
        raise UsageError(
            "There is nothing to say in the text.",
            reason="nothing_to_say",
            hint="Give words with --text or --text-file.",
        )
    if len(clean.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise UsageError("The text is larger than 4 MiB.", reason="text_unreadable", hint="Speak it in several runs.")
    return clean


def language_of(language: str, choice: VoiceChoice, text: str) -> str:
    """The language of a run: the one that was asked for, else the text's, else the voice's, else the engine's choice.

    A voice without a language of its own leaves the decision to its engine.

    Raises:
        UsageError: `unknown_language:<name>`.
    """
    wanted = languages.find_language(language)
    if wanted != AUTO or choice.language is None:
        return wanted
    return language_if_clear(text) or languages.find_language(choice.language)


def speak_run(
    request: SpeakRequest, open_engine: Callable[[], SpeechEngine], judges: TakeJudges, observer: Observer
) -> SpokenRun:
    """Speak a text and judge the takes.

    Args:
        request: what to do.
        open_engine: opens the voice's engine; it is closed here.
        judges: of the takes, loaded where they are needed.
        observer: the person's display.

    Raises:
        UsageError: `nothing_to_say`, `unknown_language`, what the recogniser and the engine refuse.
        DependencyError, GateError, BundleError, BlockedError: the engine or a judge cannot be used.
    """
    started = time.monotonic()
    text = check_text(request.text)
    language = language_of(request.language, request.choice, text)
    require_spoken(request.choice, language)
    if looks_like_direction(text):
        observer.note("WARNING: the text looks like a direction for the speaker; it is spoken word for word")
    judged = request.qa or request.select_best
    spoken = by_text(text) if language == AUTO else language
    by_recogniser = request.align_words and spoken != "English"
    recogniser = judges.recogniser(spoken, request.recogniser) if judged or by_recogniser else None
    options = SpeakOptions(
        language=language,
        variants=request.variants,
        seed=0 if request.seed is None and request.select_best else request.seed,
        chunk=request.chunk,
        sampling=request.generation.sampling,
        token_factor=request.generation.token_factor,
        instruct=request.choice.instruction.text or "",
    )
    observer.stage("loading")
    engine = open_engine()
    try:
        loaded = time.monotonic()
        description = engine.description
        origin = origin_of(request.choice, engine, request.choice.rights)
        observer.stage("speaking", request.variants)
        takes = speak(engine, text, options, observer_of(observer))
    finally:
        engine.close()
    if description.note:
        observer.note(description.note)
    if request.variants > 1 and not description.varies:
        observer.note(f"{description.engine} reads a text in one way, so all takes are alike")
    for take in takes:
        if not take.complete:
            observer.note(f"WARNING: take {take.index} was stopped at its longest; words may be missing")
    recognised = {}
    if judged and recogniser is not None:
        observer.stage("judging", len(takes))
        for number, take in enumerate(takes):
            recognised[take.index] = judging.recognise(recogniser, take.samples, take.sample_rate, text)
            observer.advance(number + 1)
    figures = _figures(takes, request, judges.found) if request.select_best else {}
    results, policy, metrics, best = _select(takes, text, spoken, recognised, figures, request)
    chosen = best or results[0]
    return SpokenRun(
        choice=request.choice,
        model=description.model,
        language=language,
        text=text,
        original_text=request.text,
        takes=tuple(results),
        pieces=len(chunking.pieces(text, language)) if request.chunk else 1,
        chunked=request.chunk,
        generation=request.generation.kwargs,
        profile=request.generation.profile,
        profile_source=request.generation.source,
        profile_meta=request.generation.meta,
        saved=request.saved,
        origin=origin,
        selection_policy=policy,
        selection_metrics=metrics,
        selected=best,
        load_sec=loaded - started,
        total_sec=time.monotonic() - started,
        alignment=_alignment(chosen.take, text, recogniser if by_recogniser else None) if request.align_words else None,
    )


def observer_of(observer: Observer) -> Callable[[int, int], None]:
    """Progress of `speak` for a display."""
    return lambda done, of: observer.advance(done, f"{done} of {of} pieces")


def _figures(takes: Sequence[SynthesisedTake], request: SpeakRequest, found: Judges) -> dict[int, dict[str, float]]:
    """Likeness to the voice's reference and opinion score of each take, where they can be measured."""
    known = request.choice.known
    reference = known.folder / REFERENCE if known is not None else None
    voice = None
    if isinstance(found.speaker, SpeakerModel) and reference is not None and reference.is_file():
        voice = ReferenceVoice.of(found.speaker, *read_mono(reference))
    figures: dict[int, dict[str, float]] = {take.index: {} for take in takes}
    for take in takes:
        with contextlib.suppress(NotMeasurableError):
            if voice is not None:
                likeness = voice.similarity(voice.embed(take.samples, take.sample_rate))
                figures[take.index] |= {} if likeness is None else {"likeness": likeness}
            if isinstance(found.opinion, OpinionModel):
                figures[take.index]["opinion"] = found.opinion.score(take.samples, take.sample_rate).p808
    return figures


def _select(
    takes: list[SynthesisedTake],
    text: str,
    language: str,
    recognised: dict[int, RecognisedTake],
    figures: Mapping[int, Mapping[str, float]],
    request: SpeakRequest,
) -> tuple[list[JudgedTake], dict[str, Any], list[dict[str, Any]], JudgedTake | None]:
    """The takes with their figures, the policy of the selection, its parts, and the best take."""
    qa = {index: one.qa(takes[index - 1].seconds) for index, one in recognised.items()}
    if not request.select_best:
        return [JudgedTake(take, qa=qa.get(take.index)) for take in takes], {"enabled": False}, [], None
    scores = {
        take.index: selection.judge_take(
            take,
            text,
            language,
            transcript=recognised[take.index].transcript if take.index in recognised else None,
            **figures.get(take.index, {}),
        )
        for take in takes
    }
    order = [score.index for score in selection.ranked(list(scores.values()))]
    found = [
        JudgedTake(
            take,
            qa=qa.get(take.index),
            acoustics=scores[take.index].acoustics.as_dict(),
            metrics=scores[take.index].as_dict(),
            rank=order.index(take.index) + 1,
        )
        for take in takes
    ]
    best = found[order[0] - 1]
    rows = [{"take": found[index - 1].name, **scores[index].as_dict()} for index in order]
    policy = {
        "enabled": True,
        "method": selection.METHOD,
        "weights": selection.WEIGHTS,
        "selected_take": best.name,
        "selected_wav": best.wav,
        "ranked": rows,
    }
    return found, policy, rows, best


def _alignment(take: SynthesisedTake, text: str, recogniser: TakeRecogniser | None) -> dict[str, Any]:
    """Times of the words of the text, in English; else of the words that the recogniser finds."""
    if recogniser is None:
        return align_words(take, text)
    samples = resample(take.samples, take.sample_rate, SAMPLE_RATE)
    rows = [
        {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
        for word in recogniser.load().words(samples)
    ]
    return {"model": f"faster-whisper-{recogniser.name}", "words": rows}


def align_words(take: SynthesisedTake, text: str) -> dict[str, Any]:
    """Times of the words of an English take, in seconds.

    Raises:
        UsageError: `words_not_aligned`, the take does not hold the words of the text.
    """
    lexicon = default_lexicon()
    aligner = Aligner(lexicon)
    samples = resample(take.samples, take.sample_rate, SAMPLE_RATE)
    try:
        reading = spoken_reading(aligner, samples, reading_of(text, normalise.normalise(text), lexicon))
        found = aligner.align(samples, reading.normalised, reading.phones)
    except DatasetError as error:
        raise UsageError(
            f"The words of take {take.index} cannot be found in its speech: {error}",
            reason="words_not_aligned",
            hint="Leave --align-words out, or listen to the take.",
        ) from error
    rows = [{"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)} for word in found.words]
    return {"model": ALIGNER, "words": rows}
