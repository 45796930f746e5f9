"""The models of a preparation: what the allowlist permits, the request asks for and this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING

from voicemill import files
from voicemill.align import second_recogniser, transcription
from voicemill.align.transcription import RecogniserModel
from voicemill.audio import separation
from voicemill.audio.embedding import SpeakerModel
from voicemill.audio.separation_model import SeparationModel
from voicemill.dataset.description_parts import SeparationMode
from voicemill.errors import DependencyError, GateError, VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry
from voicemill.weights.store import ResolvedWeights

if TYPE_CHECKING:
    from voicemill.dataset.request import PreparationRequest


NO_MODEL = "No speaker-embedding model is on the weights allowlist."


@dataclass(frozen=True)
class PreparationModels:
    """The models of a preparation.

    Attributes:
        separator: of the voice from music and noise.
        recogniser: of recordings without text; None unless it is asked for.
        speaker: the speaker model, or the reason why there is none.
        checker: the second recogniser, which checks texts; None if it is missing or switched off.
    """

    separator: SeparatorChoice
    recogniser: RecogniserModel | None
    speaker: SpeakerModel | str
    checker: RecogniserModel | None

    @classmethod
    def find(cls, request: PreparationRequest, weights_cache: Path) -> PreparationModels:
        """Find the models of a request.

        Raises:
            GateError: weights that are asked for may not be used, or are not there.
            DependencyError: a tool is missing.
        """
        registry = WeightsRegistry(request.allowlist or REPOSITORY / SHIPPED, weights_cache, REPOSITORY)
        return cls(
            choose_separator(request.separate, request.separator, registry),
            choose_recogniser(request.recognise, registry),
            find_speaker_model(registry),
            find_second_recogniser(registry) if request.check_words else None,
        )

    def tools(self) -> dict[str, str]:
        """Names of the models and of their packages with digests and versions, for the content key."""
        found: dict[str, str] = {}
        if self.separator.model is not None:
            model = self.separator.model
            package = separation.package_of(model.weights_id)
            found |= {package: packages.version(package), model.weights_id: model.sha256}
        if isinstance(self.speaker, SpeakerModel):
            found |= {self.speaker.name: self.speaker.sha256}
        for recogniser in (self.recogniser, self.checker):
            if recogniser is not None:
                found |= recogniser.tools
        return found


@dataclass(frozen=True)
class SeparatorChoice:
    """The mode and the model of the separation; without a model, `missing` is the reason."""

    mode: SeparationMode
    model: SeparationModel | None = None
    missing: VoicemillError | None = None


def choose_separator(mode: SeparationMode, weights_id: str, registry: WeightsRegistry) -> SeparatorChoice:
    """Find the separator's weights. `auto` takes them from the cache and downloads nothing.

    Raises:
        GateError: the weights may not be used, or, where they are asked for, are not there.
        DependencyError: `extra_missing:<package>`, where they are asked for.
    """
    if mode == "never":
        return SeparatorChoice(mode)
    try:
        separation.require(weights_id)
        found = registry.resolve(weights_id, "separation", download=mode == "always")
    except (DependencyError, GateError) as error:
        known = ("extra_missing", "weights_unavailable", "allowlist_rejected", "allowlist_commercial_rejected")
        if mode == "always" or error.code not in known:
            raise
        return SeparatorChoice(mode, missing=error)
    return SeparatorChoice(mode, SeparationModel(found.main, weights_id, found.entry.files[0].sha256 or ""))


def choose_recogniser(name: str | None, registry: WeightsRegistry) -> RecogniserModel | None:
    """The recogniser that `--recognise` names, its files checked; None where none is named.

    Raises:
        UsageError: it does not name a recogniser.
        GateError: its weights may not be used or are not there.
        DependencyError: `extra_missing:faster-whisper`, `nemo_runtime_unavailable`.
    """
    if name is None:
        return None
    engine, weights_id = transcription.parse(name)
    registry.entry(weights_id, "asr")  # the licence gate comes first
    transcription.require(engine)
    found = registry.resolve(weights_id, "asr", download=True)
    return _recogniser(engine, found)


def find_speaker_model(registry: WeightsRegistry) -> SpeakerModel | str:
    """The first speaker model of the allowlist that is installed and passes the licence gate, or why there is none."""
    found, why = registry.first("speaker")
    if found is None:
        return why or NO_MODEL
    return SpeakerModel(found.entry.id, found.main, found.entry.files[0].sha256 or "")


def find_second_recogniser(registry: WeightsRegistry) -> RecogniserModel | None:
    """The recogniser that checks texts (`align.second_recogniser`), its files checked; None where it is not installed
    or not on the allowlist.
    """
    try:
        transcription.require("faster-whisper")
        found = registry.resolve(second_recogniser.WEIGHTS_ID, "asr", download=False)
    except (DependencyError, GateError):
        return None
    return _recogniser("faster-whisper", found)


def _recogniser(engine: str, weights: ResolvedWeights) -> RecogniserModel:
    """Checked weights for an engine of `transcription`: NeMo loads the file, faster-whisper its folder."""
    pins = tuple((Path(item.path).name, item.sha256 or "") for item in weights.entry.files)
    digest = files.content_key([item.sha256 for item in weights.entry.files])
    place = weights.main if engine == "nemo" else weights.main.parent
    return RecogniserModel(engine, weights.entry.id, place, digest, pins)
