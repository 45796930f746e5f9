#!/usr/bin/env python3
"""Rent a GPU at vast.ai by the hour, run a task file on it, copy the results, destroy it.

Settings and keys come from the environment or .env (.env.example lists them); docs/remote.md shows a first run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill.boundary import Interrupts, guarded, usage_checked
from voicemill.errors import UsageError
from voicemill.protocol import Protocol
from voicemill.settings import Settings
from voicemill_rental import commands, request
from voicemill_rental.console import Console
from voicemill_rental.lifecycle import RentalSession
from voicemill_rental.market import Market
from voicemill_rental.settings import RentalSettings
from voicemill_rental.state import StateFolder

ALL = Path()
"""The value of --push-work and --push-cache without a folder."""


class Part(argparse.ArgumentParser):
    """The parser of one command; bad usage exits with 1 instead of argparse's 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", hint=f"See {self.prog} --help.")


def count(text: str) -> int:
    """Parse a number of parallel tasks."""
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError("a number from 1 to 256 is needed")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="scripts/vast.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Part)
    named.add_parser("search", help="list the matching offers, best value first")
    named.add_parser("status", help="list running instances and their cost; destroy those of killed runs")
    for name, explained in (("pull", "copy the results of an instance"), ("destroy", "destroy an instance")):
        named.add_parser(name, help=explained).add_argument("id", type=int)
    for name, explained in (("run", "run tasks on a rented machine"), ("shell", "open a shell on a rented machine")):
        one = named.add_parser(name, help=explained)
        if name == "run":
            one.add_argument("--tasks", type=Path, help="the task file; or one app and its options after --")
            one.add_argument(
                "--parallel", type=count, default=1, metavar="N", help="tasks to run in parallel (default: 1)"
            )
            one.add_argument("--fail-fast", action="store_true", help="start no further task after the first failure")
            one.add_argument("--instance", type=int, metavar="ID", help="use this existing instance")
        else:
            one.add_argument("--id", type=int, metavar="ID", help="open it on this existing instance, which is kept")
        one.add_argument(
            "--push-work", nargs="?", const=ALL, type=Path, metavar="FOLDER", help="send work/ or a folder in it"
        )
        one.add_argument(
            "--push-cache", nargs="?", const=ALL, type=Path, metavar="FOLDER", help="send cache/ or a folder in it"
        )
        one.add_argument(
            "--push", action="append", default=[], type=Path, metavar="PATH", help="send a path that git does not track"
        )
        one.add_argument("--yes", action="store_true", help="agree to the price and to sending recordings")
        one.add_argument("--keep", action="store_true", help="do not destroy the instance; it continues to cost money")
        one.add_argument("--another", action="store_true", help="rent even if an instance is running")
        one.add_argument("--allow-dirty", action="store_true", help="send uncommitted changes too")
        one.add_argument("--dry-run", action="store_true", help="print every step and do nothing")
    return top


def rental_options(options: argparse.Namespace, rest: tuple[str, ...], settings: Settings) -> request.RentalOptions:
    """The options of run and shell."""

    def folder(given: Path | None, default: Path) -> Path | None:
        return default if given == ALL else given

    shell = options.command == "shell"
    return request.RentalOptions(
        tasks=None if shell else options.tasks,
        command=rest,
        push_work=folder(options.push_work, settings.workspace.work),
        push_cache=folder(options.push_cache, settings.workspace.cache),
        push=tuple(options.push),
        instance=None if shell else options.instance,
        another=options.another,
        keep=options.keep,
        allow_dirty=options.allow_dirty,
        parallel=1 if shell else options.parallel,
        fail_fast=False if shell else options.fail_fast,
        shell=shell,
    )


def check(options: argparse.Namespace, rest: tuple[str, ...]) -> None:
    """Refuse options that would be ignored."""
    if rest and options.command != "run":
        raise UsageError("Only run takes an app after --.", hint="See scripts/vast.sh run --help.")
    if options.command == "shell" and options.id is not None:
        given = [name for name, value in vars(options).items() if value and name not in ("command", "id", "yes")]
        if given:
            option = given[0].replace("_", "-")
            raise UsageError(
                f"--{option} cannot be combined with --id.",
                hint="See scripts/vast.sh shell --help.",
            )


def main() -> int:
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    rest, sys.argv[1:] = tuple(words[at + 1 :]), words[:at]
    options = usage_checked(parser())
    check(options, rest)
    general = Settings.from_environment(os.environ, repository=ROOT)
    settings = RentalSettings.from_environment(os.environ, home=Path.home(), env_file=ROOT / ".env")
    console = Console(settings.secrets, yes=getattr(options, "yes", False))
    results = ROOT / "work_remote"
    with Interrupts() as interrupts, commands.hangup_stops(), Market(settings) as market:
        session = RentalSession(settings, market, StateFolder(settings.state), console, interrupts)
        if options.command == "search":
            commands.search(session)
        elif options.command == "status":
            commands.status(session)
        elif options.command == "pull":
            commands.pull(session, options.id, results)
        elif options.command == "destroy":
            commands.destroy(session, options.id)
        elif options.command == "shell" and options.id is not None:
            return commands.shell(session, options.id)
        else:
            plan = request.make_plan(
                rental_options(options, rest, general),
                settings,
                ROOT,
                general.workspace.work,
                general.workspace.cache,
                console,
            )
            if options.dry_run:
                request.show_steps(plan, settings, results)
            else:
                commands.run(session, plan, ROOT, results, Protocol(sys.stdout))
    return 0


if __name__ == "__main__":
    raise SystemExit(guarded(main, program="vast"))
