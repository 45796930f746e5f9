"""One step of the lane in its own process: prepare the clips, or train on them. Standard library only at import.

A separate process, so that the report is written even if the step runs out of memory and is killed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill.boundary import Interrupts
from voicemill.errors import InterruptedRunError
from voicemill.launch.lanes import check_light, check_settings, final_state, step_lock
from voicemill.progress import Observer
from voicemill.protocol import Protocol
from voicemill.terminal import Terminal
from voicemill_musicgen import sources
from voicemill_musicgen.settings import AGAIN, VoiceTrainSettings
from voicemill_musicgen.status import VoiceTrainStatusFile

if TYPE_CHECKING:
    from voicemill_musicgen.training import AdapterStep

STEPS = ("prepare", "train")


def run_step(step: str, environ: Mapping[str, str], repository: Path) -> int:
    """Run one step of STEPS; results are written to WORK_DIR, by default the current directory.

    Raises:
        VoicemillError: with the reason that is also in the status file.
    """
    settings = VoiceTrainSettings.for_lane(environ, repository=repository, work_dir=Path.cwd())
    protocol = Protocol(sys.stdout)
    with Interrupts() as interrupts, Terminal() as terminal, contextlib.ExitStack() as stack:
        stack.enter_context(step_lock(settings.common, protocol))
        status = VoiceTrainStatusFile(settings.status_path, settings.job) if step == "train" else None
        stack.enter_context(final_state(status, protocol))
        stack.enter_context(interrupts.unmasked())
        interrupts.deliver()
        check_settings(settings.common)
        check_light()
        if status is None:
            _prepare(settings, protocol, terminal)
        else:
            _train(settings, protocol, terminal, status)
    return 0


def _prepare(settings: VoiceTrainSettings, protocol: Protocol, observer: Observer) -> None:
    from voicemill_musicgen import dataset

    protocol.progress(0, 1)
    made = dataset.prepare(sources.find(settings), settings.manifest, observer)
    protocol.progress(1, 1)
    protocol.stats(
        {
            "clips": len(made.entries),
            "manifestPath": protocol.shown(settings.manifest),
            "mode": made.mode,
            "silent": made.silent,
            "total_seconds": made.total_seconds,
        }
    )
    protocol.artifact(settings.manifest)


def _train(settings: VoiceTrainSettings, protocol: Protocol, observer: Observer, status: VoiceTrainStatusFile) -> None:
    from voicemill import files
    from voicemill_musicgen import dataset, weights

    resolved = weights.resolve(settings)
    status.based_on(resolved.entry.id, resolved.entry.weights_license or "")
    _, clips = dataset.read(settings.manifest)
    from voicemill_musicgen import model, training

    limit = settings.common.training.max_steps
    options = training.TrainingOptions()
    steps = min(limit, options.steps) if limit else options.steps
    options = training.TrainingOptions(steps=steps)
    protocol.progress(0, steps)

    def on_step(step: AdapterStep) -> None:
        observer.advance(step.number, f"loss {step.loss:.3f}")
        protocol.progress(step.number, steps)
        values = {"loss": round(step.loss, 6), "sanitised_logits": step.sanitised_logits, "step": step.number}
        protocol.stats(dict(values))
        status.update(progress=(step.number, steps), stats=dict(values))

    try:
        with model.transformers_runtime(), weights.private_copy(resolved) as folder:
            observer.stage("musicgen")
            base = model.load(folder, _device(settings))
            status.update(stats={"device": base.device, "dtype": base.dtype})
            observer.stage("adapter", steps)
            trained = training.train(base, clips, options, on_step=on_step)
    except InterruptedRunError as error:
        error.hint = AGAIN
        raise
    facts = {
        "base_weights_id": resolved.entry.id,
        "base_sha256": {item.path: item.sha256 for item in resolved.entry.files}[weights.TENSORS] or "",
        "weights_license": resolved.entry.weights_license or "",
        "dataset_sha256": files.sha256_file(settings.manifest),
        "commit": settings.common.commit,
    }
    training.save(settings.checkpoint, trained, options, facts)
    shown = protocol.artifact(settings.checkpoint)
    status.update(artifact=shown)
    digest = files.sha256_file(settings.checkpoint)
    status.complete(loss=trained.loss, checkpoint=shown, checkpoint_sha256=digest)
    protocol.result("completed", None, settings.status_path)


def _device(settings: VoiceTrainSettings) -> str:
    """`cpu` if TORCH_DEVICE says so, else a GPU if torch can use one."""
    import torch

    return "cuda" if settings.common.training.device != "cpu" and torch.cuda.is_available() else "cpu"
