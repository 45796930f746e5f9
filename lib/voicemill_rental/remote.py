"""ssh and rsync to an instance.

The first connection pins the host key under the instance's name; later ones accept only that key. Of the user's ssh
set-up only one key is used: no agent is forwarded, no variable is sent, no other configuration is read.
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
"""ssh's exit code if the connection failed."""
RSYNC_LOST = (10, 11, 12, 23, 24, 30, 35, 255)
"""rsync's exit codes worth a retry: sockets, streams, timeouts, partial transfers."""
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
    """Folders on the instance."""

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
    """The instance stopped responding."""

    def __init__(self, output: str) -> None:
        super().__init__(
            f"The connection to the rented machine was lost: {' '.join(output.split())[-300:] or 'no response'}.",
            reason="rental_connection_lost",
            hint="Start again; finished results are lost unless they were pulled.",
        )


class Remote:
    """An ssh connection to an instance, through one of its endpoints."""

    def __init__(self, settings: RentalSettings, folder: Path, instance: Instance) -> None:
        """
        Args:
            settings: key and user.
            folder: the instance's folder in the state folder, for the pinned key.
            instance: the instance.

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
        """Try each endpoint; returns an empty string on success, else ssh's error output.

        Raises:
            NotAcceptableError: `ssh_host_key_changed`.
        """
        self._instance, error = instance, "it has no address yet"
        for host, port in instance.endpoints:
            self._write_config(host, port)
            done = self.run("true")
            if done.returncode == 0:
                return ""
            error = done.stderr.decode("utf-8", "replace").strip()
        return error

    def run(self, command: str, *, stdin: IO[bytes] | None = None, data: bytes | None = None) -> CommandResult:
        """Run a shell command on the instance and wait for it.

        Args:
            command: command for the instance's shell.
            stdin: file for its standard input.
            data: bytes for its standard input.

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
                output, errors = child.communicate(data)
            except BaseException:  # a signal to this process: leave no child behind
                child.kill()
                raise
        self.check_host_key(child.returncode, errors)
        return CommandResult(child.returncode, output, errors)

    def run_checked(self, command: str, *, stdin: IO[bytes] | None = None, data: bytes | None = None) -> bytes:
        """Run a command and return its stdout.

        Raises:
            ConnectionLostError: the connection failed.
            BlockedError: `rental_command_failed`.
        """
        done = self.run(command, stdin=stdin, data=data)
        errors = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode == LOST:
            raise ConnectionLostError(errors)
        if done.returncode != 0:
            raise BlockedError(
                f"A command failed on the rented machine: {' '.join(errors.split())[-300:]}.",
                reason=f"rental_command_failed:exit_code={done.returncode}",
                hint="Check that VAST_IMAGE is an image of this project, try another offer, or use `make vast-shell`.",
            )
        return done.stdout

    def rsync(
        self, options: Sequence[str], sources: Sequence[str], target: str, on_retry: Callable[[str], None]
    ) -> None:
        """Copy files, with up to three attempts; a path on the instance begins with `vm:`.

        Raises:
            ConnectionLostError: all attempts failed.
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
            self.check_host_key(done.returncode, done.stderr)
            if done.returncode == 0:
                return
            errors = done.stderr.decode("utf-8", "replace").strip()
            if done.returncode not in RSYNC_LOST or not left:
                raise ConnectionLostError(errors)
            on_retry(errors)

    @property
    def ssh(self) -> list[str]:
        """The ssh command line, to which the remote command is appended."""
        return ["ssh", "-F", str(self._config), "-T", "vm"]

    @property
    def interactive(self) -> list[str]:
        """The command line of an interactive shell in the folder of the code."""
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

    def check_host_key(self, code: int, output: bytes) -> None:
        """Raise if ssh reports a changed host key.

        Raises:
            NotAcceptableError: `ssh_host_key_changed`.
        """
        if code != 0 and any(mark in output.decode("utf-8", "replace") for mark in CHANGED):
            raise NotAcceptableError(
                f"The ssh host key of instance {self._instance.id} differs from that of the first connection.",
                reason="ssh_host_key_changed",
                hint="The connection may be intercepted or the host replaced. Rent another machine.",
            )


@dataclass(frozen=True)
class CommandResult:
    """The exit code and output of a command on the instance."""

    returncode: int
    stdout: bytes
    stderr: bytes


def require_tools() -> None:
    """Check that ssh and rsync are installed.

    Raises:
        DependencyError: `runtime_dependency_missing:<ssh,rsync>`.
    """
    missing = [tool for tool in ("ssh", "rsync") if shutil.which(tool) is None]
    if missing:
        raise DependencyError(
            f"Not installed, but needed to connect to a rented machine: {', '.join(missing)}.",
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
            "No ssh key was found for the rented machine.",
            reason="ssh_key_missing",
            hint="Create one with `ssh-keygen -t ed25519`, or set VAST_SSH_KEY; its .pub file must be beside it.",
        )
    return files.read_whole(public, 64 * 1024).decode("utf-8", "replace").strip()
