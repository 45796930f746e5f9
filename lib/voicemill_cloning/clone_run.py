"""`voice-clone synth` and `self-test`: reference, prompt, speech and files in one run."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voicemill.audio import decode
from voicemill.errors import BlockedError, UsageError
from voicemill.progress import Observer
from voicemill.protocol import Scalar
from voicemill.settings import DEMO_AUDIO
from voicemill_cloning import cloning, languages
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.choice import VoiceChoice
from voicemill_cloning.clone_results import write_clone
from voicemill_cloning.cloning import ClonedReference, CloneRequest
from voicemill_cloning.engines.engine import SpeechEngine
from voicemill_cloning.generation import GenerationOptions, as_defaults, resolve
from voicemill_cloning.languages import AUTO
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.results import SpokenRun
from voicemill_cloning.speak_run import SpeakRequest, speak_run
from voicemill_cloning.voice_file import GenerationDefaults

SELF_TEST_TEXT = "The quick brown fox jumps over the lazy dog."
_SELF_TEST_PART = (0.0, 30.0)
"""Seconds of the demo recording that the self-test takes its reference from."""


@dataclass(frozen=True)
class CloneRun:
    """What is cloned and spoken.

    Attributes:
        language: of the text; `AUTO` is the reference's.
        save_defaults: keep the generation's options for the voice.
    """

    clone: CloneRequest
    text: str
    generation: GenerationOptions
    language: str = AUTO
    variants: int = 1
    select_best: bool = False
    seed: int | None = None
    save_defaults: bool = False

    def __post_init__(self) -> None:
        if self.save_defaults and self.clone.slug is None:
            raise UsageError("--save-profile-default needs a voice.", hint="Name one with --voice or --voice-name.")
        languages.find_language(self.language)
        resolve(self.generation, GenerationDefaults())  # refuses a profile and numbers that make no sense


@dataclass(frozen=True)
class CloneOutcome:
    """What was spoken, and the files."""

    run: SpokenRun
    cloned: ClonedReference
    files: list[Path]

    def stats(self) -> dict[str, Scalar]:
        """For programs."""
        return {
            "language": self.run.language,
            "seconds": round(self.run.chosen.take.seconds, 3),
            "selected": self.run.chosen.name if self.run.selected else None,
            "takes": len(self.run.takes),
            "voice": self.cloned.slug,
        }


def clone_and_speak(context: AppContext, request: CloneRun, options: EngineOptions, observer: Observer) -> CloneOutcome:
    """Prepare the reference, build its prompt, speak, and write the files.

    Raises:
        UsageError, AudioError: see `cloning.prepare` and `speak_run`; saved defaults without a voice.
        GateError, DependencyError, BlockedError: the model cannot be used, or fails.
    """
    started = time.monotonic()
    options.announce_model("base", observer)
    observer.stage("reference")
    cloned = cloning.prepare(context, request.clone, observer)
    chosen = cloned.reference.prepared.chosen
    observer.note(f"{chosen.start:.1f} to {chosen.end:.1f} s: {cloned.reference.text or '(without words)'}")
    prepared = time.monotonic() - started
    known = context.voices.get(cloned.slug) if cloned.slug else None
    file = known.file if known else None
    defaults = file.generation_defaults if file and file.generation_defaults else GenerationDefaults()
    generation = resolve(request.generation, defaults)
    saved = None
    if request.save_defaults and cloned.slug is not None:
        kept = as_defaults(generation)
        context.voices.change(cloned.slug, lambda voice: voice.model_copy(update={"generation_defaults": kept}))
        saved = kept.model_dump(mode="json", exclude_none=True)
    name = cloned.slug or (request.clone.audio or Path("clone")).stem
    choice = VoiceChoice(
        name,
        Path(cloned.slug or ""),
        "clone_prompt",
        "clone_prompt",
        tone=request.clone.tone,
        language=cloned.language,
        defaults=defaults,
        rights=request.clone.rights or (file.rights if file else None),
        known=known,
    )

    def open_engine() -> SpeechEngine:
        model = options.open_model("base")
        try:
            return model.cloned(cloning.build_prompt(context, cloned, request.clone, model), name)
        except BaseException:
            model.close()
            raise

    spoken = SpeakRequest(
        text=request.text,
        choice=choice,
        generation=generation,
        language=request.language,
        variants=request.variants,
        select_best=request.select_best,
        seed=request.seed,
        saved=saved,
    )
    run = speak_run(spoken, open_engine, context.judges(observer), observer)
    written = write_clone(
        run, cloned, context.out, context.signer(), x_vector_only=request.clone.x_vector_only, prep_sec=prepared
    )
    return CloneOutcome(run, cloned, written)


def self_test(
    context: AppContext,
    options: EngineOptions,
    observer: Observer,
    clone: CloneRequest | None = None,
    *,
    language: str = AUTO,
    seed: int = 0,
) -> CloneOutcome:
    """Clone the demo recording, speak a sentence, and check the sound.

    Args:
        context: of the app.
        options: of the model.
        observer: the person's display.
        clone: how the reference is taken; its recording is replaced by the demo's.
        language: of the sentence.
        seed: of the take.

    Raises:
        BlockedError: `self_test_failed`, the sound cannot be the sentence.
        VoicemillError: see `clone_and_speak`.
    """
    options.require_model("base")
    source = context.settings.repository / DEMO_AUDIO
    with tempfile.TemporaryDirectory(prefix="voicemill-self-test-") as folder:
        part = Path(folder) / "reference.wav"
        start, end = _SELF_TEST_PART
        decode.decode(source, part, sample_rate=44_100, start=start, end=end)
        wanted = clone or CloneRequest(audio=part, force_bad=True)
        known = "English" if wanted.language == AUTO and wanted.recogniser is None else wanted.language
        wanted = replace(wanted, audio=part, language=known)
        request = CloneRun(wanted, SELF_TEST_TEXT, GenerationOptions(), language=language, seed=seed)
        made = clone_and_speak(context, request, options, observer)
    take = made.run.chosen.take
    peak = float(np.abs(take.samples).max(initial=0.0))
    if not (0.5 <= take.seconds <= 60.0 and np.isfinite(take.samples).all() and 1e-3 <= peak <= 1.5):
        raise BlockedError(
            f"The self-test made a sound of {take.seconds:.1f} seconds with a peak of {peak:.3f}.",
            reason="self_test_failed",
            hint=f"Listen to {made.files[0]}; try another --dtype or device.",
        )
    return made
