"""Everything that the stages of one preparation share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from voicemill.align.transcription import RecogniserModel
from voicemill.audio.embedding import SpeakerModel
from voicemill.dataset.cached_recognition import CachedTranscriber
from voicemill.dataset.models import SeparatorChoice
from voicemill.dataset.pool import TaskPool
from voicemill.dataset.request import PreparationRequest
from voicemill.dataset.stage_clock import StageClock
from voicemill.progress import Observer
from voicemill.text.lexicon import Lexicon

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class PreparationContext:
    """The request, the models and the folders of one preparation.

    Attributes:
        request: the settings.
        pool: runs tasks.
        clock: measures stages and reports them to the observer.
        staging: becomes the dataset; decoded recordings lie inside, so that they go away with it.
        cache: the stage cache, which outlives a run.
        lexicon: pronunciations.
        separator: the model that separates the voice, or the reason why there is none.
        speaker: the speaker model, or the reason why there is none.
        transcriber: recogniser for recordings without text.
        checker: second recogniser for texts, where it is installed.
    """

    request: PreparationRequest
    pool: TaskPool
    clock: StageClock
    staging: Path
    cache: Path
    lexicon: Lexicon
    separator: SeparatorChoice
    speaker: SpeakerModel | str
    transcriber: CachedTranscriber | None = None
    checker: RecogniserModel | None = None

    @property
    def observer(self) -> Observer:
        """The person's display."""
        return self.clock.observer

    def map(self, function: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> list[_Result]:
        """The results of a function over tasks, with progress for the observer."""
        return self.pool.map(function, tasks, self.observer)

    def note_cached(self, stage: str, cached: Sequence[bool], unit: str = "clips") -> None:
        """Report how many results came from the stage cache."""
        if any(cached):
            self.observer.note(f"{stage}: {sum(cached)} of {len(cached)} {unit} from the cache")
