"""The licence gate: runs before any download or load, and again when a bundle is built, promoted and verified.

Refusals come in a fixed order, so that the first reason is the same everywhere: missing list, invalid list, not
listed, licence metadata missing, commercial use refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import GateError
from voicemill.weights import licence
from voicemill.weights.allowlist import AllowlistEntry, Kind, LoadedAllowlist, load_allowlist

REQUIRED_METADATA = ("weights_license", "code_license", "commercial_use_allowed", "license_url")

LEXICON_WEIGHTS = "cmusphinx/pocketsphinx-en-us"
"""The entry that the CMU dictionary is part of."""
TOOL_WEIGHTS = ("snakers4/silero-vad", LEXICON_WEIGHTS)
"""Weights that every preparation loads: voice activity detection; aligner, recogniser and lexicon."""


@dataclass(frozen=True)
class SelectedWeights:
    """An entry that passed the gate, and the list that it passed."""

    entry: AllowlistEntry
    allowlist_path: Path
    allowlist_sha256: str


def select(weights_id: str, allowlist: Path | LoadedAllowlist) -> SelectedWeights:
    """Accept one set of weights, or refuse it.

    Args:
        weights_id: id on the list.
        allowlist: path of the list, or the list already loaded.

    Raises:
        GateError: `allowlist_missing:<path>`, `allowlist_invalid:<why>`,
            `allowlist_rejected:selected_weights_not_listed`, `allowlist_missing_license_metadata:<fields>`,
            `allowlist_commercial_rejected`.
    """
    loaded = allowlist if isinstance(allowlist, LoadedAllowlist) else load_allowlist(allowlist)
    entry = listed(weights_id, loaded)
    check_entry(entry)
    return SelectedWeights(entry, loaded.path, loaded.sha256)


def listed(weights_id: str, loaded: LoadedAllowlist) -> AllowlistEntry:
    """The entry of that id; its licences are not judged here.

    Raises:
        GateError: `allowlist_rejected:selected_weights_not_listed`.
    """
    entry = loaded.find(weights_id)
    if entry is None:
        near = difflib.get_close_matches(weights_id, [each.id for each in loaded.allowlist.weights], 1)
        raise GateError(
            f"The weights {weights_id!r} are not on the allowlist {loaded.path}.",
            reason="allowlist_rejected:selected_weights_not_listed",
            hint=(f"Did you mean {near[0]}? " if near else "")
            + "Choose an id of the list, or add an entry with licence, evidence and sha256 after review.",
        )
    return entry


def check_entry(entry: AllowlistEntry) -> None:
    """Judge an entry's licences.

    Raises:
        GateError: `allowlist_missing_license_metadata:<fields>`, `allowlist_commercial_rejected`.
    """
    check_stated(entry)
    if entry.commercial_use_allowed is not True:
        raise _rejected(entry.id, "its entry states that commercial use is not allowed")
    for label, expression in (("weights", entry.weights_license), ("code", entry.code_license)):
        judgement = licence.judge(expression)
        if not judgement.permitted:
            raise _rejected(entry.id, f"the licence of its {label} is {judgement.verdict}: {judgement.why}")


def check_stated(entry: AllowlistEntry) -> None:
    """Refuse an entry that does not state its licences.

    Raises:
        GateError: `allowlist_missing_license_metadata:<fields>`.
    """
    missing = [name for name in REQUIRED_METADATA if getattr(entry, name) in (None, "")]
    if missing:
        raise GateError(
            f"The allowlist entry {entry.id} does not state {', '.join(missing)}.",
            reason=f"allowlist_missing_license_metadata:{','.join(missing)}",
            hint="State the licence of the weights, the licence of the code and where they were read.",
        )


def require_kind(entry: AllowlistEntry, *kinds: Kind) -> None:
    """Refuse weights of another kind than the ones asked for.

    Raises:
        GateError: `allowlist_rejected:kind_is_<kind>`.
    """
    if entry.kind not in kinds:
        raise GateError(
            f"The weights {entry.id} are of kind {entry.kind}, not {kinds[0]}.",
            reason=f"allowlist_rejected:kind_is_{entry.kind}",
            hint=f"Choose weights of kind {kinds[0]} from the allowlist.",
        )


def select_all(weights_ids: Iterable[str], allowlist: Path | LoadedAllowlist) -> tuple[SelectedWeights, ...]:
    """`select` for each id, in order, over one reading of the list."""
    loaded = allowlist if isinstance(allowlist, LoadedAllowlist) else load_allowlist(allowlist)
    return tuple(select(weights_id, loaded) for weights_id in weights_ids)


def _rejected(weights_id: str, why: str) -> GateError:
    return GateError(
        f"The weights {weights_id} may not be used: {why}.",
        reason="allowlist_commercial_rejected",
        hint="Choose weights whose own licence clearly allows commercial use.",
    )
