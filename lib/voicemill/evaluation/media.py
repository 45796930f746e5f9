"""Sound and pictures of the sentences, as data URIs within a budget."""

from __future__ import annotations

import base64
import difflib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from voicemill.evaluation.charts import Series, line_chart, mel_picture
from voicemill.evaluation.comparison import pitch_contour
from voicemill.evaluation.contents import ReportData
from voicemill.evaluation.model import SentenceResult
from voicemill.metrics.error_rate import spoken_words
from voicemill.metrics.spectral import MelSettings, log_mel

Samples = NDArray[np.float32]
MEDIA_BUDGET = 6_000_000
"""Bytes of data URIs in one report; sentences beyond it are listed without players, and the report says so."""

TRIAL_BUDGET = 3_000_000
"""The same for the test sentences without recordings."""


@dataclass(frozen=True)
class Take:
    """One sound of a sentence: the recording, or the voice through one vocoder."""

    label: str
    style: str
    """`real`, `made` (the chosen vocoder) or `other`."""
    shipped: bool
    seconds: float
    audio: str
    picture: str
    heard: Markup | None
    error_rate: float | None


@dataclass(frozen=True)
class Sentence:
    """One sentence with all its sounds and a chart of their pitch."""

    id: str
    text: str
    takes: list[Take]
    pitch: Markup

    @property
    def size(self) -> int:
        return sum(len(take.audio) + len(take.picture) for take in self.takes) + len(self.pitch)


def flac_uri(samples: Samples, sample_rate: int) -> str:
    """A sound as the data URI of a 16-bit FLAC file: lossless, half of a WAV, played by every current browser."""
    import soundfile

    target = io.BytesIO()
    soundfile.write(target, np.clip(samples, -1.0, 1.0), sample_rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def heard_markup(text: str, heard: str) -> Markup:
    """What the recogniser wrote, with wrong words marked and missed words struck out."""
    spoken, written = spoken_words(text).split(), spoken_words(heard).split()
    parts: list[Markup] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=spoken, b=written, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(Markup("{}").format(" ".join(written[c:d])))
            continue
        if b > a:
            parts.append(Markup("<del>{}</del>").format(" ".join(spoken[a:b])))
        if d > c:
            parts.append(Markup("<ins>{}</ins>").format(" ".join(written[c:d])))
    return Markup(" ").join(parts)


@dataclass(frozen=True)
class TrialTake:
    """A test sentence without a recording."""

    kind: str
    text: str
    spoken: str
    """As the normaliser reads it; empty where that is no other text."""
    read_well: bool | None
    heard: Markup
    error_rate: float
    seconds: float
    audio: str
    """Empty beyond the budget."""


def trial_takes(data: ReportData, budget: int = TRIAL_BUDGET) -> list[TrialTake]:
    """The test sentences but for the clauses, which lie in the long ones, with players as far as the budget goes."""
    found: list[TrialTake] = []
    for index, result in enumerate(data.evaluation.trials):
        if result.kind == "clause":
            continue
        audio = flac_uri(data.trials[index], data.sample_rate) if index < len(data.trials) else ""
        budget -= len(audio)
        found.append(
            TrialTake(
                kind=result.kind,
                text=result.text,
                spoken=result.spoken if result.spoken != result.text else "",
                read_well=result.read_well,
                heard=heard_markup(result.spoken, result.heard),
                error_rate=result.character_error_rate,
                seconds=result.seconds,
                audio=audio if budget >= 0 else "",
            )
        )
    return found


def sentences_within_budget(data: ReportData, budget: int = MEDIA_BUDGET) -> list[Sentence]:
    """The sentences in order, as many as fit; loudness differences between the sounds are kept as they are."""
    results = {each.id: each for each in data.evaluation.sentences}
    chosen: list[Sentence] = []
    for reference in data.references:
        sounds: dict[str, Samples] = {"": reference.samples}
        sounds |= {name: each[reference.id] for name, each in _shipped_first(data).items() if reference.id in each}
        result = results.get(reference.id)
        takes = [_take(name, samples, data, result) for name, samples in sounds.items()]
        sentence = Sentence(id=reference.id, text=reference.text, takes=takes, pitch=_pitch_chart(sounds, data))
        budget -= sentence.size
        if budget < 0 and chosen:
            break
        chosen.append(sentence if budget >= 0 else replace(sentence, takes=takes[:2]))
    return chosen


def _shipped_first(data: ReportData) -> Mapping[str, Mapping[str, Samples]]:
    shipped = data.evaluation.chosen_vocoder
    return dict(sorted(data.spoken.items(), key=lambda item: item[0] != shipped))


def _take(vocoder: str, samples: Samples, data: ReportData, result: SentenceResult | None) -> Take:
    shipped = bool(vocoder) and vocoder == data.evaluation.chosen_vocoder
    heard, rate = None, None
    if result is not None:
        written = result.heard_synthesised.get(vocoder) if vocoder else result.heard_real
        rate = result.character_error_rate_synthesised.get(vocoder) if vocoder else result.character_error_rate_real
        heard = heard_markup(result.text, written) if written is not None else None
    mel = log_mel(samples, MelSettings(sample_rate=data.sample_rate))
    return Take(
        label=vocoder or "Recording",
        style="made" if shipped else "other" if vocoder else "real",
        shipped=shipped,
        seconds=len(samples) / data.sample_rate,
        audio=flac_uri(samples, data.sample_rate),
        picture=mel_picture(mel),
        heard=heard,
        error_rate=rate,
    )


def _pitch_chart(sounds: Mapping[str, Samples], data: ReportData) -> Markup:
    """Pitch of the recording and of the voice as it ships, each on its own time axis."""
    if data.pitch_range is None:
        return Markup("")
    names = [name for name in sounds if name in ("", data.evaluation.chosen_vocoder)]
    series = [_pitch_series(name, sounds[name], data.sample_rate, data.pitch_range) for name in names]
    return line_chart(
        series,
        title="Pitch",
        x_label="seconds",
        y_label="Hz",
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
