"""Order an instance, wait for it, and destroy it in every case."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from voicemill.boundary import Interrupts
from voicemill.errors import BlockedError, RefusedError, VoicemillError
from voicemill_rental.console import Console
from voicemill_rental.market import Instance, Market, MarketError, Offer
from voicemill_rental.remote import Remote, require_key
from voicemill_rental.settings import RentalSettings
from voicemill_rental.state import Lease, StateFolder

PREFIX = "voicemill-"
DOUBT_SECONDS = 900.0
"""How long an order without a response may still become an instance; its lease is kept and checked again."""


@dataclass(frozen=True)
class RentalSession:
    """The settings, clients and state shared by every step."""

    settings: RentalSettings
    market: Market
    state: StateFolder
    console: Console
    interrupts: Interrupts

    def remote(self, instance: Instance) -> Remote:
        """The ssh connection to an instance."""
        return Remote(self.settings, self.state.host(instance.id), instance)


def new_job() -> str:
    """A unique name: the time, and random digits so that two machines of one account do not collide."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"  # noqa: UP017 - Python 3.10 too


def cost(dollars: float, seconds: float) -> str:
    """The cost of an instance so far, from its price per hour."""
    return f"${dollars * max(0.0, seconds) / 3600.0:.4f}"


def clear_orphans(session: RentalSession) -> None:
    """Destroy the instances left by killed runs; call it under the lock, so that no other run is active.

    Raises:
        BlockedError: `rental_not_destroyed`.
    """
    leases = [lease for lease in session.state.leases() if not lease.kept]
    for lease in leases:
        session.console.info(f"An earlier run ({lease.job}) was cut off; destroying its instance.")
        _destroy_all(session, lease, doubt=time.time() - lease.began < DOUBT_SECONDS)


def ensure_none_running(session: RentalSession) -> None:
    """Check that no instance is running.

    Raises:
        RefusedError: `rental_already_running`.
    """
    running = session.market.instances()
    if running:
        one = running[0]
        since = cost(one.dollars, one.seconds)
        raise RefusedError(
            f"Instance {one.id} ({one.gpu}, ${one.dollars:.3f} an hour, {since} so far) is already running.",
            reason=f"rental_already_running:{one.id}",
            hint=f"Use it with --instance {one.id}, destroy it with `make vast-destroy ID={one.id}`, or add --another.",
        )


def existing(session: RentalSession, number: int) -> Instance:
    """An existing instance.

    Raises:
        RefusedError: `rental_not_found`.
    """
    instance = session.market.instance(number)
    if instance is None:
        raise RefusedError(
            f"There is no instance {number}.",
            reason=f"rental_not_found:{number}",
            hint="`make vast-status` lists them.",
        )
    return instance


@contextlib.contextmanager
def lease_new(session: RentalSession, offers: list[Offer], job: str, *, keep: bool = False) -> Iterator[Lease]:
    """Order the first offer that is still available; destroy the instance when the block ends, in every case.

    Raises:
        RefusedError: `rental_no_offer`: none is available.
        BlockedError: `rental_not_destroyed`; the lease stays, and the next start tries again.
    """
    lease = Lease(job=job, label=f"{PREFIX}{job}", dollars=offers[0].dollars, began=time.time())
    session.state.write(lease)
    doubt = False
    try:
        try:
            lease = _order(session, offers, lease)
        except MarketError as error:
            doubt = error.status <= 0 or error.status >= 500
            raise
        yield lease
    finally:
        _release(session, lease, keep=keep, doubt=doubt)


@contextlib.contextmanager
def lease_existing(session: RentalSession, number: int, job: str, *, keep: bool = False) -> Iterator[Lease]:
    """Use an existing instance as if it had been rented for this run.

    Raises:
        RefusedError: `rental_not_found`.
        BlockedError: `rental_not_destroyed`; the lease stays, and the next start tries again.
    """
    instance = existing(session, number)
    known = [lease for lease in session.state.leases() if lease.instance == number]
    lease = Lease(job, f"{PREFIX}{job}", number, instance.dollars, instance.started or time.time())
    lease = dataclasses.replace(known[0], kept=False) if known else lease
    session.state.write(lease)
    try:
        yield lease
    finally:
        _release(session, lease, keep=keep)


def _order(session: RentalSession, offers: list[Offer], lease: Lease) -> Lease:
    for offer in offers:
        number = session.market.create(offer, lease.label)
        if number is not None:
            chosen = {"dollars": offer.dollars, "gpu": offer.gpu, "image": offer.image(session.settings)}
            lease = dataclasses.replace(lease, instance=number, **chosen)  # type: ignore[arg-type]
            session.state.write(lease)
            session.console.info(f"Instance {number} is ordered for ${lease.dollars:.3f} an hour.")
            return lease
        session.console.info(f"Offer {offer.id} is gone.")
    raise no_matching_offer()


def _release(session: RentalSession, lease: Lease, *, keep: bool, doubt: bool = False) -> None:
    """Keep or destroy the instance. Signals are ignored meanwhile: a forgotten instance costs money."""
    with session.interrupts.forwarded(
        lambda signum: session.console.info("Still destroying the instance; one moment.")
    ):
        if keep and lease.instance is not None:
            session.state.write(dataclasses.replace(lease, kept=True))
            session.console.banner(
                f"--keep: instance {lease.instance} GOES ON COSTING ${lease.dollars:.3f} an hour until you destroy it:",
                f"    make vast-destroy ID={lease.instance}",
            )
        else:
            _destroy_all(session, lease, doubt=doubt)


def no_matching_offer() -> RefusedError:
    """The error for a query without offers."""
    return RefusedError(
        "No vast.ai offer matches VAST_QUERY.",
        reason="rental_no_offer",
        hint="Run `make vast-search`, widen VAST_QUERY, or try again later.",
    )


def _destroy_all(session: RentalSession, lease: Lease, *, doubt: bool = False) -> None:
    """Destroy a lease's instances until vast.ai lists none of them, then remove the lease.

    Args:
        session: the session, which holds the lock.
        lease: label and number to look for.
        doubt: an order may still become an instance; the lease stays if none is found.
    """
    until, pause, what, problem = time.monotonic() + session.settings.reconnect, 0.1, "an instance", ""
    # A known number is destroyed at least once, even if the list does not show it yet.
    unlisted = set() if lease.instance is None else {lease.instance}
    while True:
        try:
            found = {i.id for i in session.market.instances() if i.id == lease.instance or i.label == lease.label}
            if not found | unlisted:
                break
            what = " and ".join(f"instance {number}" for number in sorted(found | unlisted))
            for number in sorted(found | unlisted):
                session.market.destroy(number)
                lease = dataclasses.replace(lease, instance=number)
                session.console.info(f"Destroyed instance {number}.")
            unlisted = set()
        except VoicemillError as error:
            problem = str(error)
        if time.monotonic() > until:
            raise _not_destroyed(session, lease, what, problem)
        time.sleep(pause)
        pause = min(10.0, pause * 2)
    if doubt and lease.instance is None:
        session.console.info("It is unknown whether the order was accepted; the next start checks again.")
    else:
        session.state.drop(lease)


def _not_destroyed(session: RentalSession, lease: Lease, what: str, problem: str) -> BlockedError:
    session.console.banner(
        f"{what} of run {lease.job} could not be destroyed and may GO ON COSTING MONEY.",
        "The next start tries again. You can also destroy it at vast.ai.",
    )
    return BlockedError(
        f"{what.capitalize()} could not be destroyed: {session.console.redact(problem)}",
        reason="rental_not_destroyed",
        hint="Run `make vast-status` once vast.ai responds: it destroys leftover instances.",
    )


def wait_until_running(session: RentalSession, lease: Lease) -> tuple[Instance, Remote]:
    """Wait for the instance and its ssh server, and pin its host key.

    Raises:
        BlockedError: `rental_never_ran`, `ssh_unreachable`: not ready within VAST_WAIT_SECONDS.
    """
    settings, number = session.settings, int(lease.instance or 0)
    public = require_key(settings)
    until, last, attached, problem = time.monotonic() + settings.wait, "", False, "it is not listed"
    remote: Remote | None = None
    while time.monotonic() < until:
        instance = session.market.instance(number)
        if instance is None:
            if last:
                problem = "it is gone"
                break
            time.sleep(settings.poll)
            continue
        state = f"{instance.status}{f' ({instance.message})' if instance.message else ''}"
        if state != last:
            session.console.info(
                f"Instance {number}: {state}; {cost(lease.dollars, time.time() - lease.began)} so far."
            )
            last = state
        problem = state
        if instance.status == "running":
            if not attached:
                _attach(session, number, public)
                attached = True
            remote = remote or session.remote(instance)
            problem = remote.reach(instance)
            if not problem:
                session.console.info(f"Instance {number} accepts ssh connections.")
                return instance, remote
        time.sleep(settings.poll)
    if remote is not None:
        raise BlockedError(
            f"Instance {number} runs, but its ssh server refused the connection: {session.console.redact(problem)}.",
            reason="ssh_unreachable",
            hint="Try again; VAST_WAIT_SECONDS extends the wait, VAST_SSH_KEY selects another key.",
        )
    raise BlockedError(
        f"Instance {number} did not run within {settings.wait:.0f} s: {session.console.redact(problem)}.",
        reason="rental_never_ran",
        hint="Try another offer; a private image needs GHCR_TOKEN. VAST_WAIT_SECONDS extends the wait.",
    )


def _attach(session: RentalSession, number: int, public: str) -> None:
    try:
        session.market.attach_key(number, public)
    except MarketError as error:  # the keys of the account are authorised in any case
        session.console.info(f"The ssh key could not be attached: {error}")
