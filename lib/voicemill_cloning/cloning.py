"""From a recording to a voice that speaks: its reference, the prompt of it, and the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.audio import decode, probing
from voicemill.dataset.rights import Rights
from voicemill.errors import GateError, UsageError
from voicemill.progress import Observer
from voicemill_cloning import judging, languages
from voicemill_cloning.app_context import AppContext
from voicemill_cloning.engines.qwen import DEFAULT_MODELS, QwenModel
from voicemill_cloning.judging import TakeJudges, TakeRecogniser
from voicemill_cloning.languages import AUTO
from voicemill_cloning.listing import UNNAMED
from voicemill_cloning.opening import EngineOptions
from voicemill_cloning.prompts import SUFFIX, prompt_name, read_prompt
from voicemill_cloning.reference_candidates import ReferenceCandidate
from voicemill_cloning.references import Reference, ReferenceRequest, prepare_reference
from voicemill_cloning.registration import (
    register_prompt,
    register_reference,
    register_source,
    require_cloneable,
    source_of,
)
from voicemill_cloning.source_recording import RATE as SOURCE_RATE
from voicemill_cloning.text_language import by_text
from voicemill_cloning.voice_file import PROMPTS, VoiceSource, voice_slug


@dataclass(frozen=True)
class CloneRequest:
    """What is cloned, and how its reference is taken.

    Attributes:
        audio: the recording; `voice` a voice whose recording is taken instead.
        voice_name: register under that name; None registers a voice under its own and an `audio` not at all.
        text: words of the reference.
        language: of the reference: a name, a code or `AUTO`.
        x_vector_only: take the speaker's embedding alone.
        tone: name of the tone that the prompt is for.
        rights: consent and licence.
        choose: asks a person for one of the candidates.
        again: build the prompt even if it is there.
    """

    audio: Path | None = None
    voice: str | None = None
    voice_name: str | None = None
    text: str | None = None
    start: float | None = None
    end: float | None = None
    language: str = AUTO
    recogniser: str | None = None
    x_vector_only: bool = False
    tone: str | None = None
    force_bad: bool = False
    rights: Rights | None = None
    choose: Callable[[Sequence[ReferenceCandidate]], int] | None = None
    again: bool = False

    def __post_init__(self) -> None:
        if (self.audio is None) == (self.voice is None):
            raise UsageError("Give either --ref-audio or --voice.", hint="--voice takes a voice with a recording.")
        slug = self.slug  # raises for a name that no voice can have
        if self.tone is not None and slug is None:
            raise UsageError("A tone belongs to a voice.", hint="Name one with --voice or --voice-name.")
        judging.recogniser_name(languages.find_language(self.language), self.recogniser)

    @property
    def slug(self) -> str | None:
        """The name to register under."""
        if self.voice_name is not None:
            return voice_slug(self.voice_name)
        return None if self.voice is None else voice_slug(self.voice)


@dataclass(frozen=True)
class ClonedReference:
    """A reference that was prepared, and registered where a name was given.

    Attributes:
        language: of the reference, a name of `languages`.
        recogniser: name of the model that recognised its words; None where they were given.
    """

    reference: Reference
    slug: str | None
    language: str
    recogniser: str | None


def prepare(context: AppContext, request: CloneRequest, observer: Observer) -> ClonedReference:
    """Take the reference, judge it, and enter it into the registry where a name is given.

    Args:
        context: of the app.
        request: what is cloned.
        observer: the person's display.

    Raises:
        UsageError, AudioError: see `references.prepare_reference`; `voice_not_found`, `voice_without_source`,
            `voice_of_another_kind`; see `TakeJudges.recogniser`.
        GateError, DependencyError: the recogniser cannot be used.
    """
    audio, rights = request.audio, request.rights
    source = VoiceSource(type="file", path=str(audio))
    if request.voice is not None:
        known = context.voices.get(request.voice)
        audio = source_of(context.voices, known.slug)
        if known.file is not None:
            source, rights = known.file.source or source, rights or known.file.rights
    if request.slug is not None:
        require_cloneable(context.voices, request.slug)
    wanted = ReferenceRequest(
        audio or Path(), request.text, request.start, request.end, request.force_bad, request.choose
    )
    probing.locate(wanted.audio)
    language = languages.find_language(request.language)
    judges = context.judges(observer)
    recognised = request.text is None and not request.x_vector_only
    found = _recogniser(judges, language, request.recogniser, observer) if recognised else None
    reference = prepare_reference(
        wanted,
        context.cache,
        context.workspace.stage_cache,
        found,
        None if isinstance(judges.found.speaker, str) else judges.found.speaker,
    )
    if language == AUTO:
        detected = languages.of_code(reference.prepared.chosen.language)
        language = detected or (by_text(reference.text) if reference.text else "English")
    slug = request.slug
    if slug is not None:
        if request.audio is not None:
            _register_recording(context, slug, request.audio, source, rights)
        register_reference(context.voices, slug, reference, language, source=source, rights=rights)
    return ClonedReference(reference, slug, language, None if found is None else found.name)


def _recogniser(judges: TakeJudges, language: str, name: str | None, observer: Observer) -> TakeRecogniser:
    """The recogniser of a reference: one that judges the language itself, unless a language or a model is named."""
    if name is not None or language != AUTO:
        return judges.recogniser(language, name)
    try:
        return judges.recogniser(AUTO, judging.OTHER_MODEL)
    except GateError as error:
        observer.note(f"WARNING: the reference is taken to be English; another language needs --ref-language. {error}")
        return judges.recogniser("English")


def _register_recording(
    context: AppContext, slug: str, audio: Path, source: VoiceSource, rights: Rights | None
) -> None:
    """Register a voice with a recording of any format, at most the part that a reference is taken from."""
    with tempfile.TemporaryDirectory(prefix="voicemill-clone-") as folder:
        clip = Path(folder) / "source.wav"
        decode.decode(audio, clip, sample_rate=SOURCE_RATE)
        register_source(context.voices, slug, clip, source, rights)


def prompt_path(context: AppContext, cloned: ClonedReference, request: CloneRequest, model: str | None) -> Path:
    """Where the prompt of a reference lies: in the voice's folder, or among the prompts without a voice."""
    digest = files.sha256_file(cloned.reference.wav)
    stem = prompt_name(digest, model or DEFAULT_MODELS["base"], x_vector_only=request.x_vector_only)
    folder = context.cache / UNNAMED if cloned.slug is None else context.voices.folder(cloned.slug) / PROMPTS
    return folder / f"{stem}{SUFFIX}"


def has_prompt(path: Path, cloned: ClonedReference, request: CloneRequest) -> bool:
    """Whether a prompt is there and was made of these words."""
    if request.again or not path.is_file():
        return False
    try:
        known = read_prompt(path)
    except UsageError:
        return False
    return known.mode == "xvec" or known.text == cloned.reference.text


def build_prompt(context: AppContext, cloned: ClonedReference, request: CloneRequest, model: QwenModel) -> Path:
    """Build the prompt of a reference, unless it is there, and enter it into the registry.

    Raises:
        UsageError: `reference_text_missing`, `reference_unusable`.
        BlockedError: the model fails.
    """
    path = prompt_path(context, cloned, request, model.weights.id)
    if not has_prompt(path, cloned, request):
        chosen = cloned.reference.prepared.chosen
        metadata = {
            "ref_hash": cloned.reference.prepared.source_sha256,
            "ref_language": cloned.language,
            "segment_start": f"{chosen.start:.3f}",
            "segment_end": f"{chosen.end:.3f}",
        }
        text = "" if request.x_vector_only else cloned.reference.text
        path.parent.mkdir(parents=True, exist_ok=True)
        model.build_prompt(cloned.reference.wav, text, path, x_vector_only=request.x_vector_only, metadata=metadata)
    if cloned.slug is not None:
        register_prompt(context.voices, cloned.slug, path.stem, request.tone)
    return path


def prompt_of(context: AppContext, cloned: ClonedReference, request: CloneRequest, options: EngineOptions) -> Path:
    """The prompt of a reference; a model is loaded only where it has to be built.

    Raises:
        GateError, DependencyError, BlockedError: the model cannot be used, or fails.
        UsageError: `reference_text_missing`, `reference_unusable`.
    """
    path = prompt_path(context, cloned, request, options.model)
    if has_prompt(path, cloned, request):
        if cloned.slug is not None:
            register_prompt(context.voices, cloned.slug, path.stem, request.tone)
        return path
    with options.open_model("base") as model:
        return build_prompt(context, cloned, request, model)
