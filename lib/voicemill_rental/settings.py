"""Settings of the rental, from the environment and `.env`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voicemill import files
from voicemill.errors import UsageError

QUERY = "reliability > 0.98 gpu_ram >= 20 compute_cap >= 800 compute_cap < 1200"
"""The default search: GPUs that the CUDA image supports, with enough memory for the presets."""
BLACKWELL = 1200
"""Compute capability (times 100) from which `image_blackwell` is used."""
MONTH_HOURS = 730.0
"""365 days, in hours, over 12."""
SERVER = "https://console.vast.ai"


@dataclass(frozen=True)
class RentalSettings:
    """Settings of the rental; prices in US dollars, times in seconds.

    Attributes:
        key: VAST_API_KEY.
        token: GHCR_TOKEN, for a private image; the scope `read:packages` is sufficient.
        max_monthly: price a month above which the user is asked.
        image, image_blackwell: VAST_IMAGE, VAST_IMAGE_BLACKWELL; by default the tags of scripts/publish.sh.
        client: the Python that has the vendor's client.
        reconnect: how long a connection may be lost before the run fails.
        environment: environment of child processes, without the secrets.
    """

    key: str = field(repr=False)
    token: str = field(repr=False)
    user: str
    server: str
    query: str
    max_monthly: float
    image: str
    image_blackwell: str
    disk_gb: int
    ssh_key: Path | None
    ssh_user: str
    remote_root: str
    wait: float
    reconnect: float
    poll: float
    state: Path
    client: Path | None
    environment: Mapping[str, str] = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.key, self.token

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, home: Path, env_file: Path) -> RentalSettings:
        """Read the variables; the environment takes precedence over the file.

        Raises:
            UsageError: a variable has an invalid value; `env_invalid`: a line of the file.
        """
        known = {**read_env(env_file), **{name: value for name, value in environ.items() if value}}

        def text(name: str, default: str = "") -> str:
            return known.get(name, "").strip() or default

        registry = text("VOICEMILL_REGISTRY")
        given = text("VAST_SSH_KEY")
        keys = [Path(given)] if given else [home / ".ssh" / name for name in ("id_ed25519", "id_ecdsa", "id_rsa")]
        state = text("XDG_STATE_HOME")
        client = text("VOICEMILL_VAST_PYTHON")
        return cls(
            key=text("VAST_API_KEY"),
            token=text("GHCR_TOKEN"),
            user=text("GHCR_USER"),
            server=text("VAST_URL", SERVER),
            query=text("VAST_QUERY", QUERY),
            max_monthly=_number(text("VAST_MAX_MONTHLY_PRICE", "40"), "VAST_MAX_MONTHLY_PRICE"),
            image=text("VAST_IMAGE", f"{registry}:cuda" if registry else ""),
            image_blackwell=text("VAST_IMAGE_BLACKWELL", f"{registry}:cuda130" if registry else ""),
            disk_gb=int(_number(text("VAST_DISK_GB", "60"), "VAST_DISK_GB")),
            ssh_key=next((path for path in keys if path.is_file()), None),
            ssh_user=text("VAST_SSH_USER", "root"),
            remote_root=text("VAST_REMOTE_ROOT").rstrip("/"),
            wait=_number(text("VAST_WAIT_SECONDS", "1200"), "VAST_WAIT_SECONDS"),
            reconnect=_number(text("VAST_RECONNECT_SECONDS", "180"), "VAST_RECONNECT_SECONDS"),
            poll=_number(text("VAST_POLL_SECONDS", "5"), "VAST_POLL_SECONDS"),
            state=(Path(state) if state.startswith("/") else home / ".local" / "state") / "voicemill",
            client=Path(client) if client else None,
            environment={n: v for n, v in environ.items() if n not in ("VAST_API_KEY", "GHCR_TOKEN", "HF_TOKEN")},
        )


def _number(value: str, name: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.0 < number < 1e9:
        raise UsageError(f"{name} must be a number above zero, not {value[:40]!r}.")
    return number


_MAX_BYTES = 1024 * 1024
"""Of an .env file."""


def read_env(path: Path) -> dict[str, str]:
    """Parse the `NAME=value` lines of an .env file, quoted as in a shell; a missing file is an empty one.

    Raises:
        UsageError: `env_invalid`, with the number of the line and without its text.
    """
    found: dict[str, str] = {}
    try:
        text = files.read_whole(path, _MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return found
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read.", reason="env_invalid", hint="Copy .env.example again.") from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = [""]
        if words[:1] == ["export"]:
            words = words[1:]
        if not words:
            continue
        name, equals, value = words[0].partition("=")
        if len(words) != 1 or not equals or not name.isidentifier():
            raise UsageError(
                f"Line {number} of {path} is not NAME=value.",
                reason="env_invalid",
                hint="Put values with spaces or special characters in single quotes.",
            )
        found[name] = value
    return found
