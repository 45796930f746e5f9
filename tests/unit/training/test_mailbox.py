"""The mailbox between ranks and the process that follows them, with a Ray that runs everything in this process."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from voicemill.errors import TrainingError
from voicemill.training.checkpoint import StepReport
from voicemill.training.cluster import Mailbox, _follow
from voicemill.training.hooks import Hooks
from voicemill.training.worker import RankMessages


class Handle:
    """An actor handle: each method has a `remote`."""

    def __init__(self, actor: object) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self._actor, name))


def ray_of(waits: list[Callable[[], bool]]) -> Any:
    """A Ray whose `wait` takes the next of these callables, which tell whether the training has ended."""
    return SimpleNamespace(
        wait=lambda fits, timeout: (fits if waits.pop(0)() else [], []),
        get=lambda value: value,
        exceptions=SimpleNamespace(RayError=ConnectionError),
    )


def step(number: int) -> StepReport:
    return StepReport(number, 4, 1.0, 1.0, 0.0, 0.0, 1e-3, float(number), 100)


def test_steps_are_reported_once_across_a_restart() -> None:
    mailbox, steps, notes = Mailbox(), [], []

    def first() -> bool:
        mailbox.send("step", step(1))
        mailbox.send("step", step(2))
        return False

    def restarted() -> bool:
        mailbox.send("error", TrainingError("lost", reason="rank_lost"))
        mailbox.send(None, "a process was lost")
        mailbox.send("step", step(2))
        mailbox.send("step", step(3))
        return True

    messages = RankMessages(Hooks(on_step=lambda report: steps.append(report.step), note=notes.append))
    assert _follow(ray_of([first, restarted]), "", Handle(mailbox), messages) == ""
    assert (steps, notes, messages.errors) == ([1, 2, 3], ["a process was lost"], [])
    assert mailbox.poll() == (False, False)


def test_a_stop_is_requested_after_the_first_step() -> None:
    mailbox, seen = Mailbox(), []

    def take_step() -> bool:
        mailbox.send("step", step(1))
        return False

    messages = RankMessages(Hooks(on_step=seen.append, should_stop=lambda: True))
    assert _follow(ray_of([take_step, lambda: True]), "", Handle(mailbox), messages) == ""
    assert mailbox.poll() == (True, False)
    assert len(seen) == 1


def test_a_stop_before_the_first_step_ends_at_once() -> None:
    mailbox = Mailbox()
    messages = RankMessages(Hooks(should_stop=lambda: True))
    assert _follow(ray_of([lambda: False]), "", Handle(mailbox), messages) == ""
    assert mailbox.poll() == (False, False)


@pytest.mark.parametrize(("reason", "failed"), [("rank_lost", False), ("non_finite_loss:step=3", True)])
def test_only_a_lost_rank_is_worth_a_restart(reason: str, failed: bool) -> None:
    mailbox = Mailbox()
    mailbox.send("error", TrainingError("An error.", reason=reason))
    assert mailbox.poll() == (False, failed)
