"""What was heard in long recordings, in a cache keyed by their sound, the stretches of speech, the script and its
pronunciations: a change of what comes after (the loudness of the clips, say) does not listen again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import script_recognition
from voicemill.align.script_recognition import HypothesisWord, Script
from voicemill.audio.vad import Span
from voicemill.audio.waveform import Waveform
from voicemill.dataset import stage_cache
from voicemill.dataset.pool import TaskPool
from voicemill.progress import Observer
from voicemill.text import lexicon


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[tuple[str, float, float, int], ...]


@dataclass(frozen=True)
class Memory:
    """A `ScriptRecogniser` that remembers.

    Attributes:
        digests: of the recordings that the sound is made of, in order.
        gap: seconds of silence between them.
        cache: the stage cache.
        pool: listens.
        shared: a folder that all of the pool see.
    """

    digests: tuple[str, ...]
    gap: float
    cache: Path
    pool: TaskPool
    shared: Path

    def __call__(
        self,
        heard: Waveform,
        spans: Sequence[Span],
        script: Script,
        observer: Observer,
    ) -> list[HypothesisWord]:
        """See `script_recognition.recognise_script`."""
        spoken = {word: script.lexicon.pronounce(word).phones for sentence in script.words for word in sentence}
        stored = stage_cache.model_entry(
            self.cache,
            "heard",
            __name__,
            lexicon.pocketsphinx_version(),
            (self.digests, self.gap),
            [(span.start, span.end) for span in spans],
            (script.words, spoken),
        )
        known = stage_cache.read_model(stored, _Heard)
        if known is not None:
            observer.note(f"segmentation: {len(spans)} stretches of speech, heard before, from the cache")
            return [HypothesisWord(*word) for word in known.words]
        found = script_recognition.recognise_script(
            heard, spans, script, observer, run=self.pool.map, folder=self.shared
        )
        entry = _Heard(words=tuple((word.text, word.start, word.end, word.span_index) for word in found))
        files.write_text(stored, entry.model_dump_json())
        return found
