"""Checks that a real run makes in its first second, before numpy, torch or NeMo is imported anywhere.

The request itself (names, options, input files) is checked where it is made, in `lane.request`; licences and
configuration come before these checks, packages and checkpoints after them (`lane.gates`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.audio import probing
from voicemill.dataset import description, recorded_consent, sources
from voicemill.dataset.manifest import read_manifest
from voicemill.dataset.request import ManifestSource, PreparedVoiceSource, WebRecordingSource
from voicemill.errors import DatasetError
from voicemill.lane.request import LaneRequest
from voicemill.settings import Settings
from voicemill.training.config import AcousticConfig, TrainingConfig, TransformerConfig
from voicemill.workspace import Paths
from voicemill_marks.signer import CHAIN_VARIABLE, KEY_VARIABLE, MarkSigner

_LOSSLESS = frozenset({".wav", ".wave", ".w64", ".rf64", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf"})
_DECODED_PART = 0.15
"""Size of a decoded recording as a part of the least favourable lossless source, 24-bit stereo at 48 kHz."""
_AUDIO_COPIES = 2
"""The decoded recording and its clips."""
_MODEL_COPIES = 10
"""Copies of FastPitch's weights: a checkpoint has four (weights, two moments, average), then the model and its graph in
the folder of the training, the production bundle and the promoted bundle.
"""
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Run:
    """The run that is checked."""

    request: LaneRequest
    settings: Settings
    config: TrainingConfig


def check_dataset(run: Run) -> None:
    """Refuse a source without usable recordings or without their text.

    Raises:
        DatasetError: `dataset_manifest_missing:<path>`, `dataset_manifest_invalid:<line>`, `dataset_no_valid_audio`,
            `missing_transcript`, `dataset_incomplete:<voice>`, or another fault of a text.
        AudioError: the recording is no audio file.
    """
    source, workspace = run.request.preparation.source, run.settings.workspace
    root = workspace.dataset(run.request.preparation.voice)
    before = description.read(root)
    match source:
        case WebRecordingSource():
            return
        case PreparedVoiceSource(voice):
            missing = [] if before is None else [name for name in before.files if not (root / name).is_file()]
            if before is None or missing:
                what = f"{missing[0]} is missing" if missing else "dataset.json cannot be read"
                raise DatasetError(
                    f"{root} is not a complete dataset: {what}.",
                    reason=f"dataset_incomplete:{voice}",
                    hint="Prepare the voice again with voice-prep, or name its recordings with --audio.",
                )
        case ManifestSource(manifest):
            check_manifest(manifest)
            sources.gather(source)
        case _:
            recognised = before is not None and before.settings.recognise is not None
            found = sources.gather(source, recognise=recognised)
            if len(found.recordings) == 1:
                probing.locate(found.recordings[0].path)


def check_manifest(manifest: Path) -> None:
    """Refuse a dataset manifest that is missing or names no existing recording.

    Raises:
        DatasetError: `dataset_manifest_missing:<path>`, `dataset_manifest_invalid:<line>`, `dataset_no_valid_audio`.
    """
    if not manifest.is_file():
        raise DatasetError(
            f"There is no dataset manifest at {manifest}.",
            reason=f"dataset_manifest_missing:{manifest}",
            hint="Name a NeMo manifest, or give --audio.",
        )
    lines = read_manifest(manifest)
    if not any((manifest.parent / line.audio_filepath).is_file() for line in lines):
        raise DatasetError(
            f"None of the {len(lines)} recordings that {manifest} names exists.",
            reason="dataset_no_valid_audio",
            hint="The paths in a manifest are absolute, or relative to its folder.",
        )


def check_writable(run: Run) -> None:
    """Refuse a folder for results or for the cache in which no file can be written.

    Raises:
        StorageError: `not_writable:<path>`, `disk_full:<path>`.
    """
    for folder in dict.fromkeys(_folders(run.settings.paths)):
        files.require_writable(folder)


def _folders(paths: Paths) -> Iterator[Path]:
    """Folders that a run writes to; they need not exist."""
    workspace = paths.workspace
    yield from (workspace.stage_cache, workspace.weights_cache, workspace.voices)
    yield from (workspace.work / "datasets", workspace.reports, paths.artifacts, paths.checkpoints)
    yield from (paths.promoted_bundles, paths.production_bundle.parent)
    yield from (paths.training_status.parent, paths.evaluation.parent)


def check_disk_space(run: Run) -> None:
    """Refuse a disk that has less room than the results need at least.

    Raises:
        StorageError: `disk_full:<folder>`.
    """
    work = run.settings.workspace.work
    needed = audio_bytes(run) + _MODEL_COPIES * _FLOAT_BYTES * least_weights(run.config.acoustic)
    files.ensure_space(work, needed, "The run")


def audio_bytes(run: Run) -> int:
    """Least size of the decoded recordings and their clips; 0 if nothing is decoded, or the recordings are not here."""
    source = run.request.preparation.source
    if isinstance(source, WebRecordingSource | PreparedVoiceSource):
        return 0
    total = 0.0
    for recording in sources.gather(source, recognise=True).recordings:
        whole = recording.start is None and recording.end is None
        if whole and recording.path.is_file():
            lossless = recording.path.suffix.lower() in _LOSSLESS
            total += recording.path.stat().st_size * (_DECODED_PART if lossless else 1)
    return int(_AUDIO_COPIES * total)


def least_weights(acoustic: AcousticConfig) -> int:
    """Number of FastPitch's weights, without embeddings and biases."""
    predictors = (acoustic.duration_predictor, acoustic.pitch_predictor)
    return sum(_stack(stack, acoustic.width) for stack in (acoustic.encoder, acoustic.decoder)) + sum(
        each.kernel_size * (acoustic.width + (each.layers - 1) * each.width) * each.width for each in predictors
    )


def _stack(stack: TransformerConfig, width: int) -> int:
    attention = 4 * width * stack.heads * stack.head_width
    return stack.layers * (attention + 2 * stack.kernel_size * width * stack.inner_width)


def check_marks_key(run: Run) -> None:
    """Refuse a key or certificates of the environment that cannot sign the sounds of the voice.

    Raises:
        UsageError: see `MarkSigner.open`.
    """
    if any(os.environ.get(name) for name in (KEY_VARIABLE, CHAIN_VARIABLE)):
        MarkSigner.find(run.settings.workspace.marks)


def check_consent(run: Run) -> None:
    """Refuse a voice without the consent that is required, before it is prepared or trained.

    A recorded consent is for one dataset, so that voice must be prepared already.

    Raises:
        DatasetError: `voice_without_consent:<voice>`.
    """
    required, root = run.settings.voice.require_consent, run.settings.workspace.dataset(run.request.preparation.voice)
    given = run.request.preparation.rights
    if required is None or (required == "any" and given is not None and given.consent):
        return
    before = description.read(root)
    written = before is not None and before.rights is not None and bool(before.rights.consent)
    recorded = before is not None and recorded_consent.of_manifest(root / description.MANIFEST, before.dataset_sha256)
    if not recorded and not (required == "any" and written):
        what = "recorded consent" if required == "recorded" else "consent"
        raise DatasetError(
            f"There is no {what} of the speaker of {run.request.preparation.voice}.",
            reason=f"voice_without_consent:{run.request.preparation.voice}",
            hint="Prepare the voice, then record the statement: voice-prep consent VOICE --recording FILE --text TEXT.",
        )


CHECKS: tuple[Callable[[Run], None], ...] = (
    check_dataset,
    check_writable,
    check_disk_space,
    check_marks_key,
    check_consent,
)
"""In the order in which they run; the dataset comes first by the contract."""


def run_checks(run: Run) -> None:
    """Run every check; the first that refuses decides the reason."""
    for check in CHECKS:
        check(run)
