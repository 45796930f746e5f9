"""One place to ask for the weights of a tool: the licence gate, then the store."""

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
    """Where weights are taken from.

    Attributes:
        allowlist: the list that is judged by.
        cache: the weights cache.
        repository: root of the checkout.
    """

    allowlist: Path
    cache: Path
    repository: Path

    def entry(self, weights_id: str, kind: Kind) -> AllowlistEntry:
        """What the list says of them.

        Raises:
            GateError: what the gate says, `allowlist_rejected:kind_is_<kind>`.
        """
        entry = gate.select(weights_id, self.allowlist).entry
        gate.require_kind(entry, kind)
        return entry

    def resolve(self, weights_id: str, kind: Kind, *, download: bool) -> ResolvedWeights:
        """Checked files of an entry.

        Args:
            weights_id: id on the list.
            kind: what they have to be.
            download: whether missing files may be fetched from where the list says.

        Raises:
            GateError: see `entry`; `weights_unavailable:<id>`, `weights_checksum_mismatch:<id>`.
        """
        return self._store(download).resolve(self.entry(weights_id, kind))

    def first(self, kind: Kind) -> tuple[ResolvedWeights | None, str | None]:
        """The first entry of a kind that may be used and whose files are here; fetches nothing.

        Returns:
            The weights, or None and why the last of them cannot be used (None where none is listed).
        """
        why = None
        for entry in allowlist.load(self.allowlist).allowlist.weights:
            if entry.kind == kind:
                try:
                    return self._store(download=False).resolve(entry), None
                except GateError as error:
                    why = f"{entry.id} cannot be used: {error.reason}."
        return None, why

    def _store(self, download: bool) -> WeightsStore:
        return WeightsStore(self.cache, self.repository, fetch=fetch if download else None)
