"""What the person asks for, judged before anything is paid for."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from voicemill.errors import RefusedError, UsageError
from voicemill.launch import paths
from voicemill.launch.batch import tasks
from voicemill.launch.batch.tasks import Task
from voicemill_rental import snapshot, transfer
from voicemill_rental.console import Talk
from voicemill_rental.remote import require_key, require_tools
from voicemill_rental.settings import RentalSettings
from voicemill_rental.snapshot import Snapshot
from voicemill_rental.transfer import Push

COMMAND_LINE = "the command line"


@dataclass(frozen=True)
class Wish:
    """The command line.

    Attributes:
        tasks: a task file, or `None` where `command` is the one task.
        push_work, push_cache: folders below work and cache that go along; `None` for nothing.
        push: other files and folders of the checkout.
        instance: use this one, which is there already, and destroy it at the end all the same.
        another: rent although something is running.
        shell: a shell instead of tasks.
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
class Plan:
    """A wish that can be carried out, as far as this machine can say."""

    wish: Wish
    tasks: tuple[Task, ...]
    text: bytes
    code: Snapshot
    pushes: tuple[Push, ...]


def judge(wish: Wish, settings: RentalSettings, repository: Path, work: Path, cache: Path, talk: Talk) -> Plan:
    """See that everything is there which a rented machine will need.

    Raises:
        RefusedError: `tasks_missing`, `tasks_invalid`, `dirty_tree`, `not_a_checkout`, `ssh_key_missing`,
            `secret_in_git`, `rental_image_missing`, `rental_input_not_sent`.
        DependencyError: `runtime_dependency_missing:<ssh,rsync>`.
        UsageError: options that do not fit.
    """
    text, found = b"", tuple[Task, ...]()
    known = tasks.apps(repository)
    if not wish.shell and (wish.tasks is None) == (not wish.command):
        raise UsageError("Give either a task file or one app after --.", hint="TASKS=jobs.txt, or ARGS='-- app …'.")
    if wish.tasks is not None:
        text = tasks.load(wish.tasks)
        found = tasks.parse(text, str(wish.tasks), known)
    elif wish.command:
        text = os.fsencode(shlex.join(wish.command))
        found = tasks.parse(text, COMMAND_LINE, known)
    require_tools()
    require_key(settings)
    if not settings.image:
        raise RefusedError(
            "It is not said which image the rented machine shall run.",
            reason="rental_image_missing",
            hint="Set VOICEMILL_REGISTRY to where scripts/publish.sh pushes, or VAST_IMAGE, in .env.",
        )
    pushes = [
        *([transfer.push(wish.push_work, work, "work")] if wish.push_work else []),
        *([transfer.push(wish.push_cache, cache, "cache")] if wish.push_cache else []),
        *(transfer.push(path, repository, "code") for path in wish.push),
    ]
    plan = Plan(wish, found, text, snapshot.take(repository, talk, allow_dirty=wish.allow_dirty), tuple(pushes))
    _check_inputs(plan, repository, work, cache, talk)
    return plan


def _check_inputs(plan: Plan, repository: Path, work: Path, cache: Path, talk: Talk) -> None:
    """A file that a line names and that is here, but not there, is noticed before it costs money."""
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
                talk.say(
                    f"Line {task.line} names {path}; what is there now is not sent without --push-work or --push-cache."
                )
                continue
            if resolved.is_relative_to(repository) and snapshot.tracked(repository, resolved):
                continue
            raise RefusedError(
                f"Line {task.line} names {path}, which will not be on the rented machine.",
                reason="rental_input_not_sent",
                hint=f"Add --push {path}, which has to lie below {repository}; or --push-work and a place in {work}.",
            )
