"""`--dry-run`: every step in words; nothing is asked of vast.ai, nothing is written, nothing is paid."""

from __future__ import annotations

import sys
from pathlib import Path

from voicemill_rental.remote import Layout
from voicemill_rental.request import Plan
from voicemill_rental.settings import RentalSettings


def show(plan: Plan, settings: RentalSettings, results: Path) -> list[str]:
    """The steps, printed on stdout and returned."""
    wish, layout = plan.wish, Layout(settings.remote_root)
    agreed = ["ask whether recordings may leave this machine"] if plan.pushes else []
    steps = ["destroy what an earlier run that was killed has left"]
    if wish.instance is not None:
        steps += [*agreed, f"use instance {wish.instance}"]
    else:
        steps += [
            "order a second instance although one is there" if wish.another else "stop if an instance is there already",
            f"search {settings.server}: {settings.query}; best value first, with {settings.disk_gb} GB of disk",
            f"ask if the best one costs more than ${settings.max_monthly:.2f} a month",
            *agreed,
            f"order it with the image {settings.image} (compute capability 12 and above: {settings.image_blackwell})",
            "log in to the image's registry with GHCR_TOKEN"
            if settings.token
            else "no GHCR_TOKEN: the image is public",
        ]
    steps += [
        f"wait until it runs and answers, at most {settings.wait:.0f} s; pin its ssh host key",
        f"send the code at {plan.code.commit} to {layout.code}"
        + ("" if plan.code.tree == plan.code.commit else ", with the changes of the working tree"),
        *(f"send {push.source} to {getattr(layout, push.place)}/{push.inside}" for push in plan.pushes),
        *(f"run {task.text}" for task in plan.tasks),
        *(["open a shell"] if wish.shell else []),
        f"bring {layout.work} to {results}/<job>, every file verified by its hash",
        "KEEP the instance, which goes on costing money" if wish.keep else "destroy the instance",
    ]
    for number, step in enumerate(steps, 1):
        sys.stdout.write(f"{number:>2}. {step}\n")
    return steps
