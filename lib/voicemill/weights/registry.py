"""The weights of a tool: the licence gate, then the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import GateError
from voicemill.weights import allowlist, gate
from voicemill.weights.allowlist import AllowlistEntry, Kind
from voicemill.weights.download import fetch
from voicemill.weights.store import ResolvedWeights, WeightsStore


@dataclass(frozen=True)
class WeightsRegistry:
    """Resolves ids of the allowlist to checked files.

    Attributes:
        allowlist: path of the allowlist.
        cache: the weights cache.
        repository: root of the checkout.
    """

    allowlist: Path
    cache: Path
    repository: Path

    def entry(self, weights_id: str, kind: Kind) -> AllowlistEntry:
        """The entry of that id.

        Raises:
            GateError: the refusals of the gate, `allowlist_rejected:kind_is_<kind>`.
        """
        entry = gate.select(weights_id, self.allowlist).entry
        gate.require_kind(entry, kind)
        return entry

    def require_pinned(self, weights_id: str, kind: Kind) -> None:
        """Refuse an entry that could never be used as the list is; reads and downloads nothing.

        Raises:
            GateError: see `entry`; `weights_unavailable:<id>`, a file has no digest on the list.
        """
        self._store(download=False).require_pinned(self.entry(weights_id, kind))

    def resolve(self, weights_id: str, kind: Kind, *, download: bool) -> ResolvedWeights:
        """The checked files of an entry.

        Args:
            weights_id: id on the list.
            kind: the kind that the entry must have.
            download: whether missing files may be downloaded from the address on the list.

        Raises:
            GateError: see `entry`; `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>`.
        """
        return self._store(download).resolve(self.entry(weights_id, kind))

    def first(self, kind: Kind) -> tuple[ResolvedWeights | None, str | None]:
        """The first usable entry of a kind whose files are present; downloads nothing.

        Returns:
            The weights, or None and why the last of them cannot be used (None where none is listed).
        """
        why = None
        for entry in allowlist.load_allowlist(self.allowlist).of_kind(kind):
            try:
                return self._store(download=False).resolve(entry), None
            except GateError as error:
                why = f"{entry.id} cannot be used: {error.reason}."
        return None, why

    def _store(self, download: bool) -> WeightsStore:
        return WeightsStore(self.cache, self.repository, fetch=fetch if download else None)
