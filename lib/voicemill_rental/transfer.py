"""What goes to the instance, and the results coming back: every file of them is verified by its hash."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from voicemill import files
from voicemill.errors import BlockedError, NotAcceptableError, UsageError
from voicemill_rental import snapshot
from voicemill_rental.console import Talk
from voicemill_rental.remote import Remote
from voicemill_rental.snapshot import Snapshot

SECRETS = (".env", ".env.*", "*.pem", "*.key", "id_rsa*", "id_ecdsa*", "id_ed25519*", ".git", "/batches")
"""Never pushed, wherever they lie: keys and settings, and journals of batches that ran here."""
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
"""What is half here lies in folders of this name, never under the name of a result."""
HASHES = "cd {work} && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --zero"


@dataclass(frozen=True)
class Push:
    """A file or folder that goes along.

    Attributes:
        source: here.
        place: `work`, `cache` or `code`: which folder of the instance.
        inside: path below that folder; empty for all of it.
    """

    source: Path
    place: str
    inside: str


@dataclass(frozen=True)
class Fetched:
    """Results that are here and whole."""

    count: int
    size: int


def push(source: Path, base: Path, place: str) -> Push:
    """A push of `source`, which lies at or below `base`.

    Raises:
        UsageError: it is not there, or lies elsewhere.
    """
    path = source.resolve()
    if not path.exists():
        raise UsageError(f"There is nothing to push at {source}.")
    if not path.is_relative_to(base.resolve()):
        raise UsageError(
            f"{source} does not lie below {base}, so it has no place on the rented machine.",
            hint="Copy or move it there.",
        )
    inside = path.relative_to(base.resolve()).as_posix()
    return Push(path, place, "" if inside == "." else inside)


def _quoted(remote: Remote) -> dict[str, str]:
    layout = remote.layout
    return {name: shlex.quote(getattr(layout, name)) for name in ("work", "cache", "code", "job")}


def send_code(remote: Remote, repository: Path, code: Snapshot, talk: Talk) -> str:
    """Send the snapshot and unpack it; returns its sha256, which both sides have computed.

    Raises:
        BlockedError: `rental_upload_failed`: the bytes that arrived are others.
    """
    remote.must(PREPARE.format(**_quoted(remote)))
    with snapshot.packed(repository, code) as (path, digest), path.open("rb") as handle:
        talk.say(f"Sending the code at {code.commit[:8]} ({path.stat().st_size / 1e6:.1f} MB).")
        arrived = remote.must(UNPACK.format(**_quoted(remote)), stdin=handle).split()[:1]
    if arrived != [digest.encode()]:
        raise BlockedError(
            "The code did not arrive as it was sent.",
            reason="rental_upload_failed",
            hint="Start again, perhaps with another offer.",
        )
    return digest


def send(remote: Remote, pushes: tuple[Push, ...], talk: Talk) -> None:
    """Copy what goes along; a copy that breaks off is taken up again."""
    excluded = [f"--exclude={name}" for name in SECRETS]
    for each in pushes:
        target = f"{getattr(remote.layout, each.place)}/{each.inside}".rstrip("/")
        folder = target if each.source.is_dir() else target.rpartition("/")[0]
        remote.must(f"mkdir -p {shlex.quote(folder)}")
        talk.say(f"Sending {each.source} to {target}.")
        source, target = (f"{each.source}/", f"{target}/") if each.source.is_dir() else (str(each.source), target)
        remote.rsync(
            ["-rlt", "-s", "--partial", *excluded], [source], f"vm:{target}", lambda said: talk.say(f"Again: {said}")
        )


def fetch(remote: Remote, target: Path, talk: Talk) -> Fetched:
    """Bring the instance's work folder to `target` and verify every file.

    Only regular files and folders come: a link or a device of a stranger's machine has no business here.

    Raises:
        NotAcceptableError: `rental_results_differ`, with the first file.
        ConnectionLostError: they do not come.
    """
    target.mkdir(parents=True, exist_ok=True)
    listed = _listed(remote.must(HASHES.format(**_quoted(remote))))
    talk.say(f"Bringing {len(listed)} files to {target}.")
    wrong = list(listed)
    for more in ([], ["--checksum"]):
        options = ["-rt", "-s", f"--partial-dir={PARTIAL}", "--no-perms", "--chmod=D755,F644", *more]
        remote.rsync(options, [f"vm:{remote.layout.work}/"], f"{target}/", lambda said: talk.say(f"Again: {said}"))
        wrong = [name for name in wrong if not _same(target / name, listed[name])]
        if not wrong:
            return Fetched(len(listed), sum((target / name).stat().st_size for name in listed))
    raise NotAcceptableError(
        f"{len(wrong)} files did not arrive as they were on the rented machine, the first is {wrong[0]}.",
        reason="rental_results_differ",
        hint="Do not use them; with --keep the machine stays, and `make vast-pull ID=…` tries again.",
    )


def _listed(said: bytes) -> dict[str, str]:
    found = {}
    for entry in said.split(b"\0"):
        digest, _, name = entry.decode("utf-8", "surrogateescape").partition("  ./")
        if not entry:
            continue
        if len(digest) != 64 or not name or ".." in name.split("/"):
            raise NotAcceptableError(
                "The rented machine's list of results is not one.",
                reason="rental_results_differ",
                hint="Do not use what it sent; rent another one.",
            )
        found[name] = digest
    return found


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and files.sha256_file(path) == digest
