"""From an offer to an instance and back to nothing, whatever happens in between."""

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
from voicemill_rental.console import Talk
from voicemill_rental.market import Instance, Market, MarketError, Offer
from voicemill_rental.remote import Remote, require_key
from voicemill_rental.settings import RentalSettings
from voicemill_rental.state import Lease, State

PREFIX = "voicemill-"
DOUBT_SECONDS = 900.0
"""An order whose answer never came may still become an instance for so long; its lease is kept, and looked at again."""


@dataclass(frozen=True)
class Session:
    """What every step needs."""

    settings: RentalSettings
    market: Market
    state: State
    talk: Talk
    interrupts: Interrupts

    def remote(self, instance: Instance) -> Remote:
        """How to reach an instance."""
        return Remote(self.settings, self.state.host(instance.id), instance)


def new_job() -> str:
    """A name that is ours alone: time, and enough chance that two machines of one account do not meet."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"  # noqa: UP017 - Python 3.10 too


def cost(dollars: float, seconds: float) -> str:
    """What an instance has cost so far, by its price an hour."""
    return f"${dollars * max(0.0, seconds) / 3600.0:.4f}"


def clear_orphans(session: Session) -> None:
    """Destroy what runs that were killed have left; only under the lock, when no other run is alive.

    Raises:
        BlockedError: `rental_not_destroyed`.
    """
    leases = [lease for lease in session.state.leases() if not lease.kept]
    for lease in leases:
        session.talk.say(f"An earlier run ({lease.job}) was cut off; destroying what it has left.")
        _destroy_all(session, lease, doubt=time.time() - lease.began < DOUBT_SECONDS)


def refuse_double(session: Session) -> None:
    """See that nothing is paid for already.

    Raises:
        RefusedError: `rental_already_running`.
    """
    running = session.market.instances()
    if running:
        one = running[0]
        since = cost(one.dollars, one.seconds)
        raise RefusedError(
            f"Instance {one.id} ({one.gpu}, ${one.dollars:.3f} an hour, {since} so far) is there already.",
            reason=f"rental_already_running:{one.id}",
            hint=f"Use it with --instance {one.id}, destroy it with `make vast-destroy ID={one.id}`, or say --another.",
        )


def existing(session: Session, number: int) -> Instance:
    """An instance that is there already.

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
def rented(session: Session, offers: list[Offer], job: str, *, keep: bool = False) -> Iterator[Lease]:
    """Order the first of the offers that is still to be had; when the block ends, however it ends, destroy it.

    Raises:
        RefusedError: `rental_no_offer`: they are all gone.
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
        _give_back(session, lease, keep=keep, doubt=doubt)


@contextlib.contextmanager
def taken_over(session: Session, number: int, job: str, *, keep: bool = False) -> Iterator[Lease]:
    """An instance that is there already; from here on it is treated as one that was rented for this run.

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
        _give_back(session, lease, keep=keep)


def _order(session: Session, offers: list[Offer], lease: Lease) -> Lease:
    for offer in offers:
        number = session.market.create(offer, lease.label)
        if number is not None:
            chosen = {"dollars": offer.dollars, "gpu": offer.gpu, "image": offer.image(session.settings)}
            lease = dataclasses.replace(lease, instance=number, **chosen)  # type: ignore[arg-type]
            session.state.write(lease)
            session.talk.say(f"Instance {number} is ordered for ${lease.dollars:.3f} an hour.")
            return lease
        session.talk.say(f"Offer {offer.id} is gone.")
    raise no_offer()


def _give_back(session: Session, lease: Lease, *, keep: bool, doubt: bool = False) -> None:
    """The end of every run. Signals are heard and change nothing: an instance that is forgotten costs money."""
    with session.interrupts.forwarded(lambda signum: session.talk.say("Still destroying the instance; one moment.")):
        if keep and lease.instance is not None:
            session.state.write(dataclasses.replace(lease, kept=True))
            session.talk.loud(
                f"--keep: instance {lease.instance} GOES ON COSTING ${lease.dollars:.3f} an hour until you destroy it:",
                f"    make vast-destroy ID={lease.instance}",
            )
        else:
            _destroy_all(session, lease, doubt=doubt)


def no_offer() -> RefusedError:
    """Nothing can be rented."""
    return RefusedError(
        "No machine on offer fits.",
        reason="rental_no_offer",
        hint="Look with `make vast-search`; widen VAST_QUERY, or try again later.",
    )


def _destroy_all(session: Session, lease: Lease, *, doubt: bool = False) -> None:
    """Destroy a lease's instances until vast.ai lists none of them any more; then the lease goes too.

    Args:
        session: the lock is ours.
        lease: whose label and number are looked for.
        doubt: an order may still become an instance; the lease stays when nothing is found.
    """
    until, pause, what, said = time.monotonic() + session.settings.reconnect, 0.1, "an instance", ""
    # What has a number is destroyed at least once, also while the list does not show it yet.
    told = set() if lease.instance is None else {lease.instance}
    while True:
        try:
            found = {i.id for i in session.market.instances() if i.id == lease.instance or i.label == lease.label}
            if not found | told:
                break
            what = " and ".join(f"instance {number}" for number in sorted(found | told))
            for number in sorted(found | told):
                session.market.destroy(number)
                lease = dataclasses.replace(lease, instance=number)
                session.talk.say(f"Destroyed instance {number}.")
            told = set()
        except VoicemillError as error:
            said = str(error)
        if time.monotonic() > until:
            raise _not_destroyed(session, lease, what, said)
        time.sleep(pause)
        pause = min(10.0, pause * 2)
    if doubt and lease.instance is None:
        session.talk.say("It is not known whether an order was taken; the next start looks again.")
    else:
        session.state.drop(lease)


def _not_destroyed(session: Session, lease: Lease, what: str, said: str) -> BlockedError:
    session.talk.loud(
        f"{what} of run {lease.job} could not be destroyed and may GO ON COSTING MONEY.",
        "The next start tries again; or destroy it by hand at vast.ai.",
    )
    return BlockedError(
        f"{what.capitalize()} could not be destroyed: {session.talk.clean(said)}",
        reason="rental_not_destroyed",
        hint="Run `make vast-status` when vast.ai can be reached: it destroys what was left.",
    )


def wait_until_running(session: Session, lease: Lease) -> tuple[Instance, Remote]:
    """Wait for the instance and for its ssh server; pins its host key.

    Raises:
        BlockedError: `rental_never_ran`, `ssh_unreachable`: within VAST_WAIT_SECONDS it did not.
    """
    settings, number = session.settings, int(lease.instance or 0)
    public = require_key(settings)
    until, told, attached, said = time.monotonic() + settings.wait, "", False, "it is not listed"
    remote: Remote | None = None
    while time.monotonic() < until:
        instance = session.market.instance(number)
        if instance is None:
            if told:
                said = "it is gone"
                break
            time.sleep(settings.poll)
            continue
        state = f"{instance.status}{f' ({instance.message})' if instance.message else ''}"
        if state != told:
            session.talk.say(f"Instance {number}: {state}; {cost(lease.dollars, time.time() - lease.began)} so far.")
            told = state
        said = state
        if instance.status == "running":
            if not attached:
                _attach(session, number, public)
                attached = True
            remote = remote or session.remote(instance)
            said = remote.reach(instance)
            if not said:
                session.talk.say(f"Instance {number} answers.")
                return instance, remote
        time.sleep(settings.poll)
    if remote is not None:
        raise BlockedError(
            f"Instance {number} runs, but its ssh server did not let us in: {session.talk.clean(said)}.",
            reason="ssh_unreachable",
            hint="Try again; VAST_WAIT_SECONDS gives it longer, VAST_SSH_KEY names another key.",
        )
    raise BlockedError(
        f"Instance {number} did not run within {settings.wait:.0f} s: {session.talk.clean(said)}.",
        reason="rental_never_ran",
        hint="Try again, with another offer; a private image needs GHCR_TOKEN. VAST_WAIT_SECONDS gives it longer.",
    )


def _attach(session: Session, number: int, public: str) -> None:
    try:
        session.market.attach_key(number, public)
    except MarketError as error:  # the account's own keys are there anyway
        session.talk.say(f"The ssh key could not be attached: {error}")
