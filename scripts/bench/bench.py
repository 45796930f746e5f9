"""Benchmarks of voicemill on this machine: `make bench` (docs/benchmarks.md has the results).

    stages   the demo from a cold cache: seconds, speed and peak memory of each stage, seconds to the first training
    step
    start    NeMo's stock way to its first step on the same clips
    training NeMo's stock recipe and ours in turns: steps and real mel frames in a second
    speedups ours in float32, in bfloat16 and compiled, in turns: CPU seconds a step, and of compiling
    busy     training steps on quiet and on busy cores, by how long waiting OpenMP threads spin
    pitch    our pyin beside librosa's on the demo's clips, frame for frame
    say      speed of synthesis of a finished voice on a long text
    speak    a voice through the runtime, beside sherpa-onnx: first sound, speed, memory
    serve    a voice behind voice-serve, beside sherpa-onnx behind a small server: requests, first sound, memory
    verify   a bundle of 600 MB verified, beside sha256sum over the same files
    preparation  a long recording with its script beside a script of the usual tools (needs flite)
    kills    a tiny job killed with SIGKILL at random moments of each stage and resumed (docs/benchmarks.md)
    people   how exactly clips of people are cut, and what a preparation keeps of them
    producer  a producer's hour of people: clips, a long take with its script; words that are lost
    wrong-text  how many wrong texts of people a preparation finds
    denoise  what DeepFilterNet changes on recordings of people
    judges   the judges of the evaluation on recordings of people, their copies, noise and other people
    takes    the studio's verdicts on takes of a person: seconds, right text, and single words changed
    recognise  words that a recogniser gets wrong of a person's recordings
    session  a recording session of the studio with a person's recordings as the microphone: minutes, and every verdict
    vocoders copy synthesis of people by every vocoder, beside the recordings
    likeness a voice trained on a prepared dataset, by every judge, beside the speaker's recordings
    marks    what the watermark survives, its level, and its false alarms on human speech
    curve    error rate, distortion and pitch error against minutes of training, stock NeMo beside ours (needs flite)
    quality  character error rate against minutes of training, on sentences outside the training data (needs flite)

Ratios come from one run: machines differ, and this one may be busy. Nothing here is a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"
sys.path.insert(0, str(ROOT / "lib"))

import click


@click.group()
@click.option(
    "--work", type=click.Path(path_type=Path), default=ROOT / "cache/bench", show_default=True, help="Scratch folder."
)
@click.pass_context
def main(context: click.Context, work: Path) -> None:
    """Benchmarks; each prints Markdown."""
    context.obj = work
    work.mkdir(parents=True, exist_ok=True)


@main.command()
@click.option("--preset", default="cpu", show_default=True)
@click.option("--known-installation", is_flag=True, help="An earlier job has tried the import of NeMo.")
@click.option("--checkout", type=click.Path(path_type=Path, exists=True), default=ROOT, help="Code of another commit.")
@click.option("--until-first-step", is_flag=True, help="Stop the job at its first training step.")
@click.pass_obj
def stages(work: Path, preset: str, known_installation: bool, checkout: Path, until_first_step: bool) -> None:
    """The main job on the demo from a cold cache."""
    from processes import cpu_seconds, tree

    from voicemill.lane.gates import RUNTIME_CHECKS, check_runtime

    run = work / f"stages-{int(time.time())}"
    if known_installation:
        check_runtime(run / "cache" / RUNTIME_CHECKS)
    environment = {**os.environ, "WORK_DIR": str(run / "work"), "CACHE_DIR": str(run / "cache")}
    argv = [sys.executable, str(checkout / "apps/voice-train-prod/voice-train-prod.py"), "--preset", preset]
    started, first = time.perf_counter(), ""
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        for line in child.stdout or ():
            if not first and '"model":"FastPitch"' in line:
                used = sum(cpu_seconds(pid, ended_children=True) for pid in tree(child.pid))
                first = f"{time.perf_counter() - started:.1f} s, {used:.1f} s of CPU time"
                if until_first_step:
                    child.terminate()
    whole = time.perf_counter() - started
    click.echo(f"Command to first training step: {first}. Whole job: {whole:.1f} s. Work folder: {run}")
    if until_first_step:
        return
    if child.returncode:
        raise click.ClickException(f"the job ended with {child.returncode}")
    rows = json.loads((run / "work/artifacts/timings.tts_prod_train.json").read_text())
    click.echo("| stage | seconds | × real time | peak MiB |\n|---|---:|---:|---:|")
    for row in rows:
        speed = f"{row['audio_seconds'] / row['seconds']:.0f}" if row["audio_seconds"] and row["seconds"] else ""
        click.echo(f"| {row['name']} | {row['seconds']:.1f} | {speed} | {row['peak_mib'] or ''} |")


@main.command()
@click.option(
    "--dataset", type=click.Path(path_type=Path, exists=True), required=True, help="A prepared dataset folder."
)
@click.option("--cold", is_flag=True, help="Also stock without its pitch on disk; takes a minute of pyin.")
@click.option("--rounds", default=2, show_default=True, help="Turns of each side.")
@click.pass_obj
def start(work: Path, dataset: Path, cold: bool, rounds: int) -> None:
    """Command to first step on a prepared dataset: NeMo's stock way, warm, and ours, in turns."""
    out = work / f"start-{time.time_ns()}"
    if cold:
        click.echo(f"stock, cold: {json.dumps(_started('stock_start.py', dataset, out / 'cold'))}")
    wall: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for round_ in range(rounds):
        for side, script, more in (("stock, warm", "stock_start.py", ["warm"]), ("voicemill", "our_start.py", [])):
            took = _started(script, dataset, out / f"{side}-{round_}", *more)
            wall[side] = wall.get(side, 0.0) + took["to_first_step"] / rounds
            cpu[side] = cpu.get(side, 0.0) + took["cpu_to_first_step"] / rounds
            click.echo(f"{side}: {took['to_first_step']:.1f} s, {took['cpu_to_first_step']:.1f} s of CPU time")
    (stock, ours) = wall
    click.echo(f"voicemill / stock: {wall[ours] / wall[stock]:.2f}; of CPU time {cpu[ours] / cpu[stock]:.2f}")


def _started(script: str, dataset: Path, out: Path, *more: str) -> dict[str, float]:
    """One fresh process; the folder `out` is its own."""
    argv = [sys.executable, str(ROOT / "scripts/bench" / script), str(dataset), str(out), *more]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(done.stderr[-2000:])
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


@main.command()
@click.option(
    "--dataset", type=click.Path(path_type=Path, exists=True), required=True, help="A prepared dataset folder."
)
@click.option("--preset", default="cpu", show_default=True)
@click.option("--set", "overrides", default="{}", help="YAML merged over the preset's acoustic settings.")
@click.option("--rounds", default=3, show_default=True, help="Turns of each side.")
@click.option("--steps", default=0, help="Steps of a turn; 0: a pass over the clips.")
@click.option("--same-batches", is_flag=True, help="Also ours on the same batches as the stock side.")
@click.pass_obj
def training(
    work: Path, dataset: Path, preset: str, overrides: str, rounds: int, steps: int, same_batches: bool
) -> None:
    """NeMo's stock recipe and ours, in turns, on the same clips with a model of the same size."""
    import yaml
    from training import sides, take_turns

    from voicemill.training.config import load_config
    from voicemill.training.data import read_dataset

    # More steps than are taken, so that no checkpoint is saved in the measured time.
    settings = {"acoustic": {**yaml.safe_load(overrides), "max_steps": 10**6}, "checkpoint_interval": 10**6}
    config = load_config(CONFIG, preset, settings)
    prepared = read_dataset(dataset)
    frames = [round(clip.seconds * config.audio.sample_rate) // config.audio.hop_length for clip in prepared.train]
    taking = sides(prepared, config, work / f"training-{time.time_ns()}", same_batches=same_batches)
    clocked = take_turns(taking, frames, steps or taking[0].plan.batches_per_pass, rounds)
    stock = clocked[0]
    click.echo(
        "| side | steps/s | real mel frames/s | × stock | CPU s a step | real frames a CPU s, × stock | "
        "forward and backward | padding |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    for side, took in zip(taking, clocked, strict=True):
        wall = took.real_frames / took.wall / (stock.real_frames / stock.wall)
        cpu = took.real_frames / took.cpu / (stock.real_frames / stock.cpu)
        click.echo(
            f"| {side.name} | {took.steps / took.wall:.2f} | {took.real_frames / took.wall:.0f} | {wall:.2f} | "
            f"{took.cpu / took.steps:.3f} | {cpu:.2f} | {took.model_cpu / took.cpu:.0%} | "
            f"{1 - took.real_frames / took.padded_frames:.0%} |"
        )


@main.command("speedups")
@click.option(
    "--dataset", type=click.Path(path_type=Path, exists=True), required=True, help="A prepared dataset folder."
)
@click.option("--preset", default="cpu", show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Turns of each side.")
@click.option("--steps", default=30, show_default=True, help="Steps of a turn.")
@click.option("--compile/--no-compile", "compiling", default=True, help="With torch.compile, which takes minutes.")
@click.pass_obj
def speedups_(work: Path, dataset: Path, preset: str, rounds: int, steps: int, compiling: bool) -> None:
    """bfloat16 and torch.compile beside plain steps of ours, in turns; CPU time includes the compiler's."""
    from training import LONG_WARM_UP, speedups, take_turns

    from voicemill.training.config import load_config
    from voicemill.training.data import read_dataset

    settings = {"acoustic": {"max_steps": 10**6}, "checkpoint_interval": 10**6, "threads": 1}
    config, prepared = load_config(CONFIG, preset, settings), read_dataset(dataset)
    frames = [round(clip.seconds * config.audio.sample_rate) // config.audio.hop_length for clip in prepared.train]
    taking = speedups(prepared, config, work / f"speedups-{time.time_ns()}", compiling=compiling)
    clocked = take_turns(taking, frames, steps, rounds, LONG_WARM_UP)
    click.echo(
        f"| side | CPU s of the first {LONG_WARM_UP} steps | CPU s a step | × float32 | steps/s |\n|---|---:|---:|---:|---:|"
    )
    for side, took in zip(taking, clocked, strict=True):
        ratio = took.cpu / took.steps / (clocked[0].cpu / clocked[0].steps)
        click.echo(
            f"| {side.name} | {took.warm_up_cpu:.1f} | {took.cpu / took.steps:.3f} | {ratio:.2f} | "
            f"{took.steps / took.wall:.2f} |"
        )


@main.command()
@click.option(
    "--dataset", type=click.Path(path_type=Path, exists=True), required=True, help="A prepared dataset folder."
)
@click.option("--preset", default="cpu", show_default=True)
@click.option("--rounds", default=2, show_default=True, help="Turns of each spin count, quiet and busy.")
@click.option("--steps", default=4, show_default=True, help="Steps of a turn.")
@click.option("--spins", default="300000,1000,0", show_default=True, help="Spin counts; 300000 is libgomp's default.")
@click.option("--load", default=2, show_default=True, help="Busy processes for each core in the busy half.")
@click.pass_obj
def busy(work: Path, dataset: Path, preset: str, rounds: int, steps: int, spins: str, load: int) -> None:
    """Our training steps with one thread a core, first as the machine is, then with other processes on all cores."""
    from training import Ours, Side, other_work, take_turns

    from voicemill.training.batches import BatchPlan
    from voicemill.training.config import load_config
    from voicemill.training.data import read_dataset

    cores = len(os.sched_getaffinity(0))
    settings = {"acoustic": {"max_steps": 10**6}, "checkpoint_interval": 10**6, "threads": cores}
    config, prepared = load_config(CONFIG, preset, settings), read_dataset(dataset)
    frames = [round(clip.seconds * config.audio.sample_rate) // config.audio.hop_length for clip in prepared.train]
    plan = BatchPlan([clip.seconds for clip in prepared.train], config.acoustic.batch_size, config.seed, bucket=True)
    out, taking = work / f"busy-{time.time_ns()}", []
    for spin in spins.split(","):
        os.environ["GOMP_SPINCOUNT"] = spin  # read when the process of the side loads torch
        taking.append(Side(spin, plan, Ours, prepared, config, out / spin))
    click.echo(
        "| added processes | load average | spin count | wall s a step | CPU s a step |\n|---|---:|---:|---:|---:|"
    )
    for name, count in (("none", 0), (f"{load} a core", load * cores)):
        with other_work(count):
            clocked = take_turns(taking, frames, steps, rounds)
            average = os.getloadavg()[0]
        for side, took in zip(taking, clocked, strict=True):
            click.echo(
                f"| {name} | {average:.1f} | {side.name} | {took.wall / took.steps:.2f} | {took.cpu / took.steps:.2f} |"
            )


@main.command()
@click.option(
    "--dataset", type=click.Path(path_type=Path, exists=True), required=True, help="A prepared dataset folder."
)
@click.option("--clips", default=24, show_default=True, help="How many clips.")
def pitch(dataset: Path, clips: int) -> None:
    """Our pyin beside librosa's, warm, with NeMo's arguments, on one process each."""
    import librosa
    import numpy as np

    from voicemill.audio.decode import read_mono
    from voicemill.audio.pitch import pyin

    sounds = [read_mono(path) for path in sorted((dataset / "clips").glob("*.wav"))[:clips]]
    low, high = float(librosa.note_to_hz("C2")), float(librosa.note_to_hz("C7"))
    librosa.pyin(sounds[0][0], fmin=low, fmax=high, frame_length=1024, sr=sounds[0][1], fill_na=0.0)  # numba compiles
    seconds = sum(len(sound) / rate for sound, rate in sounds)
    started = time.perf_counter()
    theirs = [
        librosa.pyin(sound, fmin=low, fmax=high, frame_length=1024, sr=rate, fill_na=0.0) for sound, rate in sounds
    ]
    between = time.perf_counter()
    ours = [pyin(sound, sample_rate=rate, fmin=low, fmax=high, frame_length=1024) for sound, rate in sounds]
    ended = time.perf_counter()
    frames = sum(len(found.f0) for found in ours)
    same = sum(int(np.sum(found.f0 == reference[0])) for found, reference in zip(ours, theirs, strict=True))
    click.echo(
        f"{seconds:.0f} s of speech, {frames} frames, {same} the same. librosa.pyin {seconds / (between - started):.1f} × real time, "
        f"ours {seconds / (ended - between):.1f} ×: {(between - started) / (ended - between):.0f} times as fast."
    )


@main.command()
@click.option("--megabytes", default=600, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="The best of them counts.")
@click.pass_obj
def verify(work: Path, megabytes: int, rounds: int) -> None:
    """`voice-verify bundle` beside sha256sum, on one core and on two."""
    from verification import compared, large_bundle

    root = large_bundle(work / f"bundle-{megabytes}", megabytes)
    click.echo("| | seconds | MB/s | × sha256sum |\n|---|---:|---:|---:|")
    timed = compared(ROOT / "apps/voice-verify/voice-verify.py", root, rounds)
    for each in timed:
        speed, ratio = megabytes / each.seconds, timed[0].seconds / each.seconds
        click.echo(f"| {each.name} | {each.seconds:.2f} | {speed:.0f} | {ratio:.2f} |")


@main.command()
@click.argument("recordings", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--count", default=100, show_default=True, help="Clips whose edges are measured; 0 leaves them out.")
@click.option("--limit", default=60, show_default=True, help="Most clips of one person that are prepared.")
@click.option("--only", multiple=True, metavar="NAME", help="Only these sets, by the beginning of their name.")
@click.option("--condition", "conditions", multiple=True, help="Only these conditions.  [default: all five]")
@click.option("--form", type=click.Choice(["clips", "joined"]), help="Only clips, or only joined to one recording.")
@click.option("--voices", type=int, metavar="N", help="Train and judge the voices of sets of N clips and more instead.")
@click.pass_obj
def people(
    work: Path,
    recordings: Path | None,
    count: int,
    limit: int,
    only: tuple[str, ...],
    conditions: tuple[str, ...],
    form: str | None,
    voices: int | None,
) -> None:
    """Edges and whole preparations of people, or their voices; RECORDINGS holds a folder a set, beside prompts that
    apt-get fetches.
    """
    import people as edges
    import people_preparation

    folder = recordings or ROOT / "tests/data/people"
    scratch = work / f"people-{int(time.time())}"
    if voices:
        for line in people_preparation.voices(folder, work / "prompts", scratch, limit, only, voices):
            click.echo(line)
        return
    if count:
        click.echo(edges.report(folder, count))
    forms = {"clips": (False,), "joined": (True,)}.get(form or "", (False, True))
    for row in people_preparation.report(folder, work / "prompts", scratch, limit, only, conditions, forms):
        click.echo(row)


@main.command()
@click.argument("recordings", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--only", multiple=True, metavar="NAME", help="Only these parts, by the beginning of their name.")
@click.pass_obj
def producer(work: Path, recordings: Path | None, only: tuple[str, ...]) -> None:
    """Recordings of people as producers send them; RECORDINGS holds a folder a set."""
    from producer import report

    for line in report(recordings or ROOT / "tests/data/people", work / f"producer-{int(time.time())}", only):
        click.echo(line)


@main.command("wrong-text")
@click.argument("recordings", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option("--count", default=20, show_default=True, help="Clips of each person.")
@click.option("--rounds", default=1, show_default=True, help="Draws of each changed word a clip.")
@click.option("--seed", default=1, show_default=True, help="Of the clips and words that are drawn.")
@click.pass_obj
def wrong_text(work: Path, recordings: Path | None, count: int, rounds: int, seed: int) -> None:
    """Right and changed texts of people, judged as in a preparation; RECORDINGS holds a folder a set."""
    from wrong_text import report

    for line in report(recordings or ROOT / "tests/data/people", work / "wrong-text", count, rounds, seed):
        click.echo(line)


@main.command()
@click.argument("recordings", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--decibels", default=10.0, show_default=True, help="Speech above what is laid behind it.")
def denoise(recordings: tuple[Path, ...], decibels: float) -> None:
    """DeepFilterNet on clips of people with noise and music behind them; RECORDINGS are files."""
    from denoising import report

    for line in report(list(recordings), decibels):
        click.echo(line)


@main.command()
@click.argument("speaker", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--audio", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Of the FLAC files.")
@click.option("--count", default=20, show_default=True, help="Recordings.")
def takes(speaker: Path, audio: Path | None, count: int) -> None:
    """The studio's verdicts on takes of a person; SPEAKER holds clips and a metadata.csv."""
    from takes import run

    run(speaker, audio or speaker, count)


@main.command()
@click.argument("speaker", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Clips, elsewhere.")
@click.option("--with", "options", multiple=True, default=("faster-whisper:openai/whisper-tiny.en",), show_default=True)
@click.option("--count", default=60, show_default=True, help="Recordings.")
def recognise(speaker: Path, audio: Path | None, options: tuple[str, ...], count: int) -> None:
    """Words that recognisers get wrong of SPEAKER's clips."""
    from recognisers import run

    run(speaker, audio or speaker, options, count)


@main.command()
@click.argument("speaker", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Clips, elsewhere.")
@click.option("--count", default=60, show_default=True, help="Good sentences that end the session.")
@click.option("--spare", default=15, show_default=True, help="Further sentences, for those that are refused.")
@click.option("--gap", default=3.5, show_default=True, help="Seconds between two recordings.")
@click.option("--misread", default=10, show_default=True, help="One sentence in so many is misread first; 0: none.")
def session(speaker: Path, audio: Path | None, count: int, spare: int, gap: float, misread: int) -> None:
    """A session of the studio with SPEAKER's clips as the microphone (needs Chromium)."""
    from studio_session import run

    run(speaker, audio or speaker, count, spare, gap, misread)


@main.command()
@click.argument("speakers", type=click.Path(path_type=Path, exists=True, file_okay=False), nargs=-1, required=True)
@click.option("--count", default=10, show_default=True, help="Clips of each speaker that are changed and judged.")
def judges(speakers: tuple[Path, ...], count: int) -> None:
    """The judges of the evaluation on people; each of SPEAKERS holds clips and a metadata.csv."""
    from judges import report

    for line in report(speakers, count):
        click.echo(line)


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--preset", default="cpu", show_default=True)
@click.option("--set", "overrides", default="{}", help="YAML merged over the preset.")
@click.option(
    "--acoustic",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=ROOT / "data/base/base-en-people-fastpitch.safetensors",
    help="Base FastPitch.",
)
@click.option("--from-scratch", is_flag=True, help="Without a base FastPitch.")
@click.option(
    "--istft",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=ROOT / "data/base/base-en-people-istft.safetensors",
    help="Base vocoder.",
)
@click.option("--seed", default=1, show_default=True, help="Of fold 0; each further fold adds its number.")
@click.option("--folds", default=8, show_default=True, help="The clips are divided into so many.")
@click.option("--fold", "chosen", type=int, multiple=True, default=(0, 1, 2), show_default=True, help="To measure.")
@click.option("--minutes", type=float, help="Audio to train on.  [default: all outside the fold]")
@click.option("--out", type=click.Path(path_type=Path), help="Results; those of other folds there count, too.")
@click.pass_obj
def likeness(
    work: Path,
    dataset: Path,
    preset: str,
    overrides: str,
    acoustic: Path,
    from_scratch: bool,
    istft: Path,
    seed: int,
    folds: int,
    chosen: tuple[int, ...],
    minutes: float | None,
    out: Path | None,
) -> None:
    """Train a voice on DATASET, a prepared one, without a fold of it, and judge it beside that fold's recordings."""
    import yaml
    from likeness import Bases, report

    from voicemill.training.config import load_config

    config = load_config(CONFIG, preset, {"seed": seed, "threads": 1, **yaml.safe_load(overrides)})
    out = out or work / f"likeness-{time.time_ns()}"
    out.mkdir(parents=True, exist_ok=True)
    bases = Bases(None if from_scratch else acoustic, istft)
    for line in report(dataset, config, bases, out, folds=folds, chosen=chosen, minutes=minutes):
        click.echo(line)


@main.command()
@click.argument("speakers", type=click.Path(path_type=Path, exists=True, file_okay=False), nargs=-1, required=True)
@click.option(
    "--istft",
    "bases",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    default=(ROOT / "data/base/base-en-people-istft.safetensors",),
    help="An iSTFT vocoder; repeatable.",
)
@click.option(
    "--hifigan",
    "hifigans",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    default=(ROOT / "data/base/base-en-small-hifigan.nemo",),
    help="A HiFi-GAN (.nemo); repeatable.",
)
@click.option("--count", default=10, show_default=True, help="Clips of each speaker.")
def vocoders(speakers: tuple[Path, ...], bases: tuple[Path, ...], hifigans: tuple[Path, ...], count: int) -> None:
    """Copy synthesis of people by every vocoder; each of SPEAKERS holds clips and a metadata.csv."""
    from vocoders import report

    for line in report(speakers, bases, hifigans, count):
        click.echo(line)


@main.command()
@click.argument("groups", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--music", type=click.Path(path_type=Path, exists=True), multiple=True, help="To mix with speech; repeatable."
)
@click.option(
    "--count", default=200, show_default=True, help="Windows of 5 s of each group that are marked and attacked."
)
@click.option("--scheme", default="voicemill", show_default=True, help="voicemill, or perth where it is installed.")
@click.option("--trials", default=0, show_default=True, help="Windows with wrong keys.")
@click.option("--searches", default=0, show_default=True, help="Windows with wrong keys at every speed.")
def marks(
    groups: tuple[Path, ...], music: tuple[Path, ...], count: int, scheme: str, trials: int, searches: int
) -> None:
    """The watermark under attack on each folder of recordings, and where there is none."""
    from marks import attack_report, false_alarm_report

    if count:
        click.echo(attack_report(groups, music, count, scheme))
    if trials or searches:
        click.echo(false_alarm_report(groups, trials, searches))


@main.command()
@click.option("--minutes", default=12.0, show_default=True, help="Length of the recording that is built.")
@click.option("--recording", type=click.Path(path_type=Path, exists=True), help="One that was built before.")
@click.option("--part", default=120.0, show_default=True, help="Seconds of it for the usual tools.")
@click.pass_obj
def preparation(work: Path, minutes: float, recording: Path | None, part: float) -> None:
    """The whole preparation, its stages, its memory, and the usual tools on a part of the same recording."""
    from preparation import report

    if recording is None:
        recording = work / f"recording-{minutes:g}"
        build = [sys.executable, str(ROOT / "scripts/construction/build.py"), "--minutes", str(minutes), str(recording)]
        subprocess.run(build, check=True)
    click.echo(report(recording, work / f"preparation-{int(time.time())}", part))


@main.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="A prepared dataset folder of the voice.",
)
@click.option("--voice", default="slt", show_default=True, help="flite voice that reads the test sentences.")
@click.option("--preset", default="cpu", show_default=True)
@click.option("--steps", default="", help="Step budgets, one training each; default the preset's own.")
@click.option("--set", "overrides", default="{}", help="YAML merged over the preset's acoustic settings.")
@click.option("--seed", default=1, show_default=True)
@click.pass_obj
def quality(work: Path, dataset: Path, voice: str, preset: str, steps: str, overrides: str, seed: int) -> None:
    """Train from scratch for each number of steps; PocketSphinx recognises data/demo/heldout.txt, beside recordings."""
    import yaml
    from quality import error_rates, recordings, train

    texts, sounds = recordings(ROOT / "data/demo/heldout.txt", voice, work / f"heldout-{voice}")
    real = error_rates(texts, sounds, 22050)
    click.echo(
        f"real recordings of {len(texts)} sentences: CER {real:.3f}\n\n| steps | seconds | CPU s / 2 | loss | CER | × real |\n|---:|---:|---:|---:|---:|---:|"
    )
    for budget in [int(each) for each in steps.split(",") if each] or [0]:
        trained = train(dataset, preset, budget, yaml.safe_load(overrides), work / f"quality-{time.time_ns()}", seed)
        rate = error_rates(texts, [trained.speaker.synthesise(text) for text in texts], 22050)
        click.echo(
            f"| {trained.steps} | {trained.seconds:.0f} | {trained.cpu_seconds / 2:.0f} | {trained.loss:.4f} | {rate:.3f} | {rate / real:.2f} |"
        )


@main.command()
@click.option("--voices", default="slt", show_default=True, help="flite voices, for example slt,rms,awb.")
@click.option("--audio", default="6", show_default=True, help="Minutes of training clips, for example 1,6,20.")
@click.option("--minutes", default="1,2,4", show_default=True, help="Of training, on two cores, by CPU time.")
@click.option("--sentences", default=40, show_default=True, help="Of data/demo/heldout.txt.")
@click.option("--script", type=click.Path(path_type=Path, exists=True), default=ROOT / "data/demo/script.txt")
@click.option("--dataset", type=click.Path(path_type=Path, exists=True), help="Prepared already, of the only voice.")
@click.option("--preset", default="cpu", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--plot", "target", type=click.Path(path_type=Path), help="SVG; the points beside it as JSON.")
@click.pass_obj
def curve(
    work: Path,
    voices: str,
    audio: str,
    minutes: str,
    sentences: int,
    script: Path,
    dataset: Path | None,
    preset: str,
    seed: int,
    target: Path | None,
) -> None:
    """Stock NeMo's recipe and ours on the same clips for the same time (`make bench-quality`)."""
    # One thread on both sides: the measure is CPU time, which waiting threads would use too.
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    import curve as curves
    from quality import error_rates, prepared_voice, recordings

    from voicemill.training.config import load_config
    from voicemill.training.data import read_dataset

    points, real = [], {}
    config = load_config(CONFIG, preset, {"seed": seed})
    budgets = [float(each) for each in minutes.split(",")]
    for voice in voices.split(","):
        texts, sounds = recordings(ROOT / "data/demo/heldout.txt", voice, work / f"heldout-{voice}")
        texts, sounds = texts[:sentences], sounds[:sentences]
        folder = dataset or prepared_voice(script, voice, work / f"voice-{voice}-{script.stem}")
        statistics = read_dataset(folder).pitch_statistics
        test = curves.TestSet(voice, texts, sounds, (statistics.pitch_fmin, statistics.pitch_fmax))
        real[voice] = error_rates(texts, sounds, test.sample_rate)
        click.echo(f"{voice}: recordings of {len(texts)} sentences: CER {real[voice]:.3f}\n\n{curves.HEAD}")
        for amount in [float(each) for each in audio.split(",")]:
            out = work / f"curve-{time.time_ns()}"
            part = curves.part_of(folder, amount, out / "dataset")
            step = curves.seconds_a_step(part, preset, out / "trial", seed)
            for budget in budgets:
                steps = max(1, round(budget * 60 * curves.CORES / step))
                points.append(curves.our_point(part, preset, test, steps, out / f"ours-{steps}", seed))
                click.echo(curves.row(points[-1], real[voice]))
            for point in curves.stock_points(read_dataset(part), config, test, budgets, out / "stock"):
                points.append(point)
                click.echo(curves.row(point, real[voice]))
    if target is not None:
        curves.plot(points, real, target)


@main.command("kills")
@click.option("--count", default=200, show_default=True, help="No further job after so many kills.")
@click.option("--cpu-minutes", default=60.0, show_default=True, help="No further job after so much processor time.")
@click.option("--steps", default=10, show_default=True, help="Training steps of the acoustic model.")
@click.option("--sentences", default=12, show_default=True, help="Sentences of the recording.")
@click.option("--seed", default=1, show_default=True, help="Of the moments.")
@click.option("--stage", "only", multiple=True, help="Kill in these stages alone; repeat it for several.")
@click.pass_obj
def kills_(
    work: Path, count: int, cpu_minutes: float, steps: int, sentences: int, seed: int, only: tuple[str, ...]
) -> None:
    """Kills of a tiny job in each stage: how many went on to the same dataset, weights, figures and bundle."""
    import kills

    folder = work / "kills"
    audio = folder / "take.wav"
    job = kills.Job(audio if audio.exists() else kills.take(folder, sentences), folder, steps)
    found = kills.measure(job, count, seed, 60 * cpu_minutes, lambda line: click.echo(line, err=True), only)
    click.echo("| stage | kills | recovered | lost |\n|---|---:|---:|---:|")
    total = kills.Tally()
    for stage, each in found.items():
        click.echo(f"| {stage} | {each.killed} | {each.recovered} | {each.lost} |")
        total = kills.Tally(total.killed + each.killed, total.recovered + each.recovered, total.lost + each.lost)
    click.echo(f"| all | {total.killed} | {total.recovered} | {total.lost} |")


@main.command("say")
@click.option(
    "--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="A promoted bundle's folder."
)
@click.option("--threads", default=0, help="CPU threads of torch; 0 takes torch's own number.")
@click.pass_obj
def say_(work: Path, bundle: Path, threads: int) -> None:
    """Synthesis of a long text (data/demo/heldout.txt in paragraphs), as in `voice-train-prod say`."""
    import resource

    import torch

    from voicemill.lane.load_voice import load_promoted_voice
    from voicemill.settings import Settings
    from voicemill.synthesis.options import SynthesisOptions
    from voicemill.synthesis.speech import synthesise, synthesise_to_file

    torch.set_num_threads(threads or torch.get_num_threads())
    lines = (ROOT / "data/demo/heldout.txt").read_text(encoding="utf-8").splitlines()
    text = "\n\n".join(" ".join(lines[at : at + 8]) for at in range(0, len(lines), 8))
    started = time.perf_counter()
    speaker = load_promoted_voice(Settings.from_environment(os.environ), None, bundle)
    speaker.synthesise("The first sentence warms everything up.")
    loaded = time.perf_counter() - started
    ways: tuple[tuple[str, Callable[[], float]], ...] = (
        (
            "speech alone",
            lambda: len(synthesise(speaker, text, SynthesisOptions())) / speaker.audio.sample_rate,
        ),
        (
            "with loudness and the file",
            lambda: synthesise_to_file(speaker, text, work / "long_text.wav", SynthesisOptions())[0],
        ),
    )
    for name, spoken in ways:
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        seconds = spoken()
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        click.echo(
            f"{name}: {len(text)} characters, {seconds:.1f} s of sound through {speaker.vocoder.name} in {wall:.1f} s: "
            f"{seconds / wall:.1f} × real time; {cpu:.1f} s of CPU time: {seconds / cpu:.1f} × real time a core busy "
            f"({torch.get_num_threads()} threads; loading took {loaded:.1f} s)"
        )


@main.command("speak")
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="A bundle with a graph.")
@click.option("--sherpa", type=click.Path(path_type=Path, exists=True), help="A Python that has sherpa-onnx.")
@click.option("--rounds", default=3, show_default=True, help="Runs of each side, in turns.")
@click.pass_obj
def speak_(work: Path, bundle: Path, sherpa: Path | None, rounds: int) -> None:
    """A voice through the runtime, beside sherpa-onnx on the same graph: first sound, speed, memory."""
    import speak

    click.echo(speak.measure(bundle, work, sherpa, rounds))


@main.command("serve")
@click.option("--bundle", type=click.Path(path_type=Path, exists=True), required=True, help="A bundle with a graph.")
@click.option("--requests", default=160, show_default=True, help="Of each number of clients.")
@click.option("--endurance", default=10_000, show_default=True, help="Short requests for the memory; 0 for none.")
@click.pass_obj
def serve_(work: Path, bundle: Path, requests: int, endurance: int) -> None:
    """A voice behind voice-serve with 1, 8 and 32 clients, beside sherpa-onnx behind a server as small as can be."""
    import serve

    click.echo(serve.measure(bundle, work, requests, endurance))


if __name__ == "__main__":
    main()
