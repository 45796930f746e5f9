"""The preparation of a dataset: its stages in order, published atomically."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from importlib import metadata as packages
from pathlib import Path

from voicemill import __version__, files
from voicemill.dataset import (
    description,
    edited_utterances,
    edits,
    judging,
    recording_warnings,
    resolution,
    stage_cache,
    teacher,
)
from voicemill.dataset.cached_recognition import CachedTranscriber
from voicemill.dataset.cluster import RayPool
from voicemill.dataset.context import PreparationContext
from voicemill.dataset.models import PreparationModels
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepared import PreparedDataset, keep, load, require_kept, with_rights
from voicemill.dataset.request import PreparationRequest
from voicemill.dataset.sources import require_unchanged
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
from voicemill.locks import folder_lock, in_use_unlocked, require_unused
from voicemill.progress import Observer, SilentObserver
from voicemill.text.language import require_english
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import normalise
from voicemill.workspace import Workspace

_TOOLS = ("pocketsphinx", "silero-vad", "soxr", "numpy")
"""Packages whose version is part of the content key."""


def prepare(
    request: PreparationRequest,
    workspace: Workspace,
    observer: Observer | None = None,
    held: contextlib.ExitStack | None = None,
) -> PreparedDataset:
    """Prepare the dataset of a voice, or take it from the last run.

    The same inputs, settings and seed give byte-identical manifests, clips and supplementary data on the same machine.

    Args:
        request: inputs and settings.
        workspace: the result goes to `workspace.dataset(voice)`, results of single clips to `workspace.stage_cache`.
        observer: the person's display.
        held: gets a lock with which nobody replaces or removes the dataset; by default it ends with this function.

    Raises:
        UsageError: inputs that contradict each other; `dataset_reviewed`, a reviewed dataset would be replaced;
            `dataset_sample_rate`.
        RefusedError: `lane_busy:<voice>`, a lane is using the dataset, or another process has replaced it meanwhile.
        AudioError: the recording cannot be used.
        DatasetError: text or manifest cannot be used, text and sound do not belong together, or too little is left.
        DependencyError: a tool is missing.
        GateError: weights that are asked for may not be used, or are not there.
        StorageError: the result cannot be written.
    """
    with contextlib.ExitStack() as own:
        return _prepare(request, workspace, observer or SilentObserver(), own if held is None else held)


def _prepare(
    request: PreparationRequest, workspace: Workspace, observer: Observer, held: contextlib.ExitStack
) -> PreparedDataset:
    resolved = resolution.resolve(request, workspace, observer)
    if isinstance(resolved, PreparedDataset):
        return require_kept(resolved, held)
    root = workspace.dataset(request.voice)
    request, sources, inputs = resolved.request, resolved.sources, resolved.inputs
    models = PreparationModels.find(request, workspace.weights_cache)
    of_models = models.tools()
    tools = {"voicemill": __version__, **{name: packages.version(name) for name in _TOOLS}}
    tools |= request.selection.record | of_models | teacher.of_source(request.source)
    code = stage_cache.code_digest(__name__)
    key = files.content_key(code, tools, request.settings.model_dump(), [source.model_dump() for source in inputs])
    known = None if request.force else load(root, key)
    if known is not None and keep(known, held):
        resolution.announce(known, request.voice, observer)
        resolution.record(request, workspace, key)
        return with_rights(known, request.rights)
    resolution.require_lexicon(request, inputs)
    pronunciations = Lexicon.load(request.lexicon)
    require_english(sources.script or [one.normalized or one.text for one in sources.texts], pronunciations)
    require_unused(root)
    with contextlib.ExitStack() as publication:
        # The processes end first, or they would write into a folder that is being removed.
        with files.atomic_directory(root) as staging, _pool(request, staging) as pool:
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
            _run_stages(context, resolved, manifest.Identity(key, inputs, tools))
            publication.enter_context(folder_lock(root))  # no edit is saved between the copy and the publication
            require_unused(root)
            resolution.require_unchanged(root, resolved.before, key)
            edits.carry(root, staging)
        held.enter_context(in_use_unlocked(root))
    made = load(root, key)
    if made is None:
        raise RuntimeError(f"{root} is not the dataset that was just written")
    resolution.record(request, workspace, key)
    return dataclasses.replace(made, cache_hit=False)


def _pool(request: PreparationRequest, shared: Path) -> ClipPool | RayPool:
    return ClipPool(request.workers) if request.ray is None else RayPool(request.ray, shared)


def _run_stages(context: PreparationContext, resolved: resolution.ResolvedRequest, identity: manifest.Identity) -> None:
    """Run the stages in their order and leave the finished dataset in the staging folder."""
    request, sources, digests = context.request, resolved.sources, edits.recordings(identity.inputs)
    decoded = decode.run(context, sources.recordings)
    require_unchanged(resolved.stamps)
    decoded = voice_activity.run(context, decoded)
    recording_warnings.of_synthetic_speech(context, decoded.usable)
    decoded, separated = separation.run(context, decoded)
    decoded, levels = loudness.run(context, decoded)
    segmented = segmentation.run(context, sources, decoded)
    segmented = edited_utterances.apply(segmented, request.edits or (), digests, normalise, context.observer)
    if request.keep_rejected:
        segmented = clips.keep_rejected(context, segmented, levels.gain_db)
    cut = clips.run(context, segmented, levels.gain_db)
    shutil.rmtree(context.staging / decode.FOLDER)
    recording_warnings.of_telephone(context, cut)
    kept, unfit = judging.by_audio(cut, request.quality)
    kept, misfits, cut_off = alignment.run(context, kept)
    segmented = dataclasses.replace(segmented, rejected=(*segmented.rejected, *cut_off))
    moved = {clip.id: clip for clip in kept}
    cut = [moved.get(clip.id, clip) for clip in cut]
    kept, wrong = text_check.run(context, kept)
    kept, others = judging.by_speech(context, kept)
    entries = manifest.entries_of(kept, request.seed)
    settings, pitches = pitch.run(context, kept)
    results = manifest.StageResults(
        decoded, levels, separated, segmented, cut, [*unfit, *misfits, *wrong, *others], kept, settings, pitches
    )
    manifest.run(context, results, entries, identity)
    write_timings(context.staging / description.TIMINGS, context.clock.times)
