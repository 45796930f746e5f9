"""A long recording and its script, in reading order: which sentence is spoken where.

The recording is heard stretch by stretch with a language model made of the script (`hearing`), takes of the sentences
are found among the heard words (`matching`), and utterances of 1 to 12 s are cut in the pauses around them
(`boundaries`). Sentences may be left out or repeated, and other speech may come between; a script of some other
recording is refused.

Measured on the demo (425 s, 337 s of them speech, 110 sentences): all 110 sentences, each its own utterance, 101 with
every word heard, the worst at a similarity of 0.60; 16.4 s of processor time in one process, 26 x real time; 18.2 s in
a pool of two, to be shared by its cores; 270 MB a process. With other scripts (three tried on its first 20 sentences)
0 to 1% of the speech finds text.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from voicemill.align.forced_alignment import Aligner
from voicemill.align.long_utterances import divide
from voicemill.align.script_matching import Match, choose, find_takes
from voicemill.align.script_recognition import HeardWord, hear
from voicemill.align.utterance_boundaries import Islands, Piece, make_pieces
from voicemill.audio.cuts import Cut, Join
from voicemill.audio.levels import Levels
from voicemill.audio.segmentation import Segmentation, pad
from voicemill.audio.sound import Sound
from voicemill.audio.vad import Span
from voicemill.errors import DatasetError
from voicemill.progress import Observer, SilentObserver
from voicemill.text.lexicon import Lexicon
from voicemill.text.normalise import words as words_of

MIN_SHARE = 0.5
"""With less than this share of the speech and of the script matched, the script belongs to some other recording."""


@dataclass(frozen=True)
class Utterance:
    """A stretch of the recording and what is said in it.

    Attributes:
        start: seconds, in a pause.
        end: seconds, in a pause.
        text: the sentences as given to `match_script`, or the part of one that is spoken here.
        sentences: indices of these sentences in the script.
        similarity: 1 - word errors of the recogniser / words; 1.0 when every word was heard.
        character_errors: what the recogniser heard in it against its text, errors / characters; None when not measured.
        cuts: why it begins and ends where it does.
        joins: pauses inside it at which it was not parted.
    """

    start: float
    end: float
    text: str
    sentences: tuple[int, ...]
    similarity: float
    character_errors: float | None = None
    cuts: tuple[Cut, ...] = ()
    joins: tuple[Join, ...] = ()

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Take:
    """Another take of a sentence that is among the utterances; the last good take is the one that is kept."""

    start: float
    end: float
    sentence: int


@dataclass(frozen=True)
class Unusable:
    """Speech whose text is known but which makes no clip: `too_long` without a pause, `too_short`, or `extra_speech`
    in it.
    """

    start: float
    end: float
    text: str
    reason: str


@dataclass(frozen=True)
class ScriptMatch:
    """What was found; every second of `spans` is in an utterance, a repeated take, unusable or unmatched.

    Attributes:
        utterances: in the order of time, disjoint, within the limits.
        skipped: indices of sentences that were not found.
        repeats: other takes of sentences that were found.
        unusable: speech with known text that cannot be cut to the limits.
        unmatched: speech with no text.
        speech_seconds: all speech.
        matched_seconds: speech in utterances, repeated takes and unusable pieces.
    """

    utterances: tuple[Utterance, ...]
    skipped: tuple[int, ...]
    repeats: tuple[Take, ...]
    unusable: tuple[Unusable, ...]
    unmatched: tuple[Span, ...]
    speech_seconds: float
    matched_seconds: float


class Listen(Protocol):
    """Recognises stretches of a recording: `hearing.hear`, or something that remembers what it heard."""

    def __call__(
        self,
        sound: Sound,
        spans: Sequence[Span],
        sentences: Sequence[Sequence[str]],
        lexicon: Lexicon,
        observer: Observer,
        /,
    ) -> list[HeardWord]:
        """See `hearing.hear`."""


def match_script(
    sound: Sound,
    spans: Sequence[Span],
    sentences: Sequence[str],
    lexicon: Lexicon,
    observer: Observer | None = None,
    *,
    limits: Segmentation | None = None,
    listen: Listen = hear,
) -> ScriptMatch:
    """Find the sentences of a script in a recording.

    Args:
        sound: the recording.
        spans: speech from `vad.speech_spans`, ascending and disjoint.
        sentences: normalised text, in reading order.
        lexicon: pronunciations.
        observer: `advance` counts the spans that have been heard (`len(spans)` in all); the caller announces the stage.
        limits: durations and padding of utterances.
        listen: how the recording is heard.

    Raises:
        DatasetError: `missing_transcript`, the script has no words; `script_mismatch`, the recording says something
            else (the message names the first spans with no text); `no_speech`, there are no spans.
    """
    limits = limits or Segmentation()
    script = [words_of(sentence) for sentence in sentences]
    if not any(script):
        raise DatasetError(
            "The script holds no words.", reason="missing_transcript", hint="Give the text that is read."
        )
    if not spans:
        raise DatasetError(
            "Nobody speaks in the recording.", reason="no_speech", hint="Check the microphone and the level."
        )
    heard = listen(sound, spans, script, lexicon, observer or SilentObserver())
    takes, repeated = choose(find_takes(script, [word.text for word in heard]), script)
    islands = Islands(spans, heard)
    aligner = Aligner(lexicon)
    pieces = [
        part
        for whole in make_pieces(takes, islands, sentences, limits)
        for part in (divide(whole, sound, sentences, aligner, limits) if whole.problem == "too_long" else [whole])
    ]
    repeats = [Take(heard[take.first].start, heard[take.last - 1].end, take.sentence) for take in repeated]
    covered = sorted([piece.span for piece in pieces] + [Span(take.start, take.end) for take in repeats])
    unmatched = _outside(islands.spans, covered)
    speech = sum(span.duration for span in spans)
    matched = speech - sum(span.duration for span in unmatched)
    found = {take.sentence for take in takes}
    skipped = [index for index, words in enumerate(script) if words and index not in found]
    _check(matched / speech, 1.0 - len(skipped) / sum(map(bool, script)), unmatched)
    utterances = _pad([piece for piece in pieces if not piece.problem], unmatched, sound, limits)
    utterances = _compare(utterances, heard)
    unusable = [
        Unusable(piece.span.start, piece.span.end, piece.text, piece.problem) for piece in pieces if piece.problem
    ]
    return ScriptMatch(
        tuple(utterances), tuple(skipped), tuple(repeats), tuple(unusable), tuple(_merge(unmatched)), speech, matched
    )


def _outside(spans: Sequence[Span], covered: Sequence[Span]) -> list[Span]:
    """The spans of which less than half lies within `covered` (in the order of time)."""
    starts = [span.start for span in covered]
    ends = list(itertools.accumulate((span.end for span in covered), max))
    found = []
    for span in spans:
        near = covered[bisect.bisect_right(ends, span.start) : bisect.bisect_left(starts, span.end)]
        inside = sum(max(0.0, min(span.end, other.end) - max(span.start, other.start)) for other in near)
        if inside < 0.5 * span.duration:
            found.append(span)
    return found


def _compare(utterances: Sequence[Utterance], heard: Sequence[HeardWord]) -> list[Utterance]:
    """What was heard within each utterance against its text, in characters."""
    import jiwer

    middles = [(word.start + word.end) / 2 for word in heard]
    compared = []
    for one in utterances:
        words = heard[bisect.bisect_left(middles, one.start) : bisect.bisect_right(middles, one.end)]
        rate = jiwer.cer(" ".join(words_of(one.text)), " ".join(word.text for word in words))
        compared.append(replace(one, character_errors=float(rate)))
    return compared


def _merge(spans: Sequence[Span]) -> list[Span]:
    """Islands that follow each other closely are one stretch to the reader of a report."""
    merged: list[Span] = []
    for span in spans:
        if merged and span.start - merged[-1].end < 0.5:
            merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return merged


def _check(speech_share: float, script_share: float, unmatched: Sequence[Span]) -> None:
    if speech_share >= MIN_SHARE or script_share >= MIN_SHARE:
        return
    where = ", ".join(f"{span.start:.1f}-{span.end:.1f} s" for span in _merge(unmatched)[:5])
    raise DatasetError(
        f"The script is not what is said: text was found for {speech_share:.0%} of the speech, and {script_share:.0%} "
        f"of the sentences were found; no text for {where}, ...",
        reason="script_mismatch",
        hint="Give the script of this recording, in the order in which it is read.",
    )


def _pad(pieces: Sequence[Piece], others: Sequence[Span], sound: Sound, limits: Segmentation) -> list[Utterance]:
    """Silence around each utterance, up to the quietest point of the pause; no pause is shared with other speech."""
    spans = sorted([piece.span for piece in pieces] + list(others))
    padded = dict(zip((span.start for span in spans), pad(spans, Levels.of_sound(sound), limits), strict=True))
    found = []
    for piece in pieces:
        span, (start, end) = padded[piece.span.start]
        cuts = (replace(start, reason=piece.before), replace(end, reason=piece.after))
        found.append(
            Utterance(span.start, span.end, piece.text, piece.sentences, piece.similarity, cuts=cuts, joins=piece.joins)
        )
    return found


__all__ = ["HeardWord", "Listen", "Match", "ScriptMatch", "Take", "Unusable", "Utterance", "match_script"]
