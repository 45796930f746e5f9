"""The measurement of stability on a promoted voice; the figures are kept beside the bundle and in its report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from voicemill import files
from voicemill.bundle.manifest import load_manifest
from voicemill.errors import GateError
from voicemill.evaluation.pages import render
from voicemill.metrics.judges import WHISPER, WHISPER_BASE, WhisperRecogniser, find_whisper
from voicemill.progress import Observer
from voicemill.settings import Settings
from voicemill.verify.stability import measure
from voicemill.verify.stability_figures import Stability, stability_path
from voicemill.verify.stability_texts import sentences
from voicemill.weights.registry import WeightsRegistry
from voicemill_runtime.bundle import open_voice

TEMPLATE = Path(__file__).with_name("stability_section.html.j2")
BEGIN, END = "<!-- stability: begin -->", "<!-- stability: end -->"
"""Marks of the section's place, which the report's template has."""
MOST_SENTENCES = 50
_LABELS = {
    "recogniser": "far from the text",
    "length": "wrong length or rate",
    "silence": "silent, or a long gap",
    "clipping": "clipped",
    "repeat": "other samples the second time",
}
Fetch = Callable[[WeightsRegistry, Observer], bool]
"""Fetches Whisper base into the registry's cache; False where it cannot."""


def measure_bundle(
    settings: Settings, voice: str, *, count: int, seed: int, observer: Observer, fetch: Fetch = lambda *_: False
) -> Stability:
    """Speak `count` generated sentences with a voice; write the figures beside its bundle and into the voice's report.

    Args:
        settings: the environment.
        voice: folder of a bundle, or id of a promoted voice.
        count: sentences.
        seed: of the sentences.
        observer: called for each sentence.
        fetch: of the larger recogniser, called if it is needed.

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
    recogniser = find_whisper(registry, WHISPER)
    if isinstance(recogniser, str):
        raise GateError(
            recogniser,
            reason=f"weights_unavailable:{WHISPER}",
            hint="Install the locked packages (./run-direct does it), or list the recogniser on the allowlist.",
        )

    def second() -> WhisperRecogniser | None:
        with contextlib.suppress(GateError):  # a list of the operator's that has no larger recogniser
            fetch(registry, observer)
        found = find_whisper(registry, WHISPER_BASE)
        observer.stage("Recognising doubted sentences again")
        return found if isinstance(found, WhisperRecogniser) else None

    observer.stage("Speaking and recognising sentences", count)
    found = measure(
        speaker,
        sentences(count, seed),
        recogniser,
        manifest_sha256=manifest.sha256,
        seed=seed,
        second=second,
        progress=observer.advance,
    )
    files.write_json(stability_path(root), found.model_dump(mode="json"))
    add_to_report(settings.workspace.reports / f"{root.resolve().parent.name}.html", found)
    return found


def add_to_report(path: Path, found: Stability) -> bool:
    """Put the figures into a report, in place of earlier ones.

    Args:
        path: of the report; one that is missing, of another bundle or of an older version is left alone.
        found: the figures; the report must name their bundle's manifest.

    Returns:
        Whether the report has them now.

    Raises:
        StorageError: the report cannot be written.
    """
    try:
        document = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or found.bundle_manifest_sha256 not in document:
        return False
    files.write_bytes(path, f"{before}{BEGIN}\n{section(found)}\n{END}{after}".encode())
    return True


def section(found: Stability) -> str:
    """The section as HTML; texts are escaped."""
    rows = [
        ("sentences", str(found.count)),
        ("came out wrong", str(found.failed)),
        *((_LABELS[failure], str(count)) for failure, count in found.failures.items()),
        *([(f"wrong by {found.recogniser}", str(found.doubted))] if found.doubted else []),
        *([("decided by", found.second_recogniser)] if found.second_recogniser else []),
        ("word error rate", f"{100 * found.word_error_rate:.1f} %"),
        ("speech", f"{found.seconds_of_speech:.0f} s"),
        ("recogniser", found.recogniser),
        ("seed of the sentences", str(found.seed)),
    ]
    return render(TEMPLATE, found=found, rows=rows, most=MOST_SENTENCES).strip()
