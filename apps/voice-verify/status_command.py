"""voice-verify status: whether lanes run, have ended, or died."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.argument("place", metavar="[FILE|DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def status(place: Path | None, as_json: bool) -> None:
    """Show which lanes run and which have died, by their status files.

    PLACE is a status file or a work folder; without it, WORK_DIR or ./work. A lane on this machine is looked up among
    its processes, a lane elsewhere (another machine, a container) by its heartbeat. Exit code 3: a lane is dead.
    """
    from voicemill.errors import NotAcceptableError
    from voicemill.lane_status import describe, find, heartbeat_age, liveness, read
    from voicemill.settings import Settings
    from voicemill.terminal import json_text, plain_text

    paths = find(place or Settings.for_lane(os.environ).workspace.work)
    found = [(path, read(path)) for path in paths]
    if as_json:
        lanes = [
            {
                "path": path.as_posix(),
                "job_type": each.job_type,
                "liveness": liveness(each),
                "state": each.state,
                "reason": each.reason,
                "progress": {"current": each.progress.current, "total": each.progress.total},
                "pid": each.pid,
                "host": each.host,
                "heartbeat_age_seconds": heartbeat_age(each),
            }
            for path, each in found
        ]
        click.echo(json_text({"lanes": lanes}))
    else:
        for _, each in found:
            click.echo(plain_text(f"{each.job_type}: {describe(each)}"))
    dead = [path for path, each in found if liveness(each) == "dead"]
    if dead:
        raise NotAcceptableError(
            f"The process of the lane in {dead[0]} ended without a result.",
            reason=f"lane_dead:{dead[0].name}",
            hint="A killed process usually ran out of memory; start the lane again with --resume.",
        )
