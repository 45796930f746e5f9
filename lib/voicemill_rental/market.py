"""Offers and instances at vast.ai."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from voicemill.errors import DependencyError, RefusedError, VoicemillError
from voicemill_rental.settings import BLACKWELL, MONTH_HOURS, RentalSettings

BRIDGE = Path(__file__).with_name("bridge.py")
ORDER = "dlperf_per_dphtotal-"
"""Best value first: vast.ai's deep-learning score per dollar."""
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:-]*")
"""Host names accepted for ssh's configuration."""
PAGES = 40
"""The largest number of pages of instances that is read."""


@dataclass(frozen=True)
class Offer:
    """A machine on offer; `dollars` per hour, `compute` is the compute capability times 100."""

    id: int
    gpu: str
    count: int
    memory_gb: float
    compute: int
    value: float
    dollars: float
    reliability: float
    place: str

    @property
    def monthly(self) -> float:
        return self.dollars * MONTH_HOURS

    def image(self, settings: RentalSettings) -> str:
        """The image for this GPU."""
        return settings.image_blackwell if self.compute >= BLACKWELL else settings.image


@dataclass(frozen=True)
class Instance:
    """A machine that costs money until it is destroyed; `endpoints` of its ssh server, best first."""

    id: int
    label: str
    status: str
    message: str
    dollars: float
    started: float
    gpu: str
    place: str
    endpoints: tuple[tuple[str, int], ...]

    @property
    def seconds(self) -> float:
        """Its age; 0 if vast.ai reports no start time."""
        return max(0.0, time.time() - self.started) if self.started else 0.0


class Market:
    """vast.ai's API through the vendor's client, a process that starts with the first call."""

    def __init__(self, settings: RentalSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._last = 0

    def __enter__(self) -> Market:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def offers(self, query: str) -> list[Offer]:
        """The offers that match a query, best value first."""
        rows = self._call("search_offers", query=query, order=ORDER, limit=30, storage=float(self._settings.disk_gb))
        return [_offer(row) for row in rows]

    def create(self, offer: Offer, label: str) -> int | None:
        """Order an instance at the price of the offer; returns its id, or `None` if the offer is gone.

        Sent once, without retries: a request whose response was lost may have succeeded.
        """
        image = offer.image(self._settings)
        try:
            made = self._call(
                "create_instance",
                retry=1,
                id=offer.id,
                image=image,
                disk=self._settings.disk_gb,
                label=label,
                runtype="ssh_direc ssh_proxy",
                login=self._login(image),
                cancel_unavail=True,
            )
        except MarketError as error:
            if error.status in (400, 404, 410):
                return None
            raise
        number = made.get("new_contract") if isinstance(made, dict) else None
        return int(number) if number else None

    def _login(self, image: str) -> str | None:
        """Login options of the machine's container engine for the image's registry."""
        if not self._settings.token:
            return None
        host, _, rest = image.partition("/")
        return f"-u {self._settings.user or rest.partition('/')[0]} -p {self._settings.token} {host}"

    def instances(self) -> list[Instance]:
        """All instances of the account."""
        found: list[Instance] = []
        token: str | None = None
        for _ in range(PAGES):
            params: dict[str, Any] = {"select_filters": {}, "order_by": [{"col": "id", "dir": "asc"}], "limit": 25}
            page = self._call("show_instances_v1", params={**params, **({"after_token": token} if token else {})})
            found += [_instance(row) for row in page.get("instances") or []]
            token = page.get("next_token")
            if not token:
                break
        return found

    def instance(self, number: int) -> Instance | None:
        """One instance, or `None` if it does not exist."""
        return next((found for found in self.instances() if found.id == number), None)

    def destroy(self, number: int) -> None:
        """Destroy an instance; one that is already gone is not an error."""
        try:
            self._call("destroy_instance", id=number)
        except MarketError as error:
            if error.status not in (404, 410):
                raise

    def attach_key(self, number: int, public: str) -> None:
        """Authorise an ssh key on an instance."""
        self._call("attach_ssh", instance_id=number, ssh_key=public)

    def _call(self, call: str, *, retry: int = 3, **arguments: object) -> Any:
        """Call a function of the vendor's client.

        Raises:
            RefusedError: `vast_key_missing`, `vast_key_refused`.
            DependencyError: `vast_client_missing`.
            MarketError: `vast_api_failed`.
        """
        if not self._settings.key:
            raise RefusedError(
                "VAST_API_KEY is not set.",
                reason="vast_key_missing",
                hint="Copy .env.example to .env and add your key; vast.ai shows it under Keys.",
            )
        process = self._bridge()
        self._last += 1
        request = {"id": self._last, "call": call, "retry": retry, "arguments": arguments}
        access = {"key": self._settings.key, "server": self._settings.server}
        response: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(json.dumps({**request, **access}) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            for line in process.stdout or ():  # skip the response to a request that a signal interrupted
                response = json.loads(line)
                if response["id"] == self._last:
                    break
        if response.get("id") != self._last:
            process.kill()
            self._end()
            raise DependencyError(
                "The vast.ai client did not start or exited.",
                reason="vast_client_missing",
                hint="Start through make or scripts/vast.sh, which installs it; if it is damaged, remove .venv-vast.",
            )
        if "value" in response:
            return response["value"]
        message = str(response["message"])
        for secret in filter(None, self._settings.secrets):
            message = message.replace(secret, "***")
        if response["status"] in (401, 403):
            raise RefusedError(
                f"vast.ai rejected VAST_API_KEY ({message}).",
                reason="vast_key_refused",
                hint="It may have expired: create a new one at vast.ai under Keys, and put it into .env.",
            )
        raise MarketError(call, int(response["status"]), message)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.communicate()  # closes its stdin, whereupon it ends

    def _bridge(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            client = self._settings.client or Path("/nonexistent")
            try:
                self._process = subprocess.Popen(
                    [str(client), "-I", str(BRIDGE)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=dict(self._settings.environment),
                    start_new_session=True,  # a terminal's Ctrl-C must not end the client first
                )
            except OSError as error:
                raise DependencyError(
                    f"The vast.ai client cannot be started: {error.strerror}.",
                    reason="vast_client_missing",
                    hint="Start through make or scripts/vast.sh, which installs it.",
                ) from error
        return self._process


class MarketError(VoicemillError):
    """A failed call of vast.ai's API; `status` is the HTTP status, 0 without a response."""

    exit_code = 2

    def __init__(self, call: str, status: int, message: str) -> None:
        super().__init__(
            f"vast.ai failed to answer {call}: {' '.join(message.split())[:300]}.",
            reason="vast_api_failed",
            hint="Check status.vast.ai and your connection, then start again. `make vast-status` lists what runs.",
            details={"status": status},
        )
        self.status = status


def _offer(row: Mapping[str, Any]) -> Offer:
    return Offer(
        id=int(row["id"]),
        gpu=str(row.get("gpu_name") or "?"),
        count=int(row.get("num_gpus") or 1),
        memory_gb=float(row.get("gpu_ram") or 0) / 1000.0,
        compute=int(row.get("compute_cap") or 0),
        value=float(row.get("dlperf_per_dphtotal") or 0.0),
        dollars=float(row["dph_total"]),
        reliability=float(row.get("reliability2") or row.get("reliability") or 0.0),
        place=str(row.get("geolocation") or "?"),
    )


def _instance(row: Mapping[str, Any]) -> Instance:
    endpoints: list[tuple[str, int]] = []
    direct = ((row.get("ports") or {}).get("22/tcp") or [{}])[0].get("HostPort")
    if row.get("public_ipaddr") and direct:
        endpoints.append((str(row["public_ipaddr"]).strip(), int(direct)))
    if row.get("ssh_host") and row.get("ssh_port"):
        endpoints.append((str(row["ssh_host"]).strip(), int(row["ssh_port"])))
    return Instance(
        id=int(row["id"]),
        label=str(row.get("label") or ""),
        status=str(row.get("actual_status") or "created"),
        message=" ".join(str(row.get("status_msg") or "").split())[:300],
        dollars=float(row.get("dph_total") or 0.0),
        started=float(row.get("start_date") or 0.0),
        gpu=str(row.get("gpu_name") or "?"),
        place=str(row.get("geolocation") or "?"),
        endpoints=tuple(each for each in endpoints if HOST.fullmatch(each[0])),
    )
