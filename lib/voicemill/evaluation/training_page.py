"""The page that follows a training: curves, durations, pitch, and the sound of the voice at each checkpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from voicemill import files
from voicemill.evaluation.charts import Series, line_chart, mel_picture
from voicemill.evaluation.pages import Chart, SoundPlayer, SoundUri, flac_uri, render
from voicemill.metrics.pitch_errors import pitch_contour
from voicemill.metrics.spectral import MelSettings, log_mel
from voicemill.synthesis.griffin_lim import griffin_lim
from voicemill.synthesis.mel import AudioConfig
from voicemill.training import rate_search
from voicemill.training.checkpoint import StepReport
from voicemill.training.data import TrainingClip, read_audio
from voicemill.training.durations import token_spans
from voicemill.training.hooks import Preview

TEMPLATE = Path(__file__).with_name("training_page.html.j2")
ITERATIONS = 30
"""Of Griffin-Lim: enough to follow a voice by ear, in half the time of the final synthesis."""
KEPT_TAKES = 6
"""Checkpoints whose sound is kept for each sentence: the first, and the newest."""


@dataclass
class TrainingSentence:
    """A fixed sentence: its recording first, then the voice after an increasing number of steps."""

    text: str
    takes: list[SoundPlayer]
    pitch: Markup = field(default_factory=Markup)
    alignment: Markup = field(default_factory=Markup)


@dataclass
class TrainingPage:
    """Collects the reports of a training and writes the page; it runs in its own process, because it synthesises sound.

    Attributes:
        path: of the HTML file.
        pitch_range: lowest and highest F0 of the speaker, Hz.
        finished: the training has ended, so that the page need not reload.
        synthetic_uri: data URI of a synthetic sound; it is sent to another process.
        rate_search: file of the learning-rate finder, if it was used (`training.rate_search`).
    """

    path: Path
    display_name: str
    voice: str
    audio: AudioConfig
    pitch_range: tuple[float, float]
    max_steps: int
    finished: bool = False
    rate_search: Path | None = None
    synthetic_uri: SoundUri = flac_uri
    reports: list[StepReport] = field(default_factory=list)
    _sentences: dict[str, TrainingSentence] = field(default_factory=dict, repr=False)

    @property
    def sentences(self) -> list[TrainingSentence]:
        """Sentences that the voice has spoken at least once."""
        return list(self._sentences.values())

    @property
    def headline(self) -> str:
        """The state of the training in one sentence."""
        if not self.reports:
            return "No step has been completed yet."
        step, loss = self.reports[-1].step, self.reports[-1].loss
        ending = "Training has finished" if self.finished else "Training is running"
        return f"{ending}: step {step} of {self.max_steps}, loss {loss:.3f}."

    @property
    def drawn_at(self) -> str:
        """RFC 3339."""
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def curves(self) -> list[Chart]:
        """Loss terms, the learning rate, and its search."""
        terms = {
            "total": [each.loss for each in self.reports],
            "mel": [each.mel_loss for each in self.reports],
            "duration": [each.duration_loss for each in self.reports],
            "pitch": [each.pitch_loss for each in self.reports],
        }
        rates = {"learning rate": [each.learning_rate for each in self.reports]}
        both = (("Loss and its terms", "loss", terms, True), ("Learning rate", "rate", rates, False))
        found = [chart for each in both if (chart := self._curve(*each))]
        return [*found, search] if (search := self._search_curve()) else found

    def add(self, previews: Sequence[Preview]) -> None:
        """Synthesise and draw the newest state of the voice."""
        for preview in previews:
            self._add(preview)

    def write(self) -> None:
        """Write the page atomically.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        files.write_text(self.path, render(TEMPLATE, page=self))

    def _add(self, preview: Preview) -> None:
        clip, rate = preview.clip, self.audio.sample_rate
        real = read_audio(clip.audio, rate)
        if clip.id not in self._sentences:
            mel = log_mel(real, MelSettings(sample_rate=rate))
            recording = _player("Recording", "real", flac_uri(real, rate), mel, len(real) / rate)
            self._sentences[clip.id] = TrainingSentence(clip.text, [recording])
        sentence = self._sentences[clip.id]
        made = griffin_lim(preview.mel, self.audio, iterations=ITERATIONS)
        audio = self.synthetic_uri(made, rate)
        sentence.takes.append(_player(f"Step {preview.step}", "made", audio, preview.mel, len(made) / rate))
        if len(sentence.takes) > 1 + KEPT_TAKES:
            del sentence.takes[2]
        sentence.pitch = self._pitch_chart(real, made)
        sentence.alignment = alignment_chart(preview, len(real) / rate, self.audio)

    def _pitch_chart(self, real: NDArray[np.float32], made: NDArray[np.float32]) -> Markup:
        series = []
        for style, samples in (("real", real), ("made", made)):
            contour = pitch_contour(samples, self.audio.sample_rate, self.pitch_range)
            times = (np.arange(len(contour)) / self.audio.frames_per_second).tolist()
            series.append(Series(style, times, [value or None for value in contour.tolist()], style))
        return line_chart(
            series,
            title="Pitch",
            description="F0 of the recording and of the voice over time.",
            labels=("seconds", "Hz"),
            wide=True,
        )

    def _search_curve(self) -> Chart | None:
        found = rate_search.read(self.rate_search) if self.rate_search else None
        if found is None or not found.curve:
            return None
        rates, losses = ([pair[index] for pair in found.curve] for index in (0, 1))
        title, caption = "Learning-rate search", f"Loss at rates from {rates[0]:.0e} to {rates[-1]:.0e}, smoothed."
        series = [Series("loss", [math.log10(rate) for rate in rates], losses, "c0")]
        svg = line_chart(
            series,
            title=title,
            description=caption,
            labels=("learning rate, power of ten", "loss"),
            logarithmic=True,
        )
        return Chart(title, svg, caption, [("loss", "c0")])

    def _curve(self, title: str, unit: str, named: dict[str, list[float]], logarithmic: bool) -> Chart | None:
        steps = [each.step for each in self.reports]
        shown = [(name, values) for name, values in named.items() if any(values)]
        series = [Series(name, steps, values, f"c{index}") for index, (name, values) in enumerate(shown)]
        ends = "; ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, values in shown)
        svg = line_chart(
            series,
            title=title,
            description=f"{ends}.",
            labels=("training step", unit),
            logarithmic=logarithmic,
        )
        return Chart(title, svg, f"{ends}.", [(each.name, each.style) for each in series]) if svg else None


def alignment_chart(preview: Preview, seconds: float, audio: AudioConfig) -> Markup:
    """Tokens against their end times: in the forced alignment of the recording, and in the voice."""
    clip: TrainingClip = preview.clip
    spans = token_spans(list(preview.tokens), clip.words, seconds, clip=clip.id, strict=False)
    ends = {
        "real": [span.end for span in spans],
        "made": [frames / audio.frames_per_second for frames in accumulate(preview.durations)],
    }
    series = [Series(style, [0.0, *at], list(range(len(at) + 1)), style) for style, at in ends.items()]
    return line_chart(
        series,
        title="End time of each phone",
        description=f"Recording {ends['real'][-1]:.2f} s, voice {ends['made'][-1]:.2f} s for {len(spans)} tokens.",
        labels=("seconds", "phones and pauses so far"),
        wide=True,
    )


def _player(label: str, style: str, audio: str, mel: NDArray[np.float32], seconds: float) -> SoundPlayer:
    return SoundPlayer(
        label=label,
        style=style,
        shipped=False,
        seconds=seconds,
        audio=audio,
        picture=mel_picture(mel),
        recognised=None,
        error_rate=None,
    )
