"""`--dry-run`: print every step without contacting vast.ai, writing files or paying."""

from __future__ import annotations

import sys
from pathlib import Path

from voicemill_rental.remote import Layout
from voicemill_rental.request import RentalPlan
from voicemill_rental.settings import RentalSettings


def show(plan: RentalPlan, settings: RentalSettings, results: Path) -> list[str]:
    """Print the steps on stdout and return them."""
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
