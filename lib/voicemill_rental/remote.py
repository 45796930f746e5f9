"""ssh and rsync to an instance.

The first contact pins the host key under the instance's own name, later ones accept that key alone. Nothing of the
user's ssh set-up is used but the one key: no agent is forwarded, no variable is sent, no other configuration is read.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO

from voicemill import files
from voicemill.errors import BlockedError, DependencyError, NotAcceptableError, RefusedError
from voicemill_rental.market import Instance
from voicemill_rental.settings import RentalSettings

LOST = 255
"""ssh's exit code when it is the connection that failed."""
RSYNC_LOST = (10, 11, 12, 23, 24, 30, 35, 255)
"""rsync's exit codes that another try may mend: sockets, streams, timeouts, partial transfers."""
CHANGED = ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed")
CONFIG = """\
Host vm
  HostName {host}
  Port {port}
  User {user}
  HostKeyAlias vast-{instance}
  IdentityFile "{key}"
  IdentitiesOnly yes
  UserKnownHostsFile "{known}"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking {strict}
  UpdateHostKeys no
  BatchMode yes
  PasswordAuthentication no
  ForwardAgent no
  ForwardX11 no
  ClearAllForwardings yes
  PermitLocalCommand no
  ControlMaster no
  ConnectTimeout 10
  ServerAliveInterval 15
  ServerAliveCountMax 4
  LogLevel ERROR
"""


@dataclass(frozen=True)
class Layout:
    """Where things lie on the instance."""

    root: str

    @property
    def work(self) -> str:
        return f"{self.root}/work"

    @property
    def cache(self) -> str:
        return f"{self.root}/cache"

    @property
    def code(self) -> str:
        return f"{self.root}/workspace/voicemill"

    @property
    def job(self) -> str:
        return f"{self.root}/workspace/job"


class ConnectionLostError(BlockedError):
    """The instance does not answer any more."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The connection to the rented machine was lost: {' '.join(said.split())[-300:] or 'it does not answer'}.",
            reason="rental_connection_lost",
            hint="Start again; what was finished on it is lost unless it was pulled.",
        )


class Remote:
    """One instance, reached through one of its endpoints."""

    def __init__(self, settings: RentalSettings, folder: Path, instance: Instance) -> None:
        """
        Args:
            settings: key and user.
            folder: of this instance in the state folder; gets the pinned key.
            instance: where to go.

        Raises:
            RefusedError: `ssh_key_missing`.
            DependencyError: `runtime_dependency_missing:<ssh,rsync>`.
        """
        self.layout = Layout(settings.remote_root)
        self._settings, self._folder, self._instance = settings, folder, instance
        self._known = folder / "known_hosts"
        self._config = folder / "ssh_config"
        require_tools()
        require_key(settings)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def environment(self) -> Mapping[str, str]:
        return self._settings.environment

    def reach(self, instance: Instance) -> str:
        """Try each endpoint; returns an empty string on success, else what ssh said.

        Raises:
            NotAcceptableError: `ssh_host_key_changed`.
        """
        self._instance, said = instance, "it has no address yet"
        for host, port in instance.endpoints:
            self._write_config(host, port)
            done = self.run("true")
            if done.returncode == 0:
                return ""
            said = done.stderr.decode("utf-8", "replace").strip()
        return said

    def run(self, command: str, *, stdin: IO[bytes] | None = None, data: bytes | None = None) -> Done:
        """Run a line of shell there and wait for it.

        Args:
            command: for the instance's shell.
            stdin: a file that it reads.
            data: bytes that it reads.

        Raises:
            NotAcceptableError: `ssh_host_key_changed`.
        """
        child = subprocess.Popen(
            [*self.ssh, command],
            stdin=subprocess.PIPE if data is not None else (stdin or subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.environment),
            start_new_session=True,
        )
        with child:
            try:
                said, wrong = child.communicate(data)
            except BaseException:  # a signal of ours: nothing is left behind
                child.kill()
                raise
        self.judge(child.returncode, wrong)
        return Done(child.returncode, said, wrong)

    def must(self, command: str, *, stdin: IO[bytes] | None = None, data: bytes | None = None) -> bytes:
        """`run`, and its stdout.

        Raises:
            ConnectionLostError: the connection failed.
            BlockedError: `rental_command_failed`.
        """
        done = self.run(command, stdin=stdin, data=data)
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode == LOST:
            raise ConnectionLostError(said)
        if done.returncode != 0:
            raise BlockedError(
                f"The rented machine could not do a step: {' '.join(said.split())[-300:]}.",
                reason=f"rental_command_failed:exit_code={done.returncode}",
                hint="Is VAST_IMAGE an image of this project? Try another offer, or look around with make vast-shell.",
            )
        return done.stdout

    def rsync(self, options: Sequence[str], sources: Sequence[str], target: str, again: Callable[[str], None]) -> None:
        """Copy; a name of the instance's begins with `vm:`. Tried three times.

        Raises:
            ConnectionLostError: it does not work.
        """
        argv = ["rsync", "-e", f"ssh -F '{self._config}'", "--timeout=120", *options, "--", *sources, target]
        for left in (2, 1, 0):
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
                env=dict(self.environment),
                start_new_session=True,
            )
            self.judge(done.returncode, done.stderr)
            if done.returncode == 0:
                return
            said = done.stderr.decode("utf-8", "replace").strip()
            if done.returncode not in RSYNC_LOST or not left:
                raise ConnectionLostError(said)
            again(said)

    @property
    def ssh(self) -> list[str]:
        """The command line that a command for the instance is added to."""
        return ["ssh", "-F", str(self._config), "-T", "vm"]

    @property
    def interactive(self) -> list[str]:
        """The command line of a shell there, in the code's folder."""
        places = f"export VOICEMILL_IN_IMAGE=1 WORK_DIR={quote(self.layout.work)} CACHE_DIR={quote(self.layout.cache)}"
        shell = f'cd {quote(self.layout.code)} 2>/dev/null; {places}; exec "${{SHELL:-bash}}"'
        return ["ssh", "-F", str(self._config), "-t", "vm", shell]

    def _write_config(self, host: str, port: int) -> None:
        text = CONFIG.format(
            host=host,
            port=port,
            user=self._settings.ssh_user,
            instance=self._instance.id,
            key=self._settings.ssh_key,
            known=self._known,
            strict="yes" if self._known.is_file() else "accept-new",
        )
        files.write_text(self._config, text)

    def judge(self, code: int, said: bytes) -> None:
        """Raise when what ssh said is that another host answers.

        Raises:
            NotAcceptableError: `ssh_host_key_changed`.
        """
        if code != 0 and any(mark in said.decode("utf-8", "replace") for mark in CHANGED):
            raise NotAcceptableError(
                f"The ssh host key of instance {self._instance.id} is not the one of the first contact.",
                reason="ssh_host_key_changed",
                hint="Somebody may stand in between, or the host was swapped: nothing more is sent. Rent another one.",
            )


@dataclass(frozen=True)
class Done:
    """How a command on the instance ended."""

    returncode: int
    stdout: bytes
    stderr: bytes


def require_tools() -> None:
    """See that what reaches a rented machine is installed here.

    Raises:
        DependencyError: `runtime_dependency_missing:<ssh,rsync>`.
    """
    missing = [tool for tool in ("ssh", "rsync") if shutil.which(tool) is None]
    if missing:
        raise DependencyError(
            f"A rented machine is reached with {' and '.join(missing)}, not installed here.",
            reason=f"runtime_dependency_missing:{','.join(missing)}",
            hint="Install openssh-client and rsync.",
        )


def require_key(settings: RentalSettings) -> str:
    """The public half of the ssh key.

    Raises:
        RefusedError: `ssh_key_missing`.
    """
    public = settings.ssh_key.with_name(settings.ssh_key.name + ".pub") if settings.ssh_key else None
    if public is None or not public.is_file():
        raise RefusedError(
            "There is no ssh key to reach a rented machine with.",
            reason="ssh_key_missing",
            hint="Make one with `ssh-keygen -t ed25519`, or name one with VAST_SSH_KEY; its .pub lies beside it.",
        )
    return public.read_text(encoding="utf-8").strip()
