"""The measurement of stability on a promoted voice; the figures are kept beside the bundle and in its report."""

from __future__ import annotations

from pathlib import Path

from voicemill import files
from voicemill.bundle.manifest import load_manifest
from voicemill.errors import GateError
from voicemill.lane.stability_section import add_to_report
from voicemill.metrics.judges import WHISPER, find_judges
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.verify.stability import Stability, measure, stability_path
from voicemill.verify.stability_texts import sentences
from voicemill.weights.registry import WeightsRegistry
from voicemill_runtime.bundle import open_voice


def measure_bundle(settings: Settings, voice: str, *, count: int, seed: int, observer: Observer) -> Stability:
    """Speak `count` generated sentences with a voice; write the figures beside its bundle and into the voice's report.

    Args:
        settings: the environment.
        voice: folder of a bundle, or id of a promoted voice.
        count: sentences.
        seed: of the sentences.
        observer: called for each sentence.

    Raises:
        BundleFileError: `manifest_missing`, `checksum_mismatch` and other faults of files.
        UsageError: `dry_run_cannot_speak`, `bundle_without_graph`.
        GateError: `weights_unavailable:<id>`: Whisper cannot be used.
        StorageError: the figures cannot be written.
    """
    folder = Path(voice)
    root = folder if len(folder.parts) > 1 or folder.is_dir() else settings.paths.promoted(voice)
    manifest = load_manifest(root)
    speaker = open_voice(root)
    registry = WeightsRegistry(settings.weights.allowlist, settings.workspace.weights_cache, settings.repository)
    recogniser = find_judges(registry).recogniser
    if isinstance(recogniser, str):
        raise GateError(
            recogniser,
            reason=f"weights_unavailable:{WHISPER}",
            hint="Install the locked packages (./run-direct does it), or list the recogniser on the allowlist.",
        )
    observer.stage("Speaking and recognising sentences", count)
    found = measure(
        speaker,
        sentences(count, seed),
        recogniser,
        manifest_sha256=manifest.sha256,
        seed=seed,
        progress=observer.advance,
    )
    files.write_json(stability_path(root), found.model_dump(mode="json"))
    add_to_report(settings.workspace.reports / f"{root.resolve().parent.name}.html", found)
    return found
