"""Speech recognition with a cache: words of a script in long recordings, text of utterances that have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from voicemill import files
from voicemill.align import script_recognition, transcription
from voicemill.align.script_recognition import HypothesisWord, Script
from voicemill.align.transcription import SAMPLE_RATE, RecogniserModel
from voicemill.audio import waveform
from voicemill.audio.vad import Span
from voicemill.audio.waveform import MemoryWaveform, Waveform
from voicemill.dataset import stage_cache
from voicemill.dataset.pool import TaskPool
from voicemill.progress import Observer
from voicemill.text import lexicon

_AT_ONCE = 8
"""Utterances that are in memory together."""


class _CachedWords(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    words: tuple[tuple[str, float, float, int], ...]


@dataclass(frozen=True)
class CachedScriptRecogniser:
    """Recognises a script's words, with a cache keyed by recordings, stretches of speech, script and pronunciations.

    Attributes:
        digests: of the recordings, in order.
        gap: seconds of silence between them.
        cache: the stage cache.
        pool: runs the recognition.
        shared: a folder that every process of the pool can read.
    """

    digests: tuple[str, ...]
    gap: float
    cache: Path
    pool: TaskPool
    shared: Path

    def recognise(
        self,
        waveform: Waveform,
        spans: Sequence[Span],
        script: Script,
        observer: Observer,
    ) -> list[HypothesisWord]:
        """See `script_recognition.recognise_script`."""
        spoken = {word: script.lexicon.pronounce(word).phones for sentence in script.words for word in sentence}
        stored = stage_cache.model_entry(
            self.cache,
            "script_recognition",
            __name__,
            lexicon.pocketsphinx_version(),
            (self.digests, self.gap),
            [(span.start, span.end) for span in spans],
            (script.words, spoken),
        )
        known = stage_cache.read_model(stored, _CachedWords)
        if known is not None:
            observer.note(f"segmentation: {len(spans)} stretches of speech, recognised before, from the cache")
            return [HypothesisWord(*word) for word in known.words]
        found = script_recognition.recognise_script(
            waveform, spans, script, observer, run=self.pool.map, folder=self.shared
        )
        entry = _CachedWords(words=tuple((word.text, word.start, word.end, word.span_index) for word in found))
        files.write_text(stored, entry.model_dump_json())
        return found


class _CachedText(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str


@dataclass(frozen=True)
class CachedTranscriber:
    """A recogniser with a cache, one entry an utterance.

    Attributes:
        recogniser: the model.
        cache: the stage cache.
    """

    recogniser: RecogniserModel
    cache: Path

    def transcribe(self, recording: Waveform, spans: Sequence[Span]) -> list[str]:
        """The text of each stretch of a recording; empty where the recogniser finds none."""
        texts: list[str] = []
        for first in range(0, len(spans), _AT_ONCE):
            pieces = [
                waveform.excerpt(recording, one.start, one.end, SAMPLE_RATE) for one in spans[first : first + _AT_ONCE]
            ]
            keys = [self._key(MemoryWaveform(samples, SAMPLE_RATE)) for samples in pieces]
            known = [stage_cache.read_model(key, _CachedText) for key in keys]
            new = [index for index, one in enumerate(known) if one is None]
            if new:
                texts_of_new = transcription.load(self.recogniser).transcribe([pieces[index] for index in new])
                for index, text in zip(new, texts_of_new, strict=True):
                    known[index] = _CachedText(text=text)
                    files.write_text(keys[index], _CachedText(text=text).model_dump_json())
            texts += [one.text for one in known if one is not None]
        return texts

    def _key(self, samples: MemoryWaveform) -> Path:
        tools, digest = self.recogniser.tools, waveform.digest(samples)
        return stage_cache.model_entry(self.cache, "recognition", __name__, tools, digest)
