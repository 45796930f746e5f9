"""`voice-register`: split, reference, prompt and a test, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import AudioError
from voicemill.progress import Observer
from voicemill.protocol import Scalar
from voicemill_cloning import cloning, splitting
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.clone_run import CloneRun, clone_and_speak
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.registration import register_source, require_cloneable
from voicemill_cloning.source_recording import SourcePart, open_recording
from voicemill_cloning.splitting import SplitClip, SplitOptions, SplitResult


@dataclass(frozen=True)
class RegisteredClone:
    """What was made: the voice, and every file."""

    slug: str
    clips: int
    seconds: float | None
    files: list[Path]

    def stats(self) -> dict[str, Scalar]:
        """For programs; `seconds` is the length of the test."""
        return {"clips": self.clips, "seconds": self.seconds, "voice": self.slug}


def register_voice(
    context: AppContext,
    part: SourcePart,
    options: SplitOptions,
    run: CloneRun,
    engine: EngineOptions,
    observer: Observer,
    *,
    choose: Callable[[SplitResult], SplitClip] | None = None,
    speak: bool = True,
) -> RegisteredClone:
    """Make a voice of a recording.

    Args:
        context: of the app.
        part: which part of which recording.
        options: of the clips.
        run: the voice, its reference and the test.
        engine: of the model.
        observer: the person's display.
        choose: asks a person for the clip to register.
        speak: speak the test.

    Raises:
        AudioError: `reference_too_short`, no stretch of speech has 5 seconds; and see `open_recording`.
        VoicemillError: see `clone_and_speak`.
    """
    slug = run.clone.slug or ""
    require_cloneable(context.voices, slug)
    engine.announce_model("base", observer)
    stages = context.workspace.stage_cache
    recording = open_recording(part, context.cache, stages, observer)
    separator = splitting.find_separator(options.separate, None, context.weights)
    pool = splitting.clean_speech(recording, options, separator, stages, observer)
    made = splitting.cut_clips(recording, pool, options, context.out / slug, register=True)
    best = choose(made) if choose is not None else made.reference
    if best is None:
        raise AudioError(
            f"No stretch of speech in {recording.name} has {splitting.SHORTEST_REFERENCE:.0f} seconds.",
            reason="reference_too_short",
            hint="Choose another part with --start and --end, or a longer recording.",
        )
    source = recording.source.model_copy(update={"n_clips": len(made.clips)})
    register_source(context.voices, slug, best.path, source, run.clone.rights)
    written = [clip.path for clip in (*made.clips, *([made.reference] if made.reference else []))]
    record = context.voices.folder(slug) / "voice.json"
    if speak:
        spoken = clone_and_speak(context, run, engine, observer)
        seconds = round(spoken.run.chosen.take.seconds, 3)
        return RegisteredClone(slug, len(made.clips), seconds, [*written, *spoken.files, record])
    observer.stage("reference")
    cloned = cloning.prepare(context, run.clone, observer)
    prompt = cloning.prompt_of(context, cloned, run.clone, engine)
    return RegisteredClone(slug, len(made.clips), None, [*written, prompt, record])
