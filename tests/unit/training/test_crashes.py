"""Runs that are killed, for real: a process of its own is ended at random moments, also in the middle of a save."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from voicemill.errors import TrainingError
from voicemill.files import read_json
from voicemill.training.checkpoint import TrainingResult
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.train_fastpitch import train_acoustic
from voicemill.training.train_hifigan import VocoderInputs, train_vocoder

from .conftest import tiny_config

pytestmark = pytest.mark.slow  # trains small models, with NeMo

INTERVAL = 3
STEPS = 40
KILLS = 8
ROOM = 100 * 2**20


def acoustic_config() -> TrainingConfig:
    return tiny_config(max_steps=STEPS, width=64, average_decay=0.9).model_copy(
        update={"checkpoint_interval": INTERVAL}
    )


def vocoder_config() -> TrainingConfig:
    tiny = tiny_config()
    generator = {
        "upsample_rates": [16, 16],
        "upsample_kernel_sizes": [32, 32],
        "initial_channels": 8,
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1, 2]],
    }
    vocoder = {"generator": generator, "max_steps": STEPS, "batch_size": 2, "segment_frames": 16}
    return tiny.model_copy(
        update={"vocoder": type(tiny.vocoder).model_validate(vocoder), "checkpoint_interval": INTERVAL}
    )


MODELS = {
    "fastpitch": (train_acoustic, acoustic_config(), {}),
    "hifigan": (train_vocoder, vocoder_config(), {"inputs": VocoderInputs()}),
}
Model = tuple[Callable[..., TrainingResult], TrainingConfig, dict[str, object]]


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> tuple[str, Model]:
    return request.param, MODELS[request.param]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that have NeMo already, forked from a server that never trained: torch cannot be forked after that."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nemo.collections.tts.models"])
    return context


def start(
    processes: ForkServerContext, model: Model, dataset: Path, folder: Path, resume: bool
) -> tuple[object, Connection]:
    """A process that trains, and the reports of its steps."""
    train, config, more = model
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(
        target=train,
        args=(config, dataset, folder),
        kwargs={**more, "resume": resume, "hooks": Hooks(on_step=there.send)},
    )
    process.start()
    there.close()
    return process, here


def steps_of(folder: Path) -> list[int]:
    """Steps of the committed checkpoints."""
    return sorted(read_json(path)["step"] for path in folder.glob("*.checkpoint.json"))


def kill_in_a_save(folder: Path, alive: Callable[[], bool]) -> None:
    while not any(folder.glob(".*.voicemill-*")) and alive():
        pass


@pytest.mark.exhaustive
def test_killed_at_any_moment_it_loses_an_interval_at_most_and_resumes_bit_for_bit(
    tone_dataset: Path, tmp_path: Path, model: tuple[str, Model], processes: ForkServerContext
) -> None:
    name, (train, config, more) = model
    moments = random.Random(name)
    whole = train(config, tone_dataset, tmp_path / "whole", **more)
    folder = tmp_path / "killed"
    folder.mkdir()
    died_in_a_save = 0
    for number in range(KILLS):
        process, reports = start(processes, model[1], tone_dataset, folder, resume=bool(steps_of(folder)))
        seen = reports.recv().step
        if number % 2:
            kill_in_a_save(folder, process.is_alive)
        else:
            time.sleep(moments.uniform(0.0, 0.1))
        process.kill()
        process.join()
        try:
            while True:
                seen = reports.recv().step
        except EOFError:
            pass
        done = steps_of(folder)
        assert seen - max(done, default=0) <= INTERVAL
        assert len(done) <= 2
        died_in_a_save += any(folder.glob(".*.voicemill-*"))
        if process.exitcode == 0:
            break
    assert died_in_a_save, "no kill came in the middle of a save"
    rest = train(config, tone_dataset, folder, resume=bool(steps_of(folder)), **more)
    assert rest.loss_curve == whole.loss_curve
    assert rest.weights_sha256 == whole.weights_sha256
    assert sorted(path.name.partition("-")[0] for path in folder.glob("*.checkpoint")) == [name, name]
    assert not list(folder.glob(".*")), "what killed runs left is swept"


@pytest.fixture(scope="module")
def stopped(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of FastPitch leaves that was stopped at step 8: checkpoints of the steps 6 and 8."""
    folder = tmp_path_factory.mktemp("stopped")
    at: list[int] = []
    hooks = Hooks(on_step=lambda report: at.append(report.step), should_stop=lambda: at[-1] == 8)
    train_acoustic(acoustic_config(), tone_dataset, folder, hooks=hooks)
    assert steps_of(folder) == [6, 8]
    return folder


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def empty_the_marker(path: Path) -> None:
    path.with_name(path.name + ".json").write_text("{}")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty_the_marker, Path.unlink])
def test_a_broken_checkpoint_falls_back_to_the_one_before(
    tone_dataset: Path, stopped: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    damage(max(folder.glob("*.checkpoint")))
    notes: list[str] = []
    seen: list[int] = []
    hooks = Hooks(
        on_step=lambda report: seen.append(report.step), note=notes.append, should_stop=lambda: len(seen) == 3
    )
    train_acoustic(acoustic_config(), tone_dataset, folder, resume=True, hooks=hooks)
    assert seen == [7, 8, 9]
    if damage is not Path.unlink:
        assert len(notes) == 1
        assert "Warning" in notes[0]
        assert "fastpitch-0001.checkpoint" in notes[0] or "fastpitch-0002.checkpoint" in notes[0]
    assert steps_of(folder) == [6, 9], "the good one is kept, the broken one is not"


def test_two_broken_checkpoints_are_an_error(tone_dataset: Path, stopped: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    for path in folder.glob("*.checkpoint"):
        truncate(path)
    with pytest.raises(TrainingError) as caught:
        train_acoustic(acoustic_config(), tone_dataset, folder, resume=True)
    assert caught.value.code == "checkpoint_unreadable"
    assert len(list(folder.glob("*.checkpoint"))) == 2, "nothing is thrown away"


def test_a_fresh_run_replaces_an_earlier_one_with_its_first_checkpoint(
    tone_dataset: Path, stopped: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "run")
    seen: list[int] = []
    hooks = Hooks(on_step=lambda report: seen.append(report.step), should_stop=lambda: len(seen) == 2)
    train_acoustic(acoustic_config(), tone_dataset, folder, hooks=hooks)
    resumed: list[int] = []
    hooks = Hooks(on_step=lambda report: resumed.append(report.step), should_stop=lambda: True)
    train_acoustic(acoustic_config(), tone_dataset, folder, resume=True, hooks=hooks)
    assert resumed == [3]


SCRIPT = """
import contextlib, resource
from voicemill.training.hooks import Hooks

@contextlib.contextmanager
def limited():
    used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize:"))
    resource.setrlimit(resource.RLIMIT_AS, (used * 1024 + room, -1))
    yield

hooks = Hooks(note=lambda text: sender.send(text), taking_steps=limited)
try:
    result = train(config, dataset, folder, hooks=hooks, **more)
    sender.send(result.loss_curve)
except Exception as error:
    sender.send(getattr(error, "reason", repr(error)))
"""
"""Runs in a process of its own, whose address space may grow by `room` bytes while it takes steps."""


def in_little_memory(
    processes: ForkServerContext, model: Model, dataset: Path, folder: Path, room: int
) -> list[object]:
    """The notes of a training in `room` bytes, then its losses or its reason."""
    here, there = processes.Pipe(duplex=False)
    names = dict(zip(("train", "config", "more"), model, strict=True))
    names |= {"dataset": dataset, "folder": folder, "sender": there, "room": room}
    process = processes.Process(target=exec, args=(SCRIPT, names))
    process.start()
    there.close()
    messages = []
    try:
        while True:
            messages.append(here.recv())
    except EOFError:
        pass
    process.join()
    return messages


def wide_config() -> TrainingConfig:
    stack = {"layers": 1, "heads": 1, "head_width": 8, "inner_width": 4096, "dropout": 0.0, "attention_dropout": 0.0}
    predictor = {"width": 8, "dropout": 0.0}
    return tiny_config(
        max_steps=2,
        batch_size=40,
        encoder=stack,
        decoder=stack,
        duration_predictor=predictor,
        pitch_predictor=predictor,
    )


@pytest.fixture(scope="module")
def many_clips(tone_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips of the tone dataset eight times."""
    root = shutil.copytree(tone_dataset, tmp_path_factory.mktemp("many") / "dataset")
    lines = [json.loads(line) for line in (root / "train.jsonl").read_text().splitlines()]
    copies = []
    for number in range(8):
        for line in lines:
            name = f"{line['id']}-{number}"
            shutil.copy(root / f"supplementary/{line['id']}.npz", root / f"supplementary/{name}.npz")
            copies.append(json.dumps({**line, "id": name}) + "\n")
    (root / "train.jsonl").write_text("".join(copies))
    return root


WIDE: Model = (train_acoustic, wide_config(), {})


@pytest.mark.slow
def test_a_batch_too_large_for_memory_is_split_with_the_same_losses(
    many_clips: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    whole = train_acoustic(wide_config(), many_clips, tmp_path / "whole")
    *notes, curve = in_little_memory(processes, WIDE, many_clips, tmp_path / "tight", ROOM)
    assert isinstance(curve, tuple), curve
    assert notes
    assert "memory ran out in step" in str(notes[0])
    # Not to the last digit: NeMo's convolutions see a little of the padding, which is less where clips have less company.
    for (step, loss, mel), (same_step, same_loss, same_mel) in zip(curve, whole.loss_curve, strict=True):
        assert step == same_step
        assert loss == pytest.approx(same_loss, rel=5e-3)
        assert mel == pytest.approx(same_mel, rel=5e-3)


@pytest.mark.slow
def test_a_clip_that_does_not_fit_in_memory_is_an_error(
    many_clips: Path, tmp_path: Path, processes: ForkServerContext
) -> None:
    messages = in_little_memory(processes, WIDE, many_clips, tmp_path, 0)
    assert messages[-1] == "out_of_memory"


ON_A_DISK = """
import sys
from pathlib import Path
from voicemill.errors import VoicemillError
from voicemill.training.config import TrainingConfig
from voicemill.training.hooks import Hooks
from voicemill.training.train_fastpitch import train_acoustic

config = TrainingConfig.model_validate_json(Path(sys.argv[1]).read_bytes())
disk = Path(sys.argv[3])
filled = disk / "filled"

def fill(report):
    if report.step == 7:  # two checkpoints are there, and the third is due at step 9
        with filled.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

def steps():
    return sorted(path.name for path in disk.glob("*.checkpoint"))

try:
    train_acoustic(config, Path(sys.argv[2]), disk, hooks=Hooks(on_step=fill))
except VoicemillError as error:
    print(error.reason, steps())
print(sorted(path.name for path in disk.iterdir() if path.name.startswith(".")))
filled.unlink()
result = train_acoustic(config, Path(sys.argv[2]), disk, resume=True)
print(result.weights_sha256)
"""


def _may_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not _may_mount(), reason="needs root and the right to mount")
def test_a_disk_that_fills_up_keeps_the_good_checkpoints_and_no_other_disk_is_needed(
    tone_dataset: Path, tmp_path: Path
) -> None:
    """The temporary folder is a disk of one page: neither Lightning nor NeMo may stage anything there."""
    for name in ("disk", "temporary"):
        (tmp_path / name).mkdir()
    (tmp_path / "config.json").write_text(acoustic_config().model_dump_json())
    mounts = 'mount -t tmpfs -o size=30m tmpfs "$1" && mount -t tmpfs -o size=4k tmpfs "$TMPDIR" && shift && exec "$@"'
    arguments = [tmp_path / "config.json", tone_dataset, tmp_path / "disk"]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounts, "_", tmp_path / "disk", sys.executable, "-c", ON_A_DISK, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    refused, left, digest = done.stdout.splitlines()
    assert refused.startswith("disk_full:")
    assert refused.endswith("['fastpitch-0001.checkpoint', 'fastpitch-0002.checkpoint']")
    assert left == "[]"
    assert digest == train_acoustic(acoustic_config(), tone_dataset, tmp_path / "whole").weights_sha256
