"""Copies code and inputs to the instance and results from it; every result is verified by its hash."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import BlockedError, NotAcceptableError, UsageError
from voicemill_rental import snapshot
from voicemill_rental.console import Console
from voicemill_rental.remote import Remote
from voicemill_rental.snapshot import Snapshot

SECRETS = (".env", ".env.*", "*.pem", "*.key", "id_rsa*", "id_ecdsa*", "id_ed25519*", ".git", "/batches")
"""Never sent, in any folder: keys and settings, and journals of local batches."""
PREPARE = """set -e
if ! command -v rsync >/dev/null; then
  apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends rsync >&2
fi
rm -rf {code} {job}
mkdir -p {work} {cache} {code} {job}
"""
UNPACK = """set -e
cat > {job}/code.tar
sha256sum < {job}/code.tar
tar -xf {job}/code.tar -C {code}
rm {job}/code.tar
ln -sfn {work} {code}/work
ln -sfn {cache} {code}/cache
"""
PARTIAL = ".voicemill-partial"
"""Folders of partial files, so that a partial file never has the name of a result."""
HASHES = "cd {work} && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --zero"


@dataclass(frozen=True)
class Push:
    """A file or folder to send.

    Attributes:
        source: local path.
        place: target folder on the instance: `work`, `cache` or `code`.
        inside: path below that folder; empty for the whole folder.
    """

    source: Path
    place: str
    inside: str


@dataclass(frozen=True)
class Fetched:
    """The number and size of the verified results."""

    count: int
    size: int


def push(source: Path, base: Path, place: str) -> Push:
    """A push of `source`, which must be at or below `base`.

    Raises:
        UsageError: it does not exist, or is elsewhere.
    """
    path = source.resolve()
    if not path.exists():
        raise UsageError(f"{source} does not exist, so it cannot be pushed.")
    if not path.is_relative_to(base.resolve()):
        raise UsageError(
            f"{source} is not below {base}, so it has no path on the rented machine.",
            hint="Copy or move it there.",
        )
    inside = path.relative_to(base.resolve()).as_posix()
    return Push(path, place, "" if inside == "." else inside)


def _quoted(remote: Remote) -> dict[str, str]:
    layout = remote.layout
    return {name: shlex.quote(getattr(layout, name)) for name in ("work", "cache", "code", "job")}


def send_code(remote: Remote, repository: Path, code: Snapshot, console: Console) -> str:
    """Send the snapshot and unpack it; returns its sha256, computed on both sides.

    Raises:
        BlockedError: `rental_upload_failed`: the digests differ.
    """
    remote.run_checked(PREPARE.format(**_quoted(remote)))
    with snapshot.packed(repository, code) as (path, digest), path.open("rb") as handle:
        console.info(f"Sending the code at {code.commit[:8]} ({path.stat().st_size / 1e6:.1f} MB).")
        arrived = remote.run_checked(UNPACK.format(**_quoted(remote)), stdin=handle).split()[:1]
    if arrived != [digest.encode()]:
        raise BlockedError(
            "The code arrived damaged: its digest differs.",
            reason="rental_upload_failed",
            hint="Start again, if necessary with another offer.",
        )
    return digest


def send(remote: Remote, pushes: tuple[Push, ...], console: Console) -> None:
    """Copy the inputs; an interrupted copy is continued."""
    excluded = [f"--exclude={name}" for name in SECRETS]
    for each in pushes:
        target = f"{getattr(remote.layout, each.place)}/{each.inside}".rstrip("/")
        folder = target if each.source.is_dir() else target.rpartition("/")[0]
        remote.run_checked(f"mkdir -p {shlex.quote(folder)}")
        console.info(f"Sending {each.source} to {target}.")
        source, target = (f"{each.source}/", f"{target}/") if each.source.is_dir() else (str(each.source), target)
        remote.rsync(
            ["-rlt", "-s", "--partial", *excluded],
            [source],
            f"vm:{target}",
            lambda error: console.info(f"Retrying: {error}"),
        )


def fetch(remote: Remote, target: Path, console: Console) -> Fetched:
    """Copy the instance's work folder to `target` and verify every file.

    Only regular files and folders are copied, no links or devices.

    Raises:
        NotAcceptableError: `rental_results_differ`, with the first file.
        ConnectionLostError: the connection failed.
    """
    target.mkdir(parents=True, exist_ok=True)
    listed = _listed(remote.run_checked(HASHES.format(**_quoted(remote))))
    console.info(f"Copying {len(listed)} files to {target}.")
    wrong = list(listed)
    for more in ([], ["--checksum"]):
        options = ["-rt", "-s", f"--partial-dir={PARTIAL}", "--no-perms", "--chmod=D755,F644", *more]
        remote.rsync(
            options, [f"vm:{remote.layout.work}/"], f"{target}/", lambda error: console.info(f"Retrying: {error}")
        )
        wrong = [name for name in wrong if not _same(target / name, listed[name])]
        if not wrong:
            return Fetched(len(listed), sum((target / name).stat().st_size for name in listed))
    raise NotAcceptableError(
        f"{len(wrong)} files differ from those on the rented machine; the first is {wrong[0]}.",
        reason="rental_results_differ",
        hint="Do not use them. With --keep the machine stays, and `make vast-pull ID=…` copies them again.",
    )


def _listed(output: bytes) -> dict[str, str]:
    found = {}
    for entry in output.split(b"\0"):
        digest, _, name = entry.decode("utf-8", "surrogateescape").partition("  ./")
        if not entry:
            continue
        if len(digest) != 64 or not name or ".." in name.split("/"):
            raise NotAcceptableError(
                "The rented machine's list of results is malformed.",
                reason="rental_results_differ",
                hint="Do not use its files; rent another machine.",
            )
        found[name] = digest
    return found


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and files.sha256_file(path) == digest
