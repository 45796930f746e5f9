"""Where allowed weights lie on this machine, checked against their pinned digests.

Invariant: a path that `resolve` hands out was hashed in this call and matches its pin; an entry without a pin is
unavailable.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from voicemill import files
from voicemill.errors import GateError
from voicemill.weights.allowlist import AllowlistEntry, WeightsFile
from voicemill.weights.gate import check_entry

MAX_DOWNLOAD_BYTES = 2 * 1024**3
"""Larger downloads are cut off; NVIDIA's FastPitch and HiFi-GAN archives are below 400 MB."""
DOWNLOAD_TIMEOUT = 30.0
"""Seconds without an answer."""


class Fetch(Protocol):
    """Brings a URL into a file; raises OSError when it cannot."""

    def __call__(self, url: str, target: Path, *, max_bytes: int) -> None: ...


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
    ) -> None:
        """
        Args:
            cache: the weights cache (`Workspace.weights_cache`).
            repository: root of the checkout.
            fetch: how to download; `None` works offline.
            judge: refuses an entry that may not be used; only the experimental lane gives another than the gate's.
        """
        self._cache = cache
        self._repository = repository
        self._fetch = fetch
        self._judge = judge

    def resolve(self, entry: AllowlistEntry) -> ResolvedWeights:
        """Local, checked files of `entry`; an entry of kind `none` has none.

        Raises:
            GateError: what the gate says, `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>`.
        """
        self._judge(entry)
        return ResolvedWeights(entry, {item.path: self._resolve_file(entry, item) for item in entry.files})

    def _resolve_file(self, entry: AllowlistEntry, item: WeightsFile) -> Path:
        path = self.place(entry, item)
        if item.sha256 is None:
            raise _unavailable(
                entry,
                f"{item.path} is not pinned: the allowlist gives no sha256 for it",
                "Check the file's origin, then record its sha256 with scripts/voice/pin_weights.py.",
            )
        if path is None or not path.is_file():
            path = self._download(entry, item)
        if files.sha256_file(path) != item.sha256:
            raise GateError(
                f"{path} is not the file that the allowlist pins for {entry.id}.",
                reason=f"weights_checksum_mismatch:{entry.id}",
                hint="Remove the file and fetch it again from the source that the allowlist names.",
            )
        return path

    def place(self, entry: AllowlistEntry, item: WeightsFile) -> Path | None:
        """Where a file lies or would lie; `None` where its package is not installed."""
        if item.location == "repository":
            return self._repository / item.path
        if item.location == "cache":
            return self._cache / entry.id / item.path
        try:
            return Path(str(importlib.metadata.distribution(item.package or "").locate_file(item.path)))
        except importlib.metadata.PackageNotFoundError:
            return None

    def _download(self, entry: AllowlistEntry, item: WeightsFile) -> Path:
        if item.location != "cache" or item.url is None or self._fetch is None:
            raise _unavailable(
                entry,
                f"{item.path} is not on this machine",
                f"Put the file at {self.place(entry, item) or item.path}, or run where it can be downloaded.",
            )
        target = self._cache / entry.id / item.path
        try:
            with files.atomic_path(target) as temporary:
                self._fetch(item.url, temporary, max_bytes=item.bytes or MAX_DOWNLOAD_BYTES)
                if files.sha256_file(temporary) != item.sha256:
                    raise GateError(
                        f"What {item.url} sent is not the file that the allowlist pins for {entry.id}.",
                        reason=f"weights_checksum_mismatch:{entry.id}",
                        hint="Nothing was kept. Compare the allowlist's sha256 with the provider's.",
                    )
        except DownloadError as error:
            raise _unavailable(
                entry,
                f"{item.url} could not be downloaded: {error}",
                f"Put the file at {target} by hand, or run where it can be downloaded.",
            ) from error
        return target


class DownloadError(Exception):
    """A download failed; the message says why."""


def fetch_https(url: str, target: Path, *, max_bytes: int) -> None:
    """Download over HTTPS, never following a redirect away from it, cut off at `max_bytes`.

    Raises:
        DownloadError: no answer, an error status, another scheme, or too many bytes.
    """
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(_https(url), timeout=DOWNLOAD_TIMEOUT) as answer, target.open("wb") as out:  # noqa: S310
            _https(answer.geturl())
            received = 0
            while block := answer.read(1 << 20):
                received += len(block)
                if received > max_bytes:
                    raise DownloadError(f"more than {max_bytes} bytes")
                out.write(block)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(str(error) or type(error).__name__) from error


def _https(url: str) -> str:
    if urlsplit(url).scheme != "https":
        raise DownloadError("not an https address")
    return url


def _unavailable(entry: AllowlistEntry, why: str, hint: str) -> GateError:
    return GateError(
        f"The weights {entry.id} are not available: {why}.", reason=f"weights_unavailable:{entry.id}", hint=hint
    )
