"""Which recogniser writes the text of recordings that have none: the best one that is on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from voicemill.align import second_recogniser, transcription
from voicemill.errors import DependencyError, GateError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.workspace import Workspace


@dataclass(frozen=True)
class KnownRecogniser:
    """A recogniser.

    Attributes:
        option: `--recognise` of voice-prep.
        title: for people.
        errors: words in a hundred that it gets wrong of read speech (docs/benchmarks.md); None where not measured.
    """

    option: str
    title: str
    errors: float | None = None


KNOWN = (
    KnownRecogniser("faster-whisper:Systran/faster-whisper-small", "Whisper Small"),
    KnownRecogniser("nemo:nvidia/stt_en_conformer_ctc_small", "NVIDIA Conformer-CTC Small"),
    KnownRecogniser(f"faster-whisper:{second_recogniser.WEIGHTS_ID}", "Whisper tiny.en", 6.0),
)
"""The best one first."""


def find(workspace: Workspace) -> KnownRecogniser | None:
    """The first of `KNOWN` whose package is installed and whose weights are here, pinned and permitted."""
    registry = WeightsRegistry(REPOSITORY / SHIPPED, workspace.weights_cache, REPOSITORY)
    for known in KNOWN:
        engine, weights_id = transcription.parse(known.option)
        try:
            registry.entry(weights_id, "asr")
            transcription.require(engine)
            registry.resolve(weights_id, "asr", download=False)
        except (DependencyError, GateError):
            continue
        return known
    return None


def require(workspace: Workspace) -> KnownRecogniser:
    """As `find`.

    Raises:
        DependencyError: `extra_missing:faster-whisper`, there is none.
    """
    found = find(workspace)
    if found is None:
        raise DependencyError(
            "There is no recogniser on this machine, so the recordings need their text.",
            reason="extra_missing:faster-whisper",
            hint="Add the text, or install faster-whisper with its weights (docs/studio.md).",
        )
    return found
