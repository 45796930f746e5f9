"""One place to ask for the weights of a tool: the licence gate, then the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemill.weights import gate
from voicemill.weights.allowlist import Kind
from voicemill.weights.download import fetch
from voicemill.weights.store import ResolvedWeights, WeightsStore


@dataclass(frozen=True)
class Shelf:
    """Where weights are taken from.

    Attributes:
        allowlist: the list that is judged by.
        cache: the weights cache.
        repository: root of the checkout.
    """

    allowlist: Path
    cache: Path
    repository: Path

    def take(self, weights_id: str, kind: Kind, *, download: bool) -> ResolvedWeights:
        """Checked files of an entry.

        Args:
            weights_id: id on the list.
            kind: what they have to be.
            download: whether missing files may be fetched from where the list says.

        Raises:
            GateError: what the gate says, `allowlist_rejected:kind_is_<kind>`, `weights_unavailable:<id>`,
                `weights_checksum_mismatch:<id>`.
        """
        entry = gate.select(weights_id, self.allowlist).entry
        gate.require_kind(entry, kind)
        store = WeightsStore(self.cache, self.repository, fetch=fetch if download else None)
        return store.resolve(entry)
