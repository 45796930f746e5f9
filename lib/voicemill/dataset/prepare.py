"""The preparation of a dataset: its stages in order, published atomically."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from importlib import metadata as packages
from pathlib import Path

from voicemill import __version__, files
from voicemill.align.transcription import RecogniserModel
from voicemill.audio import device, embedding
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.separation import package_of
from voicemill.dataset import (
    description,
    edited_utterances,
    edits,
    existing,
    recording_warnings,
    resolution,
    screening,
    stage_cache,
    synthetic_speech,
)
from voicemill.dataset.cached_recognition import CachedTranscriber, choose_recogniser, find_second_recogniser
from voicemill.dataset.cluster import RayPool
from voicemill.dataset.context import PreparationContext, SeparatorChoice
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepared import PreparedDataset, load, with_rights
from voicemill.dataset.request import PreparationRequest, PreparedVoiceSource
from voicemill.dataset.sources import Sources
from voicemill.dataset.stage_clock import StageClock, write_timings
from voicemill.dataset.stages import (
    alignment,
    clips,
    decode,
    loudness,
    manifest,
    pitch,
    segmentation,
    separation,
    text_check,
    voice_activity,
)
from voicemill.locks import folder_lock, require_unused
from voicemill.progress import Observer, SilentObserver
from voicemill.settings import REPOSITORY
from voicemill.text.language import require_english
from voicemill.text.lexicon import Lexicon
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

_TOOLS = ("pocketsphinx", "silero-vad", "soxr", "numpy")
"""Packages whose version is part of the content key."""


def prepare(request: PreparationRequest, workspace: Workspace, observer: Observer | None = None) -> PreparedDataset:
    """Prepare the dataset of a voice, or take it from the last run.

    The same inputs, settings and seed give byte-identical manifests, clips and supplementary data on the same machine.

    Args:
        request: inputs and settings.
        workspace: the result goes to `workspace.dataset(voice)`, results of single clips to `workspace.stage_cache`.
        observer: the person's display.

    Raises:
        UsageError: inputs that contradict each other; `dataset_reviewed`, a reviewed dataset would be replaced;
            `dataset_sample_rate`.
        AudioError: the recording cannot be used.
        DatasetError: text or manifest cannot be used, text and sound do not belong together, or too little is left.
        DependencyError: a tool is missing.
        GateError: weights that are asked for may not be used, or are not there.
        StorageError: the result cannot be written.
    """
    observer = observer or SilentObserver()
    if isinstance(request.source, PreparedVoiceSource):
        taken = existing.take(request, workspace, observer)
        if isinstance(taken, PreparedDataset):
            return taken
        request = taken
    device.require(request.device)
    root = workspace.dataset(request.voice)
    resolved = resolution.resolve(request, workspace, observer)
    request, sources, inputs = resolved.request, resolved.sources, resolved.inputs
    registry = WeightsRegistry(request.allowlist or REPOSITORY / SHIPPED, workspace.weights_cache, REPOSITORY)
    models = _Models.find(request, registry)
    tools = {"voicemill": __version__, **{name: packages.version(name) for name in _TOOLS}}
    tools |= request.selection.record | models.tools(workspace.stage_cache) | resolution.teacher_of(request.source)
    code = stage_cache.code_digest(__name__)
    key = files.content_key(code, tools, request.settings.model_dump(), [source.model_dump() for source in inputs])
    known = None if request.force else load(root, key)
    if known is not None:
        existing.announce(known, request.voice, observer)
        existing.record(request, workspace, key)
        return with_rights(known, request.rights)
    existing.require_lexicon(request, inputs)
    pronunciations = Lexicon.load(request.lexicon)
    require_english(sources.script or [one.normalized or one.text for one in sources.texts], pronunciations)
    require_unused(root)
    # The processes end first, or they would write into a folder that is being removed.
    with (
        contextlib.ExitStack() as publication,
        files.atomic_directory(root) as staging,
        _pool(request, staging) as pool,
    ):
        cache = staging / ".fresh" if request.force else workspace.stage_cache
        context = PreparationContext(
            request=request,
            pool=pool,
            clock=StageClock(observer, pool.worker_ids),
            staging=staging,
            cache=cache,
            lexicon=pronunciations,
            separator=models.separator,
            speaker=models.speaker,
            transcriber=CachedTranscriber(models.recogniser, cache) if models.recogniser else None,
            checker=models.checker,
        )
        _run_stages(context, sources, edits.recordings(inputs), manifest.Identity(key, inputs, tools))
        publication.enter_context(folder_lock(root))  # no edit is saved between the copy and the publication
        require_unused(root)
        existing.require_unchanged(root, resolved.before, key)
        edits.carry(root, staging)
    made = load(root, key)
    if made is None:
        raise RuntimeError(f"{root} is not the dataset that was just written")
    existing.record(request, workspace, key)
    return dataclasses.replace(made, cache_hit=False)


@dataclasses.dataclass(frozen=True)
class _Models:
    """The models of a preparation.

    Attributes:
        separator: of the voice from music and noise.
        recogniser: of recordings without text; None unless it is asked for.
        speaker: the speaker model, or the reason why there is none.
        checker: the second recogniser, which checks texts; None if it is missing or switched off.
    """

    separator: SeparatorChoice
    recogniser: RecogniserModel | None
    speaker: SpeakerModel | str
    checker: RecogniserModel | None

    @classmethod
    def find(cls, request: PreparationRequest, registry: WeightsRegistry) -> _Models:
        """Find the models of a request.

        Raises:
            GateError: weights that are asked for may not be used, or are not there.
            DependencyError: a tool is missing.
        """
        return cls(
            separation.choose_separator(request.separate, request.separator, registry),
            choose_recogniser(request.recognise, registry),
            embedding.find_speaker_model(registry),
            find_second_recogniser(registry) if request.check_words else None,
        )

    def tools(self, cache: Path) -> dict[str, str]:
        """Names of the models and of their packages with digests and versions, for the content key."""
        found: dict[str, str] = {}
        if self.separator.model is not None:
            model = self.separator.model
            package = package_of(model.weights_id)
            found |= {package: packages.version(package), model.weights_id: model.sha256}
        if isinstance(self.speaker, SpeakerModel):
            found |= {self.speaker.name: self.speaker.sha256}
        for recogniser in (self.recogniser, self.checker):
            if recogniser is not None:
                found |= CachedTranscriber(recogniser, cache).tools
        return found


def _pool(request: PreparationRequest, shared: Path) -> ClipPool | RayPool:
    return ClipPool(request.workers) if request.ray is None else RayPool(request.ray, shared)


def _run_stages(
    context: PreparationContext, sources: Sources, digests: Mapping[str, str], identity: manifest.Identity
) -> None:
    """Run the stages in their order and leave the finished dataset in the staging folder."""
    request = context.request
    decoded = voice_activity.run(context, decode.run(context, sources.recordings))
    synthetic_speech.warn(context, decoded.usable)
    decoded, separated = separation.run(context, decoded)
    decoded, levels = loudness.run(context, decoded)
    segmented = segmentation.run(context, sources, decoded)
    segmented = edited_utterances.apply(segmented, request.edits or (), digests, context.spoken, context.observer)
    if request.keep_rejected:
        segmented = clips.keep_rejected(context, segmented, levels.gain_db)
    cut = clips.run(context, segmented, levels.gain_db)
    shutil.rmtree(context.decoded)
    recording_warnings.of_telephone(context, cut)
    kept, unfit = screening.by_audio(cut, request.quality)
    kept, misfits, cut_off = alignment.run(context, kept)
    segmented = dataclasses.replace(segmented, rejected=(*segmented.rejected, *cut_off))
    moved = {clip.id: clip for clip in kept}
    cut = [moved.get(clip.id, clip) for clip in cut]
    kept, wrong = text_check.run(context, kept)
    kept, others = screening.by_speech(context, kept)
    entries = manifest.entries_of(kept, request.seed)
    settings, pitches = pitch.run(context, kept)
    results = manifest.StageResults(
        decoded, levels, separated, segmented, cut, [*unfit, *misfits, *wrong, *others], kept, settings, pitches
    )
    manifest.run(context, results, entries, identity)
    write_timings(context.staging / description.TIMINGS, context.clock.times)
