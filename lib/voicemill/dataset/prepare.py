"""From what the user gave to a prepared dataset: stage by stage, published at once or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from importlib import metadata as packages
from pathlib import Path

from voicemill import __version__, files
from voicemill.audio import device, download, embedding
from voicemill.audio.embedding import SpeakerModel
from voicemill.dataset import (
    clip_steps,
    description,
    edits,
    existing,
    explain,
    recognising,
    rights,
    separating,
    stage_cache,
    steps,
)
from voicemill.dataset.clip_steps import Rejects
from voicemill.dataset.cluster import RayPool
from voicemill.dataset.description import DatasetDescription, LoudnessFigures, SeparationFigures
from voicemill.dataset.manifest import write_manifest
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepared import PreparedDataset, load, with_rights
from voicemill.dataset.recognising import Ears
from voicemill.dataset.report import Report, make_report
from voicemill.dataset.request import PEAK_LIMIT_DBFS, PreparationRequest, PreparedVoiceSource, WebRecordingSource
from voicemill.dataset.sources import SourceFile, Sources, gather
from voicemill.dataset.stages import StageClock, write_timings
from voicemill.dataset.statistics import Statistics, summarise
from voicemill.dataset.utterances import Means
from voicemill.errors import DatasetError
from voicemill.locks import folder_lock
from voicemill.progress import Observer, SilentObserver
from voicemill.settings import REPOSITORY
from voicemill.text import normalise
from voicemill.text.lexicon import Lexicon
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace

_TOOLS = ("pocketsphinx", "silero-vad", "soxr", "numpy")
"""Packages whose version decides what comes out."""


def prepare(request: PreparationRequest, workspace: Workspace, observer: Observer | None = None) -> PreparedDataset:
    """Make the dataset of a voice, or find it made already.

    The same inputs, settings and seed give byte-identical manifests, clips and supplementary data on the same machine.

    Args:
        request: inputs and settings.
        workspace: the result goes to `workspace.dataset(voice)`, results of single clips to `workspace.stage_cache`.
        observer: hears the stages `STAGES`.

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
    before = description.read(root)
    request, sources, inputs = _resolve(request, before, workspace, observer)
    request = _with_decisions(request, root, before, inputs)
    inputs = (*inputs, *edits.source_file(request.edits or ()))
    existing.require_replaceable(request, inputs, before, root)
    registry = WeightsRegistry(request.allowlist or REPOSITORY / SHIPPED, workspace.weights_cache, REPOSITORY)
    separator = separating.choose(request.separate, request.separator, registry)
    recogniser = recognising.choose(request.recognise, registry)
    speaker = embedding.find_speaker_model(registry)
    tools = {"voicemill": __version__, **{name: packages.version(name) for name in _TOOLS}}
    if separator.model is not None:
        tools |= {"demucs": packages.version("demucs"), separator.model.weights_id: separator.model.sha256}
    if isinstance(speaker, SpeakerModel):
        tools |= {speaker.name: speaker.sha256}
    if recogniser is not None:
        tools |= Ears(recogniser, workspace.stage_cache).tools
    code = stage_cache.code_digest(__name__)
    key = files.content_key(code, tools, request.settings.model_dump(), [source.model_dump() for source in inputs])
    known = None if request.force else load(root, key)
    if known is not None:
        existing.announce(known, request.voice, observer)
        existing.record(request, workspace, key)
        return with_rights(known, request.rights)
    existing.require_lexicon(request, inputs)
    # The processes end first, or they would write into a folder that is being removed.
    with (
        contextlib.ExitStack() as publication,
        files.atomic_directory(root) as staging,
        _pool(request, staging) as pool,
    ):
        cache = staging / ".fresh" if request.force else workspace.stage_cache
        bench = steps.Bench(pool, StageClock(observer, pool.worker_ids), staging, cache)
        grammars = workspace.cache / "text-normaliser"
        ears = Ears(recogniser, cache) if recogniser else None
        means = Means(Lexicon.load(request.lexicon), request.segmentation, grammars, pool, staging, cache, ears)
        _fill(bench, request, sources, inputs, means, separator, speaker, tools, key)
        publication.enter_context(folder_lock(root))  # no edit is saved between the copy and the publication
        edits.carry(root, staging)
    made = load(root, key)
    if made is None:
        raise RuntimeError(f"{root} is not the dataset that was just written")
    existing.record(request, workspace, key)
    return dataclasses.replace(made, cache_hit=False)


def _pool(request: PreparationRequest, shared: Path) -> ClipPool | RayPool:
    return ClipPool(request.workers) if request.ray is None else RayPool(request.ray, shared)


def _resolve(
    request: PreparationRequest, before: DatasetDescription | None, workspace: Workspace, observer: Observer
) -> tuple[PreparationRequest, Sources, tuple[SourceFile, ...]]:
    """The request with the settings that it inherits, the recordings of its source, and the digest of every input."""
    source = request.source
    if isinstance(source, WebRecordingSource):
        source = source.fetched(download.fetch(source.url, workspace.downloads, observer, force=request.force))
    inherits_text = (
        request.recognise is None
        and before is not None
        and "recognise" in request.inherited
        and before.settings.recognise is not None
    )
    sources = gather(source, recognise=inherits_text or request.recognise is not None)
    inputs = _digests(sources, request)
    if before is not None and existing.same_source(before, request, inputs):
        request, inputs = existing.inherit(request, inputs, before, workspace)
        device.require(request.device)
    elif inherits_text:
        sources = gather(source)  # other recordings, which need their text
    return request, sources, inputs


def _with_decisions(
    request: PreparationRequest, root: Path, before: DatasetDescription | None, inputs: tuple[SourceFile, ...]
) -> PreparationRequest:
    """The request with rights and review edits: its own, else those of the dataset's folder."""
    held = rights.effective_rights(request.rights, before.rights if before else None, edits.recordings(inputs).values())
    return dataclasses.replace(request, rights=held, edits=edits.read(root) if request.edits is None else request.edits)


def _digests(sources: Sources, request: PreparationRequest) -> tuple[SourceFile, ...]:
    found = sources.digests()
    if isinstance(request.source, WebRecordingSource):
        address = {"url": request.source.url}
        found = tuple(one.model_copy(update=address) if one.role == "recording" else one for one in found)
    if request.lexicon is None:
        return found
    if not request.lexicon.is_file():
        raise DatasetError(
            f"There is no pronunciation dictionary at {request.lexicon}.",
            reason=f"lexicon_missing:{request.lexicon}",
            hint="Check the path given with --lexicon.",
        )
    extra = SourceFile(
        name=request.lexicon.name,
        role="lexicon",
        bytes=request.lexicon.stat().st_size,
        sha256=files.sha256_file(request.lexicon),
    )
    return (*found, extra)


def _fill(
    bench: steps.Bench,
    request: PreparationRequest,
    sources: Sources,
    inputs: tuple[SourceFile, ...],
    means: Means,
    separator: separating.Choice,
    speaker: SpeakerModel | str,
    tools: dict[str, str],
    key: str,
) -> None:
    """Run the stages and leave the finished dataset in the staging folder."""
    decoded = steps.decode_all(bench, sources.recordings, request.sample_rate)
    decoded, separated = separating.separate(bench, steps.find_speech(bench, decoded), separator)
    decoded, loudness = steps.level(bench, decoded, request.target_lufs, PEAK_LIMIT_DBFS)
    if any(normalise.needs_grammar(said) for said in (*sources.script, *(clip.text for clip in sources.texts))):
        bench.clock.observer.note(
            "the text holds digits or symbols: its grammars take about 40 s to build the first time"
        )
    found = steps.find_utterances(bench, sources, decoded, means)
    found = edits.apply(found, request.edits or (), edits.recordings(inputs), means.spoken, bench.clock.observer)
    rate, gain = request.sample_rate, loudness.gain_db
    if request.keep_rejected:
        found = clip_steps.keep_stretches(bench, found, request.voice, rate, gain)
    rejects = Rejects(bench.staging, request.keep_rejected)
    made = clip_steps.cut_clips(bench, found, request.voice, rate, gain)
    shutil.rmtree(bench.decoded)
    kept = clip_steps.judge_sound(made, rejects, request.quality)
    kept = clip_steps.align_clips(bench, kept, request.lexicon, rejects)
    kept = clip_steps.judge_speech(bench, kept, rejects, request.quality, speaker)
    entries = clip_steps.entries_of(kept, request.seed)
    settings, pitches = clip_steps.pitch_of_clips(bench, kept, rate, request.device)
    with bench.clock.stage("manifest"):
        shutil.rmtree(bench.staging / ".fresh", ignore_errors=True)
        guessed = means.lexicon.write(
            bench.staging / description.LEXICON, [row[0] for entry in entries for row in entry.alignment]
        )
        write_manifest(bench.staging / description.MANIFEST, entries)
        for name, part in ((description.TRAIN, "train"), (description.VALIDATION, "validation")):
            write_manifest(bench.staging / name, [entry for entry in entries if entry.split == part])
        explain.write(bench.staging / explain.NAME, explain.rows(made, {row.id: row.reason for row in rejects.rows}))
        report = make_report(
            decoded.seconds,
            sum(clip.cut.seconds for clip in kept),
            [*decoded.rejected, *found.rejected, *rejects.rows],
            found.unspoken,
            {word: " ".join(means.lexicon.pronounce(word).phones) for word in guessed},
        )
        stats = summarise(entries, pitches, settings)
        _describe(bench.staging, request, inputs, loudness, separated, stats, report, tools, key)
    write_timings(bench.staging / description.TIMINGS, bench.clock.times)


def _describe(
    staging: Path,
    request: PreparationRequest,
    inputs: tuple[SourceFile, ...],
    loudness: LoudnessFigures,
    separated: SeparationFigures,
    stats: Statistics,
    report: Report,
    tools: dict[str, str],
    key: str,
) -> None:
    described = DatasetDescription(
        content_key=key,
        dataset_sha256=files.sha256_file(staging / description.MANIFEST),
        pitch_mean=stats.pitch_mean,
        pitch_std=stats.pitch_std,
        pitch_fmin=stats.pitch_fmin,
        pitch_fmax=stats.pitch_fmax,
        settings=request.settings,
        inputs=inputs,
        loudness=loudness,
        separation=separated,
        statistics=stats,
        report=report,
        tools=tools,
        rights=request.rights,
        files=description.file_digests(staging),
    )
    files.write_json(staging / description.NAME, description.dump(described))


__all__ = ["PreparedDataset", "load", "prepare"]
