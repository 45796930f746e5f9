"""The options of a rented run and its plan, checked before anything is paid for."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import RefusedError, UsageError
from voicemill.launch import paths
from voicemill.launch.batch import tasks
from voicemill.launch.batch.tasks import BatchTask
from voicemill_rental import snapshot, transfer
from voicemill_rental.console import Console
from voicemill_rental.remote import Layout, require_key, require_tools
from voicemill_rental.settings import RentalSettings
from voicemill_rental.snapshot import Snapshot
from voicemill_rental.transfer import Push

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class RentalOptions:
    """The options of the command line.

    Attributes:
        tasks: a task file, or `None` if `command` is the only task.
        push_work, push_cache: folders below work and cache to send; `None` for none.
        push: other files and folders of the checkout to send.
        instance: use this existing instance, and destroy it at the end.
        another: rent even if an instance is running.
        shell: open a shell instead of running tasks.
    """

    tasks: Path | None = None
    command: tuple[str, ...] = ()
    push_work: Path | None = None
    push_cache: Path | None = None
    push: tuple[Path, ...] = ()
    instance: int | None = None
    another: bool = False
    keep: bool = False
    allow_dirty: bool = False
    parallel: int = 1
    fail_fast: bool = False
    shell: bool = False


@dataclass(frozen=True)
class RentalPlan:
    """Options that passed every local check, with the tasks, the code and the inputs to send."""

    options: RentalOptions
    tasks: tuple[BatchTask, ...]
    text: bytes
    code: Snapshot
    pushes: tuple[Push, ...]


def make_plan(
    options: RentalOptions, settings: RentalSettings, repository: Path, work: Path, cache: Path, console: Console
) -> RentalPlan:
    """Check that everything a rented machine needs is available.

    Raises:
        RefusedError: `tasks_missing`, `tasks_invalid`, `dirty_tree`, `not_a_checkout`, `ssh_key_missing`,
            `secret_in_git`, `rental_image_missing`, `rental_input_not_sent`.
        DependencyError: `runtime_dependency_missing:<ssh,rsync>`.
        UsageError: conflicting options.
    """
    text, found = b"", tuple[BatchTask, ...]()
    known = tasks.apps(repository)
    if not options.shell and (options.tasks is None) == (not options.command):
        raise UsageError("Give either a task file or one app after --.", hint="TASKS=jobs.txt, or ARGS='-- app …'.")
    if options.tasks is not None:
        text = tasks.load(options.tasks)
        found = tasks.parse(text, str(options.tasks), known)
    elif options.command:
        text = os.fsencode(shlex.join(options.command))
        found = tasks.parse(text, COMMAND_LINE, known)
    require_tools()
    require_key(settings)
    if not settings.image:
        raise RefusedError(
            "No image is configured for the rented machine.",
            reason="rental_image_missing",
            hint="Set VOICEMILL_REGISTRY (the registry of scripts/publish.sh) or VAST_IMAGE in .env.",
        )
    pushes = [
        *([transfer.push(options.push_work, work, "work")] if options.push_work else []),
        *([transfer.push(options.push_cache, cache, "cache")] if options.push_cache else []),
        *(transfer.push(path, repository, "code") for path in options.push),
    ]
    plan = RentalPlan(
        options, found, text, snapshot.take(repository, console, allow_dirty=options.allow_dirty), tuple(pushes)
    )
    _check_inputs(plan, repository, work, cache, console)
    return plan


def _check_inputs(plan: RentalPlan, repository: Path, work: Path, cache: Path, console: Console) -> None:
    """Refuse a task whose input exists locally and would be missing on the rented machine."""
    sent = [place.resolve() for place in (work, cache)]
    for task in plan.tasks:
        for access in paths.accesses(task.app, task.arguments) if task.app else ():
            path = access.path
            if access.use != "read" or not path.name or not path.exists():
                continue
            resolved = path.resolve()
            if any(resolved.is_relative_to(push.source) for push in plan.pushes):
                continue
            if any(resolved.is_relative_to(place) for place in sent):
                console.info(
                    f"Line {task.line} names {path}; what is there now is not sent without --push-work or --push-cache."
                )
                continue
            if resolved.is_relative_to(repository) and snapshot.tracked(repository, resolved):
                continue
            raise RefusedError(
                f"Line {task.line} names {path}, which would be missing on the rented machine.",
                reason="rental_input_not_sent",
                hint=f"Add --push {path}, which must be below {repository}; or move it to {work} and add --push-work.",
            )


def show_steps(plan: RentalPlan, settings: RentalSettings, results: Path) -> list[str]:
    """Print the steps of a dry run on stdout and return them; nothing is contacted or written."""
    options, layout = plan.options, Layout(settings.remote_root)
    agreed = ["ask whether recordings may leave this machine"] if plan.pushes else []
    steps = ["destroy instances left by a run that was killed"]
    if options.instance is not None:
        steps += [*agreed, f"use instance {options.instance}"]
    else:
        steps += [
            "order a second instance even if one is running"
            if options.another
            else "stop if an instance is already running",
            f"search {settings.server}: {settings.query}; best value first, with {settings.disk_gb} GB of disk",
            f"ask if the best one costs more than ${settings.max_monthly:.2f} a month",
            *agreed,
            f"order it with the image {settings.image} (compute capability 12 and above: {settings.image_blackwell})",
            "log in to the image's registry with GHCR_TOKEN"
            if settings.token
            else "no GHCR_TOKEN: the image has to be public",
        ]
    steps += [
        f"wait until it runs and accepts ssh, at most {settings.wait:.0f} s; pin its ssh host key",
        f"send the code at {plan.code.commit} to {layout.code}"
        + ("" if plan.code.tree == plan.code.commit else ", with the changes of the working tree"),
        *(f"send {push.source} to {getattr(layout, push.place)}/{push.inside}" for push in plan.pushes),
        *(f"run {task.text}" for task in plan.tasks),
        *(["open a shell"] if options.shell else []),
        f"bring {layout.work} to {results}/<job>, every file verified by its hash",
        "KEEP the instance, which continues to cost money" if options.keep else "destroy the instance",
    ]
    for number, step in enumerate(steps, 1):
        sys.stdout.write(f"{number:>2}. {step}\n")
    return steps
