"""Every command that publishes something, killed and failed at every call that changes its folder.

A kill leaves the old state or the new one, and the next run sweeps up. A full disk, a failed flush and a failed rename
are told in one plain sentence, and nothing is published.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from voicemill import atomic
from voicemill.bundle.contents import SAMPLE_CREDENTIALS
from voicemill.bundle.differences import compare
from voicemill.bundle.signing import read_public_key, verify_dsse

from .conftest import (
    APPS,
    CHANGES,
    CREATE,
    EPOCH,
    FAIL_FROM,
    FSYNC,
    HALF,
    KILL,
    RENAME,
    WRITE,
    Done,
    Driver,
    Fault,
    litter,
)

BUNDLE = APPS / "voice-bundle/voice-bundle.py"
VERIFY = APPS / "voice-verify/voice-verify.py"
PRODUCTION, PROMOTED = Path("checkpoints/prod_tts_voice_bundle"), Path("bundles/anna/voice_bundle")


def folder(path: Path) -> object:
    """A bundle that is whole, as the digest of its manifest; None where there is none."""
    if not path.exists():
        return None
    check = compare(path)
    assert check.ok, check.differences
    return check.loaded.sha256 if check.loaded else None


def promoted(beside: Path) -> object:
    """The bundle, whole, and then the signed metadata of its sample, which is a file of its own."""
    found = folder(beside / "voice_bundle")
    credentials = beside / SAMPLE_CREDENTIALS
    return (found,) if not credentials.exists() else (found, len(credentials.read_bytes()) > 0)


def signatures(root: Path) -> object:
    """Each of the three files is whole; ECDSA is random, so what counts is that it holds."""
    beside, key = root / "bundles/anna", read_public_key(root / "anna.pub.pem")
    found = []
    if (beside / "voice_bundle.cdx.json").exists():
        assert json.loads((beside / "voice_bundle.cdx.json").read_text())["bomFormat"] == "CycloneDX"
        found.append("voice_bundle.cdx.json")
    for name in ("voice_bundle.provenance.sig", "voice_bundle.sig"):  # in the order in which they are written
        if (beside / name).exists():
            assert verify_dsse((beside / name).read_bytes(), key)
            found.append(name)
    return tuple(found)


def certificate(root: Path) -> object:
    path = root / "bundles/anna/certificate.json"
    return json.loads(path.read_text())["bundle_manifest_sha256"] if path.exists() else None


def plain(path: Path) -> object:
    return path.read_bytes() if path.exists() else None


@dataclass(frozen=True)
class Command:
    """A command, what it publishes, and whether that is one step or several files, each whole."""

    argv: tuple[object, ...]
    state: Callable[[Path], object]
    steps: bool = False


COMMANDS = {
    "build": Command((BUNDLE, "build"), lambda root: folder(root / PRODUCTION)),
    "promote": Command(
        (BUNDLE, "promote", "--voice", "anna", "--display-name", "Anna 2"),
        lambda root: promoted(root / "bundles/anna"),
        steps=True,
    ),
    "promote-first": Command(
        (BUNDLE, "promote", "--voice", "bert", "--display-name", "Bert"),
        lambda root: promoted(root / "bundles/bert"),
        steps=True,
    ),
    "sign": Command((BUNDLE, "sign", PROMOTED, "--key", "anna.pem"), signatures, steps=True),
    "export": Command((BUNDLE, "export", PROMOTED, "d.tar"), lambda root: plain(root / "d.tar")),
    "import": Command((BUNDLE, "import", "d.tar"), lambda root: folder(root / PROMOTED)),
    "certify": Command((VERIFY, "certify", PROMOTED), certificate),
}
QUICK = ("certify", "export")
EVERY_COMMAND = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in sorted(COMMANDS)]
"""`make test-fast` tries the commands with the fewest calls, `make test` all of them."""
Fresh = Callable[[], Path]


def reference(driver: Driver, work: Fresh, command: Command, fault: Fault) -> tuple[object, object, int]:
    """States before and after, and how many calls there are to fail at."""
    root = work()
    before = command.state(root)
    done = driver(root, *command.argv, fault=fault, SOURCE_DATE_EPOCH=EPOCH)
    assert done.code == 0, done.stderr
    after = command.state(root)
    assert before != after, "the command must change something, or nothing is tested"
    assert litter(root) == []
    return before, after, done.seen


def acceptable(command: Command, found: object, before: object, after: object) -> bool:
    if not command.steps:
        return found in (before, after)
    if found == before:
        return True
    assert isinstance(found, tuple)
    assert isinstance(after, tuple)
    return found == after[: len(found)]


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_a_kill_at_any_call_leaves_the_old_or_the_new(driver: Driver, work: Fresh, name: str) -> None:
    command = COMMANDS[name]
    for kinds, how in ((CHANGES, KILL), (WRITE, HALF)):  # before the call, and in the middle of a write
        before, after, calls = reference(driver, work, command, Fault(kinds))
        assert calls > 0
        for at in range(1, calls + 1):
            root = work()
            killed = driver(root, *command.argv, fault=Fault(kinds, how, at), SOURCE_DATE_EPOCH=EPOCH)
            assert killed.code == -9, (how, at, killed.stderr)
            assert acceptable(command, command.state(root), before, after), (how, at)
            again = driver(root, *command.argv, SOURCE_DATE_EPOCH=EPOCH)
            assert again.code == 0, (how, at, again.stderr)
            assert command.state(root) == after, (how, at)
            assert litter(root) == [], (how, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["import", "promote"])
def test_a_kill_where_names_cannot_change_places(driver: Driver, work: Fresh, name: str) -> None:
    command = COMMANDS[name]
    before, after, calls = reference(driver, work, command, Fault(CHANGES, exchange=False))
    for at in range(1, calls + 1):
        root = work()
        fault = Fault(CHANGES, KILL, at, exchange=False)
        assert driver(root, *command.argv, fault=fault, SOURCE_DATE_EPOCH=EPOCH).code == -9
        # Between two renames there is nothing under the name; whoever writes there next puts the old one back.
        for place in {path.parent for path in root.rglob(".*.voicemill-*")}:
            atomic.sweep(place)
        assert acceptable(command, command.state(root), before, after), at
        assert litter(root) == [], at


def plainly(done: Done, program: str, code: int, reason: str) -> None:
    """One error line with its reason, one sentence, one hint; nothing else."""
    assert done.code == code, (done.code, done.stderr)
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"[{program}][error] {reason}"), lines
    assert len(lines) in (2, 3), lines
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_a_disk_that_fills_up_at_any_call_is_named_and_nothing_is_published(
    driver: Driver, work: Fresh, name: str
) -> None:
    command = COMMANDS[name]
    needs_room = WRITE | CREATE
    before, after, calls = reference(driver, work, command, Fault(needs_room))
    for at in range(1, calls + 1):
        root = work()
        done = driver(
            root, *command.argv, fault=Fault(needs_room, FAIL_FROM, at, errno.ENOSPC), SOURCE_DATE_EPOCH=EPOCH
        )
        plainly(done, command.argv[0].stem, 2, "disk_full")
        assert "The disk is full: could not write" in done.stderr
        found = command.state(root)
        assert found == before or (command.steps and acceptable(command, found, before, after)), at
        assert litter(root) == [], at


@pytest.mark.parametrize("kind", [FSYNC, RENAME], ids=["fsync", "rename"])
@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_a_failed_flush_or_rename_is_fatal_and_nothing_is_published(
    driver: Driver, work: Fresh, name: str, kind: int
) -> None:
    command = COMMANDS[name]
    before, after, calls = reference(driver, work, command, Fault(kind))
    assert calls > 0
    for at in range(1, calls + 1):
        root = work()
        done = driver(root, *command.argv, fault=Fault(kind, FAIL_FROM, at, errno.EIO), SOURCE_DATE_EPOCH=EPOCH)
        plainly(done, command.argv[0].stem, 2, "not_writable")
        found = command.state(root)
        assert found == before or (command.steps and acceptable(command, found, before, after)), at
