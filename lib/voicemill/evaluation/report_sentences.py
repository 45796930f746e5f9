"""Sentences of the voice report with their sounds and pictures, as data URIs within a budget."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from voicemill.evaluation.candidates import ReferenceSentence
from voicemill.evaluation.charts import Series, line_chart, mel_picture
from voicemill.evaluation.model import Evaluation, SentenceResult
from voicemill.evaluation.pages import SoundPlayer, SoundUri, flac_uri
from voicemill.metrics.error_rate import spoken_words
from voicemill.metrics.pitch_errors import pitch_contour
from voicemill.metrics.spectral import MelSettings, log_mel

Samples = NDArray[np.float32]
MEDIA_BUDGET = 6_000_000
"""Bytes of data URIs in one report; sentences beyond it are listed without players, and the report says so."""

TRIAL_BUDGET = 3_000_000
"""The same for the test sentences without recordings."""


@dataclass(frozen=True)
class ReportSounds:
    """Sounds of an evaluation, as the report plays them."""

    sample_rate: int = 22_050
    references: Sequence[ReferenceSentence] = ()
    spoken: Mapping[str, Mapping[str, Samples]] = field(default_factory=dict)
    """`VoiceEvaluation.spoken`: vocoder -> sentence id -> samples."""
    trials: Sequence[Samples] = ()
    """`VoiceEvaluation.trials`: the test sentences, in step with `evaluation.trials`."""
    synthetic_uri: SoundUri = flac_uri
    """Data URI of a synthetic sound; the lane's has the voice's marks."""
    pitch_range: tuple[float, float] | None = None
    """Hz; pitch charts are left out without it."""


@dataclass(frozen=True)
class ReportSentence:
    """One sentence with all its sounds and a chart of their pitch."""

    id: str
    text: str
    takes: list[SoundPlayer]
    pitch: Markup

    @property
    def size(self) -> int:
        return sum(len(take.audio) + len(take.picture) for take in self.takes) + len(self.pitch)


_OBSCENE = re.compile(
    r"(?:mother)?fuck(?:s|ed|ers?|ing)?|(?:bull)?shit(?:s|ty)?|cunts?|bitch(?:es)?|assholes?|dick(?:s|heads?)?|cock(?:s|suckers?)|"
    r"whores?|sluts?|puss(?:y|ies)|bastards?|nigg(?:ers?|as?)|faggots?"
)
"""Words that a recogniser may write where none were spoken."""


def _masked(words: Sequence[str]) -> str:
    """Words that were recognised by mistake; of an obscene one only the first letter is shown."""
    return " ".join(word[0] + "*" * (len(word) - 1) if _OBSCENE.fullmatch(word) else word for word in words)


def recognised_markup(text: str, recognised: str) -> Markup:
    """The recognised text, with wrong words marked and missed words struck out; the evaluation's file has all of it."""
    spoken, written = spoken_words(text).split(), spoken_words(recognised).split()
    parts: list[Markup] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=spoken, b=written, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(Markup("{}").format(" ".join(written[c:d])))
            continue
        if b > a:
            parts.append(Markup("<del>{}</del>").format(" ".join(spoken[a:b])))
        if d > c:
            parts.append(Markup("<ins>{}</ins>").format(_masked(written[c:d])))
    return Markup(" ").join(parts)


@dataclass(frozen=True)
class TrialRow:
    """A test sentence without a recording."""

    kind: str
    text: str
    spoken: str
    """The normalised text; empty where it equals `text`."""
    read_well: bool | None
    recognised: Markup
    error_rate: float
    seconds: float
    audio: str
    """Empty beyond the budget."""


def trial_rows(sounds: ReportSounds, evaluation: Evaluation, budget: int = TRIAL_BUDGET) -> list[TrialRow]:
    """The test sentences except the clauses, which are parts of the long ones, with players within the budget."""
    found: list[TrialRow] = []
    for index, result in enumerate(evaluation.trials):
        if result.kind == "clause":
            continue
        audio = sounds.synthetic_uri(sounds.trials[index], sounds.sample_rate) if index < len(sounds.trials) else ""
        budget -= len(audio)
        found.append(
            TrialRow(
                kind=result.kind,
                text=result.text,
                spoken=result.spoken if result.spoken != result.text else "",
                read_well=result.read_well,
                recognised=recognised_markup(result.spoken, result.heard),
                error_rate=result.character_error_rate,
                seconds=result.seconds,
                audio=audio if budget >= 0 else "",
            )
        )
    return found


def sentences_within_budget(
    sounds: ReportSounds, evaluation: Evaluation, budget: int = MEDIA_BUDGET
) -> list[ReportSentence]:
    """The sentences in order, as many as fit; loudness differences between the sounds are kept as they are."""
    results = {each.id: each for each in evaluation.sentences}
    shipped = evaluation.chosen_vocoder
    vocoders = sorted(sounds.spoken, key=lambda name: name != shipped)
    chosen: list[ReportSentence] = []
    for reference in sounds.references:
        samples: dict[str, Samples] = {"": reference.samples}
        samples |= {name: found for name in vocoders if (found := sounds.spoken[name].get(reference.id)) is not None}
        result = results.get(reference.id)
        takes = [_player(name, each, sounds, shipped, result) for name, each in samples.items()]
        pitch = _pitch_chart(samples, sounds, shipped)
        sentence = ReportSentence(id=reference.id, text=reference.text, takes=takes, pitch=pitch)
        budget -= sentence.size
        if budget < 0 and chosen:
            break
        chosen.append(sentence if budget >= 0 else replace(sentence, takes=takes[:2]))
    return chosen


def _player(
    vocoder: str, samples: Samples, sounds: ReportSounds, chosen: str | None, result: SentenceResult | None
) -> SoundPlayer:
    shipped = bool(vocoder) and vocoder == chosen
    recognised, rate = None, None
    if result is not None:
        written = result.heard_synthesised.get(vocoder) if vocoder else result.heard_real
        rate = result.character_error_rate_synthesised.get(vocoder) if vocoder else result.character_error_rate_real
        recognised = recognised_markup(result.text, written) if written is not None else None
    return SoundPlayer(
        label=vocoder or "Recording",
        style="made" if shipped else "other" if vocoder else "real",
        shipped=shipped,
        seconds=len(samples) / sounds.sample_rate,
        audio=(sounds.synthetic_uri if vocoder else flac_uri)(samples, sounds.sample_rate),
        picture=mel_picture(log_mel(samples, MelSettings(sample_rate=sounds.sample_rate))),
        recognised=recognised,
        error_rate=rate,
    )


def _pitch_chart(samples: Mapping[str, Samples], sounds: ReportSounds, chosen: str | None) -> Markup:
    """Pitch of the recording and of the voice as it ships, each on its own time axis."""
    if sounds.pitch_range is None:
        return Markup("")
    names = [name for name in samples if name in ("", chosen)]
    series = [_pitch_series(name, samples[name], sounds.sample_rate, sounds.pitch_range) for name in names]
    return line_chart(
        series,
        title="Pitch",
        labels=("seconds", "Hz"),
        wide=True,
        description="F0 of the recording and of the synthesised sentence over time.",
    )


def _pitch_series(name: str, samples: Samples, sample_rate: int, pitch_range: tuple[float, float]) -> Series:
    contour = pitch_contour(samples, sample_rate, pitch_range)
    times: Sequence[float] = (np.arange(len(contour)) * 256 / sample_rate).tolist()
    return Series(
        name=name or "Recording",
        x=times,
        y=[float(value) if value > 0 else None for value in contour],
        style="made" if name else "real",
    )
