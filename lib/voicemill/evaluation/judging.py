"""The judges on the sentences of an evaluation: recordings and synthesised sounds alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voicemill.audio.decode import resample
from voicemill.audio.embedding import centroid
from voicemill.errors import VoicemillError
from voicemill.evaluation.model import JudgedSound
from voicemill.metrics.error_rate import word_errors
from voicemill.metrics.inputs import JudgedRecordings, JudgedSentences, Likeness
from voicemill.metrics.judges import NO_OWN, Judges
from voicemill.metrics.opinion import OpinionScores

Samples = NDArray[np.float32]
MOST_SENTENCES = 48
"""Sentences of a set that are judged; of more, as many at even distances. A sentence costs about 0.7 s of a core."""
MOST_ENROLMENT = 40
"""Training clips whose mean is the speaker."""
SAME_PERSON = 0.88
"""Cosine above which one of the shipped people counts as the speaker and is left out (docs/evaluation.md)."""
RECOGNISER_RATE = 16_000
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Judged:
    """A judged set: what metrics are computed from, and one record for each sentence (None: not judged)."""

    sentences: JudgedSentences
    sounds: tuple[JudgedSound | None, ...]


@dataclass(frozen=True)
class Panel:
    """Judges with the speaker whom they compare a voice with.

    Attributes:
        sample_rate: of all sounds, Hz.
        judges: each a model or the reason that there is none.
        own: recordings of the speaker that the voice was trained on.
        people: embeddings of other people, (people, dimensions).
    """

    sample_rate: int
    judges: Judges = field(default_factory=Judges)
    own: Sequence[Samples] = ()
    people: NDArray[np.float64] | None = None

    @cached_property
    def speaker(self) -> NDArray[np.float64] | str:
        """The mean embedding of the speaker's recordings, or the reason that there is none."""
        model = self.judges.speaker
        if isinstance(model, str):
            return model
        if not self.own:
            return NO_OWN
        clips = [self.own[index] for index in _evenly(len(self.own), MOST_ENROLMENT)]
        vectors = _attempt(lambda: [model.embed(clip, self.sample_rate) for clip in clips])
        return vectors if isinstance(vectors, str) else centroid(np.array(vectors))

    @cached_property
    def others(self) -> NDArray[np.float64]:
        """Embeddings of the other people, without one who may be the speaker."""
        if self.people is None or isinstance(self.speaker, str):
            return np.empty((0, 0))
        return np.asarray(self.people[self.people @ self.speaker < SAME_PERSON])

    @property
    def other_people(self) -> list[float]:
        """Cosine of each other person to the speaker, from low to high."""
        if isinstance(self.speaker, str) or not len(self.others):
            return []
        return sorted(round(float(value), 4) for value in self.others @ self.speaker)

    @property
    def names(self) -> dict[str, str]:
        """Ids of the judges that can be used."""
        found = {"recogniser": self.judges.recogniser, "speaker": self.judges.speaker, "opinion": self.judges.opinion}
        return {role: judge.name for role, judge in found.items() if not isinstance(judge, str)}

    def judge(self, sounds: Sequence[Samples], texts: Sequence[str], advance: Callable[[], None]) -> Judged:
        """Judge synthesised sounds.

        Args:
            sounds: mono, at `sample_rate`.
            texts: what is spoken in each.
            advance: called once for each sound, if there is any judge.
        """
        chosen = _evenly(len(sounds), MOST_SENTENCES)
        picked = [sounds[index] for index in chosen]
        likeness = self._likeness(picked)
        opinions = self._opinions(picked)
        recognised = self._recognised(picked)
        if self.names:
            for _ in sounds:
                advance()
        words = _attempt(lambda: word_errors([texts[index] for index in chosen], recognised), recognised)
        judged = JudgedSentences(words=words, likeness=likeness, opinions=opinions)
        records: list[JudgedSound | None] = [None] * len(sounds)
        for place, index in enumerate(chosen):
            records[index] = _record(judged, recognised, place)
        return Judged(judged, tuple(records))

    def judge_recordings(
        self, sounds: Sequence[Samples], texts: Sequence[str], advance: Callable[[], None]
    ) -> tuple[JudgedRecordings, Judged]:
        """Judge the recordings of the sentences; arguments as in `judge`."""
        judged = self.judge(sounds, texts, advance)
        found = judged.sentences
        return JudgedRecordings(found.words, found.likeness, found.opinions), judged

    def _recognised(self, sounds: Sequence[Samples]) -> list[str] | str:
        model = self.judges.recogniser
        if isinstance(model, str):
            return model
        return _attempt(
            lambda: [model.transcribe(resample(sound, self.sample_rate, RECOGNISER_RATE)) for sound in sounds]
        )

    def _likeness(self, sounds: Sequence[Samples]) -> list[Likeness] | str:
        model, speaker = self.judges.speaker, self.speaker
        if isinstance(model, str) or isinstance(speaker, str):
            return speaker if isinstance(speaker, str) else str(model)

        def likeness(sound: Samples) -> Likeness:
            vector = model.embed(sound, self.sample_rate)
            nearest = float((self.others @ vector).max()) if len(self.others) else None
            return Likeness(float(vector @ speaker), nearest)

        return _attempt(lambda: [likeness(sound) for sound in sounds])

    def _opinions(self, sounds: Sequence[Samples]) -> list[OpinionScores] | str:
        model = self.judges.opinion
        if isinstance(model, str):
            return model
        return _attempt(lambda: [model.score(sound, self.sample_rate) for sound in sounds])


def _attempt(compute: Callable[[], list[_Value]], *needed: object) -> list[_Value] | str:
    """The result, or the reason that there is none; a string among `needed` is such a reason."""
    for each in needed:
        if isinstance(each, str):
            return each
    try:
        return compute()
    except VoicemillError as error:
        return str(error)
    except ImportError as error:  # a package that is installed but does not load
        return f"A judge cannot be loaded: {error}."


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` indices of `count`, at even distances."""
    return list(range(count)) if count <= most else [index * count // most for index in range(most)]


def _record(judged: JudgedSentences, recognised: Sequence[str] | str, place: int) -> JudgedSound:
    """The record of one sound."""

    def of(values: Sequence[_Value] | str) -> _Value | None:
        return None if isinstance(values, str) else values[place]

    words, likeness, opinion = of(judged.words), of(judged.likeness), of(judged.opinions)
    nearest = likeness.nearest if likeness else None
    return JudgedSound(
        recognised=of(recognised),
        word_error_rate=round(words.rate, 6) if words else None,
        similarity=round(likeness.own, 6) if likeness else None,
        nearest_person=None if nearest is None else round(nearest, 6),
        opinion_overall=round(opinion.overall, 6) if opinion else None,
        opinion_p808=round(opinion.p808, 6) if opinion else None,
    )
