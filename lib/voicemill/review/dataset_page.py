"""`report.html` of a prepared dataset: one file to view, play and share.

Sound is embedded as FLAC (the exact samples, 1 ms to encode, half of a WAV; a lossy codec would hide hiss, which a
reviewer must notice) up to a limit; clips beyond it are linked by their path, and the page states it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from voicemill import files
from voicemill.audio import decode
from voicemill.dataset import description
from voicemill.dataset.pool import ClipPool
from voicemill.dataset.prepared import PreparedDataset
from voicemill.evaluation.pages import flac_uri, render
from voicemill.progress import Observer, SilentObserver
from voicemill.review.dataset_view import DatasetView, view_of
from voicemill.review.pictures import ClipPictures, PictureTask, pictures_of
from voicemill.review.rejections import ClipSound
from voicemill.review.session import RowState, sound_paths

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "dataset_page.html.j2"
SCRIPT, REVIEW_SCRIPT = FOLDER / "dataset_page.js", FOLDER / "review.js"
AUDIO_BUDGET = 24_000_000
"""Bytes of data URIs: about 14 minutes of speech; browsers open such a file in a second or two."""
STAGE = "report"


def draw_clips(
    dataset: PreparedDataset, cache: Path, observer: Observer | None = None, workers: int | None = None
) -> list[ClipPictures]:
    """Pictures of all clips in order, from the cache where possible."""
    tasks = [
        PictureTask(
            dataset.root / entry.audio_filepath,
            entry.sha256,
            dataset.root / "supplementary" / f"{entry.id}.npz",
            cache,
        )
        for entry in dataset.entries
    ]
    observer = observer or SilentObserver()
    observer.stage(STAGE, len(tasks))
    with ClipPool(workers) as pool:
        return pool.map(pictures_of, tasks, observer)


def sounds_within(dataset: PreparedDataset, budget: int) -> dict[str, ClipSound]:
    """Sounds of clips and of rejected stretches: data URIs within the budget, then paths beside the page."""
    sounds = {}
    for path in sound_paths(dataset):
        if budget > 0:
            samples, rate = decode.read_mono(dataset.root / path)
            address = flac_uri(samples, rate)
            budget -= len(address)
            if budget >= 0:
                sounds[path] = ClipSound(address, embedded=True)
                continue
        sounds[path] = ClipSound(path, embedded=False)
    return sounds


def write_report(
    dataset: PreparedDataset,
    cache: Path,
    observer: Observer | None = None,
    *,
    workers: int | None = None,
    audio_budget: int = AUDIO_BUDGET,
) -> Path:
    """Write the report into the dataset's folder, atomically; it is not part of the dataset's digests.

    Args:
        dataset: a finished dataset.
        cache: folder of the pictures.
        observer: receives the stage `STAGE`.
        workers: processes; by default one per core.
        audio_budget: bytes of sound to embed.
    """
    pictures = draw_clips(dataset, cache, observer, workers)
    path = dataset.root / description.REPORT
    files.write_text(path, page(view_of(dataset, pictures, sounds_within(dataset, audio_budget))))
    return path


def page(view: DatasetView, states: Sequence[RowState] | None = None) -> str:
    """The page as one document; with the state of each row, clips can be edited on it."""
    live = states is not None
    scripts = [SCRIPT.read_text(encoding="utf-8")]
    if live:
        scripts.append(REVIEW_SCRIPT.read_text(encoding="utf-8"))
    return render(
        TEMPLATE,
        view=view,
        live=live,
        scripts=scripts,
        policy=policy(scripts, live),
        states=[state.model_dump(mode="json") for state in states or ()],
    )


def policy(scripts: Sequence[str], live: bool) -> str:
    """Content security policy: only our own scripts run, by their digest, and nothing is loaded from elsewhere."""
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
        for text in scripts
    )
    media, connect = ("'self'", "'self'") if live else ("data: file: 'self'", "'none'")
    return (
        f"default-src 'none'; img-src data:; media-src {media}; connect-src {connect}; "
        f"style-src 'unsafe-inline'; script-src {digests}; base-uri 'none'; form-action 'none'"
    )
