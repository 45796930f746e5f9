"""A dataset and its pictures put together to the page that a server shows."""

from __future__ import annotations

from pathlib import Path

from voicemill.dataset.prepare import PreparedDataset
from voicemill.progress import Observer
from voicemill.review.left_out import Sound
from voicemill.review.report import draw_clips, page
from voicemill.review.server import ReviewServer
from voicemill.review.session import Session, sound_paths
from voicemill.review.view import view_of


def serve_dataset(
    dataset: PreparedDataset,
    cache: Path,
    observer: Observer | None = None,
    *,
    port: int = 0,
    workers: int | None = None,
) -> ReviewServer:
    """A server that is bound and waits for `serve`.

    Args:
        dataset: what is reviewed.
        cache: where the pictures are kept.
        observer: hears the drawing.
        port: 0 lets the system choose.
        workers: processes that draw.

    Raises:
        DatasetError: `edits_invalid`.
        StorageError: `port_unavailable`.
    """
    session = Session(dataset)
    sounds = {path: Sound(path, embedded=False) for path in sound_paths(dataset)}
    view = view_of(dataset, draw_clips(dataset, cache, observer, workers), sounds)
    return ReviewServer(session, lambda: page(view, session.states()), port)
