"""The commands of `make vast-…`: search, run, shell, status, pull, destroy."""

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
from voicemill_rental.lifecycle import RentalSession, cost
from voicemill_rental.market import Instance, Offer
from voicemill_rental.remote import ConnectionLostError, Remote
from voicemill_rental.report import RentalReport
from voicemill_rental.request import RentalPlan
from voicemill_rental.state import Lease

COST_SECONDS = 300.0
"""Interval at which the cost is printed while tasks run."""
CHOICES = 3
"""How many offers are tried if the better ones are taken."""


def search(session: RentalSession) -> list[Offer]:
    """Print the matching offers, best value first."""
    offers = session.market.offers(session.settings.query)
    session.console.info(f"Query: {session.settings.query}", "")
    session.console.info(f"{'offer':>10}  {'GPU':<18} {'GB':>5} {'$/h':>7} {'$/month':>8} {'score/$':>8}  where", "")
    for offer in offers:
        gpu = f"{offer.count}x {offer.gpu}"
        price = f"{offer.dollars:>7.3f} {offer.monthly:>8.2f} {offer.value:>8.1f}"
        session.console.info(f"{offer.id:>10}  {gpu:<18} {offer.memory_gb:>5.0f} {price}  {offer.place}", "")
    if not offers:
        raise lifecycle.no_matching_offer()
    return offers


def choose(session: RentalSession) -> list[Offer]:
    """The best offers at the price of the first; asks the user if it is above the limit.

    Raises:
        RefusedError: `rental_no_offer`, `rental_price_too_high`, `declined`.
    """
    offers = [offer for offer in session.market.offers(session.settings.query) if offer.image(session.settings)]
    if not offers:
        raise lifecycle.no_matching_offer()
    best, ceiling = offers[0], session.settings.max_monthly
    session.console.info(
        f"Best value: offer {best.id}, {best.count}x {best.gpu} with {best.memory_gb:.0f} GB in {best.place}, "
        f"${best.dollars:.3f} an hour (${best.monthly:.2f} a month)."
    )
    if best.monthly > ceiling:
        try:
            session.console.confirm(
                f"${best.monthly:.2f} a month is above VAST_MAX_MONTHLY_PRICE (${ceiling:.2f}). Rent it by the hour?"
            )
        except RefusedError as error:
            raise RefusedError(
                str(error), reason="rental_price_too_high", hint="Agree with --yes, or raise VAST_MAX_MONTHLY_PRICE."
            ) from error
    limit = max(best.dollars, ceiling / best.monthly * best.dollars if best.monthly else 0.0)
    return [offer for offer in offers if offer.dollars <= limit][:CHOICES]


def run(session: RentalSession, plan: RentalPlan, repository: Path, results: Path, protocol: Protocol) -> None:
    """Run a plan's tasks or a shell on a rented machine, copy the results to `results`/<job>, destroy the machine.

    Raises:
        RefusedError: nothing was paid for.
        NotAcceptableError: `batch_failed`: a task failed, its results were copied; `rental_results_differ`.
        BlockedError: the machine or the connection failed.
        InterruptedRunError: stopped by a signal; the results so far were copied.
        StorageError: `results` is not writable; nothing was paid for.
    """
    _check_place(results)
    report = RentalReport(lifecycle.new_job(), plan.code.recorded)
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
                report.destroyed = not plan.options.keep and not report.how.startswith("rental_not_destroyed")
                report.price(began)
                path = report.write(folder, session.console)
                session.console.info(
                    f"Instance {report.instance}: {report.seconds:.0f} s, about ${report.dollars:.4f}."
                )
                protocol.artifact(path)
    if code != 0:
        raise NotAcceptableError(
            f"Tasks on the rented machine failed; their logs are in {folder}.",
            reason=f"batch_failed:exit_code={code}",
            hint="Correct the task file or its inputs and start again.",
        )


def _check_place(results: Path) -> None:
    """Check that results can be written before anything is ordered."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise StorageError.from_os_error(error, results) from error


@contextmanager
def _machine(session: RentalSession, plan: RentalPlan, report: RentalReport) -> Iterator[Lease]:
    """Lease a machine after the user has confirmed the price and the transfer of recordings."""
    lifecycle.clear_orphans(session)
    options = plan.options
    if options.instance is None and not options.another:
        lifecycle.ensure_none_running(session)
    offers = choose(session) if options.instance is None else []
    if plan.pushes:
        what = ", ".join(str(push.source) for push in plan.pushes)
        session.console.confirm(
            f"Recordings leave this machine: {what} is copied to a rented computer, whose owner could read it. "
            "Do you and the people whose voices these are agree?"
        )
    holder = (
        lifecycle.lease_new(session, offers, report.job, keep=options.keep)
        if options.instance is None
        else lifecycle.lease_existing(session, options.instance, report.job, keep=options.keep)
    )
    with holder as lease:
        report.instance, report.dollars_per_hour = lease.instance, lease.dollars
        report.gpu, report.image = lease.gpu, lease.image
        yield lease


def _work(
    session: RentalSession,
    plan: RentalPlan,
    repository: Path,
    folder: Path,
    report: RentalReport,
    lease: Lease,
    protocol: Protocol,
) -> int:
    """Send, run, copy the results; returns the exit code of the tasks."""
    _, remote = lifecycle.wait_until_running(session, lease)
    report.code_sha256 = transfer.send_code(remote, repository, plan.code, session.console)
    transfer.send(remote, plan.pushes, session.console)
    if plan.options.shell:
        session.console.info("A shell on the rented machine; `exit` destroys the machine.")
        code = subprocess.run(remote.interactive, check=False, env=dict(remote.environment)).returncode
        session.console.info(f"The shell ended with exit code {code}.")
        code = 0
    else:
        code = _follow(session, plan, remote, lease, folder, report, protocol)
    _copy_results(session, remote, folder, report)
    return code


def _follow(
    session: RentalSession,
    plan: RentalPlan,
    remote: Remote,
    lease: Lease,
    folder: Path,
    report: RentalReport,
    protocol: Protocol,
) -> int:
    job = Job(remote, plan.code, session.console, session.settings.reconnect, session.settings.poll)
    printed = time.monotonic()

    def tick() -> None:
        nonlocal printed
        if time.monotonic() - printed > COST_SECONDS:
            printed = time.monotonic()
            session.console.info(f"{cost(lease.dollars, time.time() - lease.began)} so far.")

    def on_line(line: str) -> None:
        steps = read_progress(line)
        if steps is not None:
            protocol.progress(*steps)
        elif not line.startswith("ARTIFACT "):
            session.console.info(line, "")

    try:
        job.start(plan.text, parallel=plan.options.parallel, fail_fast=plan.options.fail_fast)
        session.console.info(f"The tasks are running; {cost(lease.dollars, time.time() - lease.began)} so far.")
        return job.follow(on_line, tick)
    except InterruptedRunError:
        try:
            job.stop()
            _copy_results(session, remote, folder, report)
        except (BlockedError, NotAcceptableError) as error:
            session.console.info(f"The results so far could not be copied: {error}")
        raise


def _copy_results(session: RentalSession, remote: Remote, folder: Path, report: RentalReport) -> None:
    fetched = transfer.fetch(remote, folder, session.console)
    report.results, report.files, report.bytes = folder.as_posix(), fetched.count, fetched.size
    report.take_tasks(folder, remote.layout.work)
    session.console.info(
        f"{fetched.count} files ({fetched.size / 1e6:.1f} MB) are in {folder}, each verified by its hash."
    )


def status(session: RentalSession) -> None:
    """Destroy instances left by killed runs, and list the running ones."""
    try:
        with session.state.lock():
            lifecycle.clear_orphans(session)
    except RefusedError as error:
        if error.code != "rental_busy":
            raise
        session.console.info(str(error))
    kept = {lease.instance for lease in session.state.leases() if lease.kept}
    found = session.market.instances()
    session.console.info(f"{'instance':>10}  {'state':<10} {'GPU':<18} {'$/h':>7} {'so far':>9}  label", "")
    for one in found:
        so_far = cost(one.dollars, one.seconds)
        mark = " (kept)" if one.id in kept else ""
        row = f"{one.id:>10}  {one.status:<10} {one.gpu:<18} {one.dollars:>7.3f} {so_far:>9}  {one.label}{mark}"
        session.console.info(row, "")
    if not found:
        session.console.info("No instance is running; nothing costs money.", "")


def shell(session: RentalSession, number: int) -> int:
    """Open a shell on an existing instance, which is kept."""
    remote, _ = _connect(session, number)
    return subprocess.run(remote.interactive, check=False, env=dict(remote.environment)).returncode


def pull(session: RentalSession, number: int, results: Path) -> None:
    """Copy an instance's results; the instance is kept.

    Raises:
        NotAcceptableError: `rental_results_differ`.
        ConnectionLostError: the instance does not respond.
    """
    remote, instance = _connect(session, number)
    folder = results / (instance.label.removeprefix(lifecycle.PREFIX) or str(number))
    fetched = transfer.fetch(remote, folder, session.console)
    session.console.info(
        f"{fetched.count} files ({fetched.size / 1e6:.1f} MB) are in {folder}, each verified by its hash."
    )


def _connect(session: RentalSession, number: int) -> tuple[Remote, Instance]:
    session.state.prepare()
    instance = lifecycle.existing(session, number)
    remote = session.remote(instance)
    problem = remote.reach(instance)
    if problem:
        raise ConnectionLostError(problem)
    return remote, instance


def destroy(session: RentalSession, number: int) -> None:
    """Destroy an instance and check that it is gone.

    Raises:
        RefusedError: `rental_not_found`.
        BlockedError: `rental_not_destroyed`.
    """
    session.state.prepare()
    with lifecycle.lease_existing(session, number, lifecycle.new_job()) as lease:
        so_far = cost(lease.dollars, time.time() - lease.began)
    session.console.info(f"Instance {number} has cost about {so_far}.")


@contextmanager
def hangup_stops() -> Iterator[None]:
    """Treat SIGHUP (a closed terminal) as SIGTERM, so that the instance is destroyed; nohup is respected."""
    before = signal.getsignal(signal.SIGHUP)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
