"""What ten thousand hours and a thousand voices would cost: prints docs/scale.md.

Measured figures come from docs/scale.yaml, which quotes docs/benchmarks.md. Everything else is an option with a stated default: an
assumption, to be replaced by your own price list and your own measurement.

    python scripts/bench/scale.py > docs/scale.md
    python scripts/bench/scale.py --hours 200 --voices 20 --gpu "L4=0.45,0.3"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "docs/scale.yaml"
TEMPLATE = Path(__file__).with_name("scale.template.md")
CORES = 2
"""Cores of the machine that the measured seconds are from (docs/benchmarks.md)."""
PREPARATION = ("decode", "loudness", "voice activity", "segmentation", "clips", "alignment", "pitch", "manifest")
FRAMES_PER_SECOND = 22050 / 256
MACHINES = ((2, 1), (2, 8), (16, 8), (16, 64), (256, 64), (1024, 512))
"""Cores and A100s, each step taking the last one's bottleneck away."""
VOCODER_FRAMES = 8192 / 256
"""Mel frames of a vocoder's training segment: 8192 samples."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as a price list has it: US dollars an hour, and its speed as a multiple of an A100's."""

    name: str
    price: float
    speed: float

    @classmethod
    def parse(cls, text: str) -> Gpu:
        """From `NAME=PRICE,SPEED`.

        Raises:
            click.BadParameter: it is not that.
        """
        name, _, rest = text.partition("=")
        price, _, speed = rest.partition(",")
        try:
            made = cls(name.strip(), float(price), float(speed))
        except ValueError:
            made = cls("", 0, 0)
        if not (made.name and 0 <= made.price < 1e6 and 0 < made.speed < 1e6):
            raise click.BadParameter(f"{text!r} is not NAME=PRICE,SPEED, such as L4=0.45,0.3")
        return made


@dataclass(frozen=True)
class Job:
    """What is to be done, and what is assumed about it; the options of the command line say what each means."""

    hours: float
    voices: int
    steps: int
    batch: int
    acoustic_speed: float
    vocoder_steps: int
    vocoder_batch: int
    vocoder_speed: float
    parameters: float
    vocoder_bytes: float
    core_price: float
    store_price: float
    network: float
    gpus: tuple[Gpu, ...]


class Amount(click.FloatRange):
    """A finite number above zero."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=1e12)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail("not a number", param, ctx)
        return float(number)


class Model:
    """The arithmetic; every method has its unit in its name."""

    def __init__(self, measured: dict[str, float], job: Job) -> None:
        self.measured, self.job = measured, job

    def core_hours(self, stage: str) -> float:
        """Of a stage of the preparation, for all audio: seconds on two cores, both paid for, whether busy or not."""
        return self.measured[stage] * CORES / self.measured["audio_seconds"] * self.job.hours

    @property
    def preparation_core_hours(self) -> float:
        return sum(self.core_hours(stage) for stage in PREPARATION)

    @property
    def frames_per_clip(self) -> float:
        return self.measured["training_seconds"] / self.measured["training_clips"] * FRAMES_PER_SECOND

    @property
    def acoustic_hours(self) -> float:
        """Of an A100, for all voices."""
        frames = self.job.steps * self.job.batch * self.frames_per_clip
        return frames / self.job.acoustic_speed / 3600 * self.job.voices

    @property
    def vocoder_hours(self) -> float:
        frames = self.job.vocoder_steps * self.job.vocoder_batch * VOCODER_FRAMES
        return frames / self.job.vocoder_speed / 3600 * self.job.voices

    @property
    def beside_hours(self) -> float:
        """A GPU waits: starting, evaluation (its processor time, on one core) and bundle."""
        return sum(self.measured[name] for name in ("start", "evaluation", "bundle")) / 3600 * self.job.voices

    def gpu_hours(self, gpu: Gpu) -> float:
        return (self.acoustic_hours + self.vocoder_hours) / gpu.speed + self.beside_hours

    def audio_bytes(self, name: str) -> float:
        return self.measured[name] / self.measured["audio_seconds"] * 3600 * self.job.hours

    @property
    def network_hours(self) -> float:
        """Until all recordings have come in once."""
        return self.audio_bytes("recording_bytes") * 8 / (self.job.network * 1e9) / 3600

    def stored(self) -> list[tuple[str, float]]:
        """What lies on disk, in bytes. A checkpoint holds the weights and AdamW's two moments, in float32."""
        weights, voices = self.job.parameters * 4, self.job.voices
        return [
            ("recordings", self.audio_bytes("recording_bytes")),
            ("datasets: clips, pitch, manifests", self.audio_bytes("dataset_bytes")),
            ("cache of stages", self.audio_bytes("cache_bytes")),
            (
                "lexicons, reports, status files",
                (self.measured["lexicon_bytes"] + self.measured["report_bytes"]) * voices,
            ),
            ("bundles: production and promoted", 2 * (weights + self.job.vocoder_bytes) * voices),
            ("checkpoints, until a voice is promoted", 3 * weights * voices),
        ]


def load() -> dict[str, float]:
    """Measured figures by name."""
    return {name: float(entry["value"]) for name, entry in yaml.safe_load(MEASURED.read_text(encoding="utf-8")).items()}


def table(head: str, rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [f"| {head} |", "|---|" + "---:|" * head.count("|")]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def page(model: Model) -> str:
    """docs/scale.md."""
    job = model.job
    core = model.preparation_core_hours
    stages = [
        [name, f"{model.measured[name]:.1f}", f"{model.core_hours(name):.0f}", f"{model.core_hours(name) / core:.0%}"]
        for name in PREPARATION
    ]
    stages.append(["**preparation**", "", f"**{core:.0f}**", f"{core * job.core_price:,.0f} $"])
    reference = Gpu("A100", 0, 1)
    training = [
        ["FastPitch", f"{model.acoustic_hours / job.voices * 60:.1f}", f"{model.acoustic_hours:.0f}"],
        ["HiFi-GAN, fine-tuned", f"{model.vocoder_hours / job.voices * 60:.1f}", f"{model.vocoder_hours:.0f}"],
        ["start, evaluation, bundle", f"{model.beside_hours / job.voices * 60:.1f}", f"{model.beside_hours:.0f}"],
        [
            "**a voice**",
            f"**{model.gpu_hours(reference) / job.voices * 60:.1f}**",
            f"**{model.gpu_hours(reference):.0f}**",
        ],
    ]
    rented = [
        [gpu.name, f"{gpu.speed:g}", f"{gpu.price:.2f}", f"{hours:.0f}", f"{hours * gpu.price:,.0f}"]
        for gpu in job.gpus
        for hours in [model.gpu_hours(gpu)]
    ]
    total = sum(size for _, size in model.stored())
    disk = [[name, f"{size / 1e9:,.0f}"] for name, size in model.stored()]
    disk.append(["**all**", f"**{total / 1e9:,.0f}**"])
    cheapest = min(job.gpus, key=lambda gpu: model.gpu_hours(gpu) * gpu.price)
    whole = core * job.core_price + model.gpu_hours(cheapest) * cheapest.price + total / 1e9 * job.store_price
    return TEMPLATE.read_text(encoding="utf-8").format(
        hours=f"{job.hours:,.0f}",
        voices=f"{job.voices:,}",
        each=f"{job.hours / job.voices:g}",
        audio=f"{model.measured['audio_seconds']:g}",
        stages=table("stage | s for the demo, two cores | core hours | share", stages),
        largest=max(PREPARATION, key=model.core_hours),
        here=f"{core / CORES / 24:.0f}",
        training=table("on one A100 | minutes a voice | hours in all", training),
        rented=table("GPU | speed (A100 = 1) | $ an hour | hours | $", rented),
        disk=table("what | GB", disk),
        month=f"{total / 1e9 * job.store_price:,.0f}",
        bottleneck=table(
            "machines | preparation, days | training, days | recordings in, days | bottleneck", bottleneck(model)
        ),
        balance=f"{core / model.gpu_hours(reference):.1f}",
        floor=f"{model.gpu_hours(reference) / job.voices:.1f}",
        whole=f"{whole:,.0f}",
        cheapest=cheapest.name,
        job=job,
        frames=f"{model.frames_per_clip:.0f}",
    )


def bottleneck(model: Model) -> list[list[str]]:
    """Days of each part for growing numbers of machines; parts overlap, so that the longest decides."""
    rows = []
    for cores, gpus in MACHINES:
        parts = {
            "preparation": model.preparation_core_hours / cores / 24,
            "training": model.gpu_hours(Gpu("A100", 0, 1)) / gpus / 24,
            "network": model.network_hours / 24,
        }
        rows.append(
            [
                f"{cores} cores, {gpus} A100",
                *(f"{days:.2f}" for days in parts.values()),
                max(parts, key=lambda name: parts[name]),
            ]
        )
    return rows


@click.command()
@click.option("--hours", default=10_000.0, show_default=True, type=Amount(), help="Of audio.")
@click.option("--voices", default=1_000, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--steps", default=60_000, show_default=True, type=click.IntRange(min=0), help="Of FastPitch for a voice."
)
@click.option("--batch", default=32, show_default=True, type=click.IntRange(min=1), help="Clips of a step.")
@click.option(
    "--acoustic-speed",
    default=148_149.0,
    show_default=True,
    type=Amount(),
    help="Mel frames a second, FastPitch, one A100.",
)
@click.option(
    "--vocoder-steps", default=10_000, show_default=True, type=click.IntRange(min=0), help="Of HiFi-GAN for a voice."
)
@click.option("--vocoder-batch", default=16, show_default=True, type=click.IntRange(min=1), help="Segments of a step.")
@click.option(
    "--vocoder-speed",
    default=15_579.0,
    show_default=True,
    type=Amount(),
    help="Mel frames a second, HiFi-GAN, one A100.",
)
@click.option("--parameters", default=45_800_000.0, show_default=True, type=Amount(), help="Of the acoustic model.")
@click.option(
    "--vocoder-bytes",
    default=56_000_000.0,
    show_default=True,
    type=Amount(),
    help="Of a vocoder's generator in a bundle.",
)
@click.option("--core-price", default=0.02, show_default=True, type=Amount(), help="US dollars a core hour.")
@click.option("--store-price", default=0.02, show_default=True, type=Amount(), help="US dollars a GB and month.")
@click.option("--network", default=1.0, show_default=True, type=Amount(), help="Gbit/s that recordings come in with.")
@click.option(
    "--gpu", "gpus", multiple=True, default=("RTX 4090=0.40,0.6", "A100 80 GB=1.20,1.0", "H100=2.20,1.8"), show_default=True,
    help="NAME=PRICE,SPEED: US dollars an hour, and speed as a multiple of an A100's.",
)  # fmt: skip
def main(gpus: tuple[str, ...], **assumed: Any) -> None:
    """Print docs/scale.md for these figures."""
    job = Job(gpus=tuple(Gpu.parse(text) for text in gpus), **assumed)
    click.echo(page(Model(load(), job)), nl=False)


if __name__ == "__main__":
    main()
