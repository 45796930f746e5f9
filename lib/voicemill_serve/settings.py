"""Settings of a server."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voicemill import files
from voicemill.errors import StorageError, UsageError
from voicemill.variables import DEFAULT_VOICE

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5051
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
MAX_TOKEN_FILE = 64 * 1024
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Limits:
    """Limits of requests.

    Attributes:
        characters: of one text.
        body_bytes: of one request.
        queue: requests that are spoken or wait at the same time.
        rate_per_minute: requests of one client address; 0 is no limit.
        seconds: of one request, from its arrival to its last sound.
        idle_seconds: after which a voice that is not used is dropped from memory.
    """

    characters: int = 4096
    body_bytes: int = 1024 * 1024
    queue: int = 64
    rate_per_minute: int = 0
    seconds: float = 120.0
    idle_seconds: float = 600.0


@dataclass(frozen=True)
class Tokens:
    """Bearer tokens, held as digests.

    Attributes:
        digests: sha256 of each token; empty where no token is needed.
    """

    digests: tuple[bytes, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Tokens:
        """The tokens of a file, one a line; empty lines and lines that begin with `#` are left out.

        Raises:
            UsageError: `token_file_invalid`: no token, or one of fewer than 16 characters.
            StorageError: the file cannot be read.
        """
        try:
            data = files.read_bounded(path, MAX_TOKEN_FILE)
        except OSError as error:
            raise StorageError.unreadable(error, path) from error
        lines = [line.strip() for line in data.decode("utf-8", errors="replace").splitlines()]
        tokens = [line for line in lines if line and not line.startswith("#")]
        if not tokens or min(map(len, tokens)) < SHORTEST_TOKEN:
            raise UsageError(
                f"{path} must hold one token a line, each of at least {SHORTEST_TOKEN} characters.",
                reason="token_file_invalid",
                hint="Make one with: openssl rand -hex 32",
            )
        return cls(tuple(hashlib.sha256(token.encode()).digest() for token in tokens))

    def accept(self, token: str) -> bool:
        """Whether a token is one of these; the time does not depend on which bytes differ."""
        given = hashlib.sha256(token.encode("utf-8", errors="replace")).digest()
        found = False
        for digest in self.digests:
            found |= hmac.compare_digest(digest, given)
        return found


@dataclass(frozen=True)
class ServeSettings:
    """Settings of a server.

    Attributes:
        bundles: folders of promoted voices (`<voice>/voice_bundle`), or single bundles.
        work: the work folder, which holds the jobs.
        marks: folder of the self-made key that signs sounds; None makes one for this process.
        default_voice: for requests that name none.
        host: address to listen on.
        port: 0 chooses a free one.
        tokens: without one, every client that reaches the port is served.
        hosts: names by which clients may call the server, beside those of the loopback interface.
        uncertified: serve voices without a certificate too; every answer then has a header that says so.
        sample_fallback: `POST /speak` answers with a sample if the voice cannot speak.
        sample: that sample; None for the bundle's.
        loudness_lufs: of the speech.
        log_text: write the spoken texts into the log.
        wyoming_port: for Home Assistant; None for none, 0 for a free one.
        wyoming_host: address of that port; the protocol has no tokens.
        open_detector: the detector of synthetic speech needs no token.
        agent_policies: rules of a voice agent for `/api/voice/speak`.
        training: offer the training jobs, if this Python can train.
        parallel_jobs: training jobs at a time; the others are pending.
    """

    bundles: tuple[Path, ...]
    work: Path
    marks: Path | None = None
    default_voice: str = DEFAULT_VOICE
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    tokens: Tokens = field(default_factory=Tokens)
    hosts: tuple[str, ...] = ()
    uncertified: bool = False
    sample_fallback: bool = False
    sample: Path | None = None
    loudness_lufs: float = -23.0
    log_text: bool = False
    wyoming_port: int | None = None
    wyoming_host: str = DEFAULT_HOST
    open_detector: bool = False
    agent_policies: bool = False
    training: bool = True
    parallel_jobs: int = 1
    limits: Limits = field(default_factory=Limits)

    def allows_host(self, name: str) -> bool:
        """Whether a Host header may have this name, in lower case.

        On every interface, an address is one too: a page whose name was bound anew keeps its name in the header.
        """
        if name in LOOPBACK_NAMES or name == self.host.lower() or name in map(str.lower, self.hosts):
            return True
        return self.host in ("0.0.0.0", "::") and _is_address(name)  # noqa: S104 - compared, not bound


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_token_beyond_loopback(host: str, tokens: Tokens, *, without_token: bool) -> None:
    """Refuse to listen on the network without a token, unless the operator says so.

    Raises:
        UsageError: `token_required`.
    """
    if is_loopback(host) or tokens.digests or without_token:
        return
    raise UsageError(
        f"{host} can be reached from other machines, so clients need a token.",
        reason="token_required",
        hint="Give --token-file FILE, or --without-token where a container or proxy publishes the port safely.",
    )


@dataclass(frozen=True)
class BackendEnvironment:
    """Variables of a voice agent's own backend (`LOCAL_TTS_*`), which this server replaces: defaults of the options.

    Attributes:
        bundles: the folder of the bundle that `LOCAL_TTS_FASTPITCH_PATH` lies in.
        sample: a sound in place of the bundle's sample.
    """

    host: str
    port: int
    bundles: tuple[Path, ...]
    sample_fallback: bool
    sample: Path | None


def backend_environment(environ: Mapping[str, str]) -> BackendEnvironment:
    """Read `LOCAL_TTS_HOST`, `_PORT`, `_FASTPITCH_PATH`, `_SAMPLE_PATH` and `_ENABLE_SAMPLE_FALLBACK`.

    White space around a value does not count, and an empty one is unset.

    Raises:
        UsageError: the port is not a number from 0 to 65535.
    """

    def value(name: str) -> str:
        return environ.get(f"LOCAL_TTS_{name}", "").strip()

    port = value("PORT") or str(DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and int(port[:6]) < 65_536):
        raise UsageError(f"LOCAL_TTS_PORT must be a port, not {port[:40]!r}.")
    model, sample = value("FASTPITCH_PATH"), value("SAMPLE_PATH")
    return BackendEnvironment(
        host=value("HOST") or DEFAULT_HOST,
        port=int(port),
        bundles=(Path(model).parent,) if model else (),
        sample_fallback=value("ENABLE_SAMPLE_FALLBACK").lower() in ("1", "true", "yes", "on"),
        sample=Path(sample) if sample else None,
    )
