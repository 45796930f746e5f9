"""The local files of allowed weights, checked against their pinned digests.

Invariant: a path that `resolve` returns was hashed in that call and matches its pin. An entry without a pin is
unavailable.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import GateError, StorageError
from voicemill.progress import Observer, SilentObserver
from voicemill.weights.allowlist import AllowlistEntry, WeightsFile
from voicemill.weights.download import DownloadError, Fetch, Progress
from voicemill.weights.gate import check_entry

MAX_DOWNLOAD_BYTES = 2 * 1024**3
"""Larger downloads are cut off; NVIDIA's FastPitch and HiFi-GAN archives are below 400 MB."""
LARGEST_MODEL_BYTES = 8 * 1024**3
"""The same for a file that is being pinned, whose size is not on the list yet."""
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ResolvedWeights:
    """The checked local files of an entry, by their path on the list."""

    entry: AllowlistEntry
    paths: dict[str, Path]

    @property
    def main(self) -> Path:
        """The entry's first file: the checkpoint."""
        return next(iter(self.paths.values()))


class WeightsStore:
    """Finds, downloads where allowed, and checks the files of allowlist entries."""

    def __init__(
        self,
        cache: Path,
        repository: Path,
        *,
        fetch: Fetch | None = None,
        judge: Callable[[AllowlistEntry], None] = check_entry,
        observer: Observer | None = None,
    ) -> None:
        """
        Args:
            cache: the weights cache (`Workspace.weights_cache`).
            repository: root of the checkout.
            fetch: how to download; `None` works offline.
            judge: refuses an entry that may not be used; only the experimental lane gives another than the gate's.
            observer: receives the progress of downloads.
        """
        self._cache = cache
        self._repository = repository
        self._fetch = fetch
        self._judge = judge
        self._observer = observer or SilentObserver()

    def resolve(self, entry: AllowlistEntry) -> ResolvedWeights:
        """Local, checked files of `entry`; an entry of kind `none` has none.

        Raises:
            GateError: the refusals of the gate, `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>`.
        """
        self._judge(entry)
        return ResolvedWeights(entry, {item.path: self._resolve_file(entry, item) for item in entry.files})

    def require_pinned(self, entry: AllowlistEntry) -> None:
        """Refuse an entry that could never be used as the list is, without reading its files.

        Raises:
            GateError: the refusals of the gate, `weights_unavailable:<id>`, a file has no digest on the list.
        """
        self._judge(entry)
        for item in entry.files:
            if item.sha256 is None:
                raise self._not_pinned(entry, item)

    def obtain(self, entry: AllowlistEntry, item: WeightsFile) -> Path:
        """A file that is about to be pinned: where it belongs, else downloaded there. Its content is not judged here.

        Raises:
            GateError: `weights_unavailable:<id>`, it is not there and cannot be downloaded.
        """
        path = self.place(entry, item)
        return path if path is not None and path.is_file() else self._download(entry, item, LARGEST_MODEL_BYTES)

    def _resolve_file(self, entry: AllowlistEntry, item: WeightsFile) -> Path:
        path = self.place(entry, item)
        if item.sha256 is None:
            raise self._not_pinned(entry, item)
        if path is None or not path.is_file():
            path = self._download(entry, item)
        if item.bytes not in (None, path.stat().st_size) or files.sha256_file(path) != item.sha256:
            raise GateError(
                f"{path} is not the file that the allowlist pins for {entry.id}.",
                reason=f"weights_checksum_mismatch:{entry.id}",
                hint="Remove the file and fetch it again from the source that the allowlist names.",
            )
        return path

    def _not_pinned(self, entry: AllowlistEntry, item: WeightsFile) -> GateError:
        files_of_it = "its file" if len(entry.files) == 1 else f"its {len(entry.files)} files"
        if all(each.url for each in entry.files):
            how = f"Fetch, inspect and pin {files_of_it} in one command: scripts/voice/pin_weights.py {entry.id}."
        else:
            place = self._cache / entry.id
            how = f"Put {files_of_it} below {place}, then pin: scripts/voice/pin_weights.py {entry.id}."
        return _unavailable(entry, f"{item.path} is not pinned: the allowlist gives no sha256 for it", how)

    def place(self, entry: AllowlistEntry, item: WeightsFile) -> Path | None:
        """The path of a file, present or not; `None` where its package is not installed."""
        if item.location == "repository":
            return self._repository / item.path
        if item.location == "cache":
            return self._cache / entry.id / item.path
        try:
            return Path(str(importlib.metadata.distribution(item.package or "").locate_file(item.path)))
        except importlib.metadata.PackageNotFoundError:
            return None

    def _download(self, entry: AllowlistEntry, item: WeightsFile, most: int = MAX_DOWNLOAD_BYTES) -> Path:
        if item.location != "cache" or item.url is None or self._fetch is None:
            raise _unavailable(
                entry,
                f"{item.path} is not on this machine",
                f"Put the file at {self.place(entry, item) or item.path}, or run where it can be downloaded.",
            )
        target = self._cache / entry.id / item.path
        # The name carries the pin, so that the partial file of another pin is not resumed.
        partial = target.with_name(f".{target.name}.{(item.sha256 or '')[:16]}.part")
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            if item.sha256 is None:
                partial.unlink(missing_ok=True)  # without a digest it cannot be checked after it is resumed
        except OSError as error:
            raise StorageError.from_os_error(error, partial.parent) from error
        try:
            self._fetch(item.url, partial, max_bytes=item.bytes or most, progress=self._progress(entry, item))
        except DownloadError as error:
            raise _unavailable(
                entry,
                f"{item.url} could not be downloaded: {error}",
                f"Start again{': the download resumes' if item.sha256 else ''}. Or put the file at {target} by hand.",
            ) from error
        if item.sha256 is not None and files.sha256_file(partial) != item.sha256:
            partial.unlink()
            raise GateError(
                f"The file from {item.url} is not the one that the allowlist pins for {entry.id}.",
                reason=f"weights_checksum_mismatch:{entry.id}",
                hint="Nothing was kept. Compare the allowlist's sha256 with the provider's.",
            )
        files.publish_file(partial, target)
        return target

    def _progress(self, entry: AllowlistEntry, item: WeightsFile) -> Progress:
        """Reports to the observer, in tenths of the file where its size is known."""
        self._observer.stage(f"download {entry.id}", 100)
        last = -1

        def progress(done: int, total: int | None) -> None:
            nonlocal last
            whole = item.bytes or total
            tenth = min(10, done * 10 // whole) if whole else 0
            if tenth != last:
                last = tenth
                megabytes = f"{done / _MEGABYTE:.1f}" + (f" of {whole / _MEGABYTE:.1f}" if whole else "")
                self._observer.advance(tenth * 10, f"{megabytes} MB")

        return progress


def read_checked(path: Path, sha256: str | None) -> bytes:
    """The bytes of a resolved file, hashed as they are read: the file could have been exchanged since.

    Raises:
        GateError: `weights_unavailable:<name>`, `weights_checksum_mismatch:<name>`.
    """
    try:
        data = files.read_whole(path, MAX_DOWNLOAD_BYTES)
    except OSError as error:
        raise _exchanged(path, "weights_unavailable", f"cannot be read: {error.strerror}") from error
    if sha256 is not None and files.sha256_bytes(data) != sha256:
        raise _exchanged(path, "weights_checksum_mismatch", "has changed since its digest was checked")
    return data


def copy_checked(path: Path, sha256: str, target: Path) -> None:
    """Copy a resolved file and hash the copy, which is the file to load.

    Raises:
        GateError: `weights_unavailable:<name>`, `weights_checksum_mismatch:<name>`.
    """
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise _exchanged(path, "weights_unavailable", f"cannot be copied for loading: {error.strerror}") from error
    if files.sha256_file(target) != sha256:
        raise _exchanged(path, "weights_checksum_mismatch", "has changed since its digest was checked")


def _exchanged(path: Path, reason: str, why: str) -> GateError:
    return GateError(
        f"The weights file {path} {why}.", reason=f"{reason}:{path.name}", hint="Check the file, and start again."
    )


def _unavailable(entry: AllowlistEntry, why: str, hint: str) -> GateError:
    return GateError(
        f"The weights {entry.id} are not available: {why}.", reason=f"weights_unavailable:{entry.id}", hint=hint
    )
