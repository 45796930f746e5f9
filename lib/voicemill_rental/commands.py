"""What `make vast-…` does."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicemill.errors import (
    BlockedError,
    InterruptedRunError,
    NotAcceptableError,
    RefusedError,
    StorageError,
    VoicemillError,
)
from voicemill.protocol import Protocol, read_progress
from voicemill_rental import lifecycle, transfer
from voicemill_rental.job import Job
from voicemill_rental.lifecycle import Session, cost
from voicemill_rental.market import Instance, Offer
from voicemill_rental.remote import ConnectionLostError, Remote
from voicemill_rental.report import Report
from voicemill_rental.request import Plan
from voicemill_rental.state import Lease

COST_SECONDS = 300.0
"""So often the cost is said while tasks run."""
CHOICES = 3
"""So many offers are tried when others are quicker."""


def search(session: Session) -> list[Offer]:
    """Show what is on offer, best value first."""
    offers = session.market.offers(session.settings.query)
    session.talk.say(f"Query: {session.settings.query}", "")
    session.talk.say(f"{'offer':>10}  {'GPU':<18} {'GB':>5} {'$/h':>7} {'$/month':>8} {'score/$':>8}  where", "")
    for offer in offers:
        gpu = f"{offer.count}x {offer.gpu}"
        price = f"{offer.dollars:>7.3f} {offer.monthly:>8.2f} {offer.value:>8.1f}"
        session.talk.say(f"{offer.id:>10}  {gpu:<18} {offer.memory_gb:>5.0f} {price}  {offer.place}", "")
    if not offers:
        raise lifecycle.no_offer()
    return offers


def choose(session: Session) -> list[Offer]:
    """The best offers of one price class, agreed to where they are dearer than the ceiling.

    Raises:
        RefusedError: `rental_no_offer`, `rental_price_too_high`, `declined`.
    """
    offers = [offer for offer in session.market.offers(session.settings.query) if offer.image(session.settings)]
    if not offers:
        raise lifecycle.no_offer()
    best, ceiling = offers[0], session.settings.max_monthly
    session.talk.say(
        f"Best value: offer {best.id}, {best.count}x {best.gpu} with {best.memory_gb:.0f} GB in {best.place}, "
        f"${best.dollars:.3f} an hour (${best.monthly:.2f} a month)."
    )
    if best.monthly > ceiling:
        try:
            session.talk.agree(
                f"${best.monthly:.2f} a month is above VAST_MAX_MONTHLY_PRICE (${ceiling:.2f}). Rent it by the hour?"
            )
        except RefusedError as error:
            raise RefusedError(
                str(error), reason="rental_price_too_high", hint="Agree with --yes, or raise VAST_MAX_MONTHLY_PRICE."
            ) from error
    limit = max(best.dollars, ceiling / best.monthly * best.dollars if best.monthly else 0.0)
    return [offer for offer in offers if offer.dollars <= limit][:CHOICES]


def run(session: Session, plan: Plan, repository: Path, results: Path, protocol: Protocol) -> None:
    """Run a plan's tasks, or a shell, on a rented machine; bring the results to `results`/<job>; destroy the machine.

    Raises:
        RefusedError: refused before anything was paid for.
        NotAcceptableError: `batch_failed`: a task failed; its results are here. `rental_results_differ`.
        BlockedError: the machine or the connection failed.
        InterruptedRunError: stopped; what was there is here.
        StorageError: results could not be written here; nothing was paid for.
    """
    _check_place(results)
    report = Report(lifecycle.new_job(), plan.code.recorded)
    folder, began, code = results / report.job, 0.0, 0
    with session.state.lock():
        try:
            with _machine(session, plan, report) as lease:
                began = lease.began
                code = _work(session, plan, repository, folder, report, lease, protocol)
                report.how = "done" if code == 0 else f"batch_failed:exit_code={code}"
        except VoicemillError as error:
            report.how = error.reason
            raise
        finally:
            if report.instance is not None:
                report.destroyed = not plan.wish.keep and not report.how.startswith("rental_not_destroyed")
                report.price(began)
                path = report.write(folder, session.talk)
                session.talk.say(f"Instance {report.instance}: {report.seconds:.0f} s, about ${report.dollars:.4f}.")
                protocol.artifact(path)
    if code != 0:
        raise NotAcceptableError(
            f"Tasks on the rented machine failed; their logs are in {folder}.",
            reason=f"batch_failed:exit_code={code}",
            hint="Mend the task file or its inputs and start again.",
        )


def _check_place(results: Path) -> None:
    """What has no place to come back to is not begun."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise StorageError.from_os_error(error, results) from error


@contextmanager
def _machine(session: Session, plan: Plan, report: Report) -> Iterator[Lease]:
    """A machine, with everything that has to be agreed to agreed before it is paid for."""
    lifecycle.clear_orphans(session)
    wish = plan.wish
    if wish.instance is None and not wish.another:
        lifecycle.refuse_double(session)
    offers = choose(session) if wish.instance is None else []
    if plan.pushes:
        what = ", ".join(str(push.source) for push in plan.pushes)
        session.talk.agree(
            f"Recordings leave this machine: {what} is copied to a rented computer that belongs to a stranger, and "
            "whoever runs it could read it. Do the people whose voices these are agree, and do you?"
        )
    holder = (
        lifecycle.rented(session, offers, report.job, keep=wish.keep)
        if wish.instance is None
        else lifecycle.taken_over(session, wish.instance, report.job, keep=wish.keep)
    )
    with holder as lease:
        report.instance, report.dollars_per_hour = lease.instance, lease.dollars
        report.gpu, report.image = lease.gpu, lease.image
        yield lease


def _work(
    session: Session, plan: Plan, repository: Path, folder: Path, report: Report, lease: Lease, protocol: Protocol
) -> int:
    """What is done on the machine; the exit code of the tasks."""
    _, remote = lifecycle.wait_until_running(session, lease)
    report.code_sha256 = transfer.send_code(remote, repository, plan.code, session.talk)
    transfer.send(remote, plan.pushes, session.talk)
    if plan.wish.shell:
        session.talk.say("A shell on the rented machine; `exit` destroys it.")
        code = subprocess.run(remote.interactive, check=False, env=dict(remote.environment)).returncode
        session.talk.say(f"The shell ended with exit code {code}.")
        code = 0
    else:
        code = _follow(session, plan, remote, lease, folder, report, protocol)
    _bring(session, remote, folder, report)
    return code


def _follow(
    session: Session, plan: Plan, remote: Remote, lease: Lease, folder: Path, report: Report, protocol: Protocol
) -> int:
    job = Job(remote, plan.code, session.talk, session.settings.reconnect, session.settings.poll)
    told = time.monotonic()

    def tick() -> None:
        nonlocal told
        if time.monotonic() - told > COST_SECONDS:
            told = time.monotonic()
            session.talk.say(f"{cost(lease.dollars, time.time() - lease.began)} so far.")

    def on_line(line: str) -> None:
        steps = read_progress(line)
        if steps is not None:
            protocol.progress(*steps)
        elif not line.startswith("ARTIFACT "):
            session.talk.say(line, "")

    try:
        job.start(plan.text, parallel=plan.wish.parallel, fail_fast=plan.wish.fail_fast)
        session.talk.say(f"The tasks are running; {cost(lease.dollars, time.time() - lease.began)} so far.")
        return job.follow(on_line, tick)
    except InterruptedRunError:
        try:
            job.stop()
            _bring(session, remote, folder, report)
        except (BlockedError, NotAcceptableError) as error:
            session.talk.say(f"The results so far could not be brought: {error}")
        raise


def _bring(session: Session, remote: Remote, folder: Path, report: Report) -> None:
    fetched = transfer.fetch(remote, folder, session.talk)
    report.results, report.files, report.bytes = folder.as_posix(), fetched.count, fetched.size
    report.take_tasks(folder, remote.layout.work)
    session.talk.say(f"{fetched.count} files ({fetched.size / 1e6:.1f} MB) are in {folder}, each verified by its hash.")


def status(session: Session) -> None:
    """Destroy what killed runs have left, and show what is there."""
    try:
        with session.state.lock():
            lifecycle.clear_orphans(session)
    except RefusedError as error:
        if error.code != "rental_busy":
            raise
        session.talk.say(str(error))
    kept = {lease.instance for lease in session.state.leases() if lease.kept}
    found = session.market.instances()
    session.talk.say(f"{'instance':>10}  {'state':<10} {'GPU':<18} {'$/h':>7} {'so far':>9}  label", "")
    for one in found:
        so_far = cost(one.dollars, one.seconds)
        mark = " (kept)" if one.id in kept else ""
        row = f"{one.id:>10}  {one.status:<10} {one.gpu:<18} {one.dollars:>7.3f} {so_far:>9}  {one.label}{mark}"
        session.talk.say(row, "")
    if not found:
        session.talk.say("No instance is there; nothing costs money.", "")


def shell(session: Session, number: int) -> int:
    """A shell on an instance that is there; it stays."""
    remote, _ = _reached(session, number)
    return subprocess.run(remote.interactive, check=False, env=dict(remote.environment)).returncode


def pull(session: Session, number: int, results: Path) -> None:
    """Bring an instance's results; it stays.

    Raises:
        NotAcceptableError: `rental_results_differ`.
        ConnectionLostError: it does not answer.
    """
    remote, instance = _reached(session, number)
    folder = results / (instance.label.removeprefix(lifecycle.PREFIX) or str(number))
    fetched = transfer.fetch(remote, folder, session.talk)
    session.talk.say(f"{fetched.count} files ({fetched.size / 1e6:.1f} MB) are in {folder}, each verified by its hash.")


def _reached(session: Session, number: int) -> tuple[Remote, Instance]:
    session.state.prepare()
    instance = lifecycle.existing(session, number)
    remote = session.remote(instance)
    said = remote.reach(instance)
    if said:
        raise ConnectionLostError(said)
    return remote, instance


def destroy(session: Session, number: int) -> None:
    """Destroy an instance, and see that it is gone.

    Raises:
        RefusedError: `rental_not_found`.
        BlockedError: `rental_not_destroyed`.
    """
    session.state.prepare()
    with lifecycle.taken_over(session, number, lifecycle.new_job()) as lease:
        so_far = cost(lease.dollars, time.time() - lease.began)
    session.talk.say(f"Instance {number} has cost about {so_far}.")


@contextmanager
def hangup_stops() -> Iterator[None]:
    """A terminal that is closed stops a run as SIGTERM does, so that the instance is destroyed; nohup is respected."""
    before = signal.getsignal(signal.SIGHUP)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
