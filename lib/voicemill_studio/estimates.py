"""Presets in plain words, and the time that a training takes before it is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from voicemill.errors import VoicemillError
from voicemill.settings import REPOSITORY
from voicemill.training.config import TrainingConfig, load_config
from voicemill_serve.job_store import ScriptJob

CONFIG = REPOSITORY / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"
PRESETS = {
    "smoke": ("Try the path", "Proves that everything works. The voice does not learn to speak."),
    "cpu": ("Without a GPU", "The whole training on this machine's processor, for some minutes of speech."),
    "fine": ("Without a GPU, longer", "As before, with three times the steps and a longer tuning to the speaker."),
    "gpu": ("With a GPU", "From nothing, for some minutes to an hour of speech."),
    "finetune": ("From a published voice", "Starts from a published English voice, where its checkpoints are pinned."),
    "scratch": ("Full size", "The largest model from nothing, for a GPU and an hour of speech or more."),
}
"""Name and description of each preset, for people."""
MEASURED = {"smoke": 90.0, "cpu": 194.0}
"""Seconds of the whole job on the demo, which has six minutes of speech; `cpu`: docs/benchmarks.md, the first table."""
RECENT = 5
"""Trainings of the same preset whose times are taken."""


@dataclass(frozen=True)
class TrainingTime:
    """The time of a training.

    Attributes:
        seconds: None where none of its kind was measured.
        basis: where the figure is from, one sentence.
        steps: of the acoustic model and of the vocoder.
    """

    seconds: float | None
    basis: str
    steps: tuple[int, int]

    @property
    def text(self) -> str:
        """For people, without the basis."""
        return f"about {length(self.seconds)}" if self.seconds is not None else "not known yet"


@dataclass(frozen=True)
class Preset:
    """A preset with its estimate for one amount of speech."""

    name: str
    title: str
    words: str
    estimate: TrainingTime


def presets_for(minutes: float | None, jobs: Iterable[ScriptJob]) -> list[Preset]:
    """Every preset that can be read.

    Args:
        minutes: of speech in the dataset; None where it is not known.
        jobs: trainings of this server, newest first.
    """
    ended = list(jobs)
    found = []
    for name, (title, words) in PRESETS.items():
        try:
            config = load_config(CONFIG, name)
        except VoicemillError:
            continue
        found.append(Preset(name, title, words, estimate(config, name, minutes, ended)))
    return found


def estimate(config: TrainingConfig, preset: str, minutes: float | None, jobs: Iterable[ScriptJob]) -> TrainingTime:
    """The time of a training with a preset, from those that ended here, else from the measured ones."""
    planned = config if minutes is None else config.for_audio(60.0 * minutes)
    steps = (planned.acoustic.max_steps, planned.vocoder.max_steps)
    here = [seconds for job in jobs if (seconds := _seconds(job, preset)) is not None][:RECENT]
    if here:
        count = "the last training" if len(here) == 1 else f"the last {len(here)} trainings"
        return TrainingTime(median(here), f"As long as {count} with this preset took on this machine.", steps)
    if preset in MEASURED:
        return TrainingTime(MEASURED[preset], "Measured on two quiet cores with six minutes of speech.", steps)
    words = f"{steps[0]:,} steps" + (f" and {steps[1]:,} of the vocoder" if steps[1] else "")
    return TrainingTime(None, f"{words}; the time left is shown after the first steps.", steps)


def _seconds(job: ScriptJob, preset: str) -> float | None:
    """How long a training with a preset took that ran to its end without a break."""
    request = (job.metadata or {}).get("request") or {}
    if job.state != "done" or job.endedAt is None or request.get("preset") != preset or request.get("resume"):
        return None
    if request.get("max_steps"):
        return None
    return (job.endedAt - job.startedAt) / 1000


def length(seconds: float) -> str:
    """A duration in words, rounded as people would."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds" if round(seconds) > 1 else "a second"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
