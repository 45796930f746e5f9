"""`voice-prep review`: the page where a person listens and decides, or only its report."""

from __future__ import annotations

import os
import sys

import click

EXAMPLES = """\b
Examples:
  voice-prep review ann                          a voice that was prepared here
  voice-prep review work/datasets/ann --open     open the page in the browser
  voice-prep review ann --report                 write report.html again and end

\b
Decisions are saved at once as edits.jsonl beside the manifest. Ctrl-C ends the page; the same voice-prep command as
before then applies the decisions, and so does voice-train-prod.

\b
Exit codes: 0 done, 1 refused, 2 blocked (no dataset, port taken, disk full), 143 terminated."""


@click.command("review", epilog=EXAMPLES)
@click.argument("dataset", metavar="DIR|VOICE")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port on 127.0.0.1.  [default: a free one]")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@click.option("--report", "only_report", is_flag=True, help="Write report.html into the dataset's folder and end.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that draw.  [default: one a core]")
def review_command(dataset: str, port: int, open_browser: bool, only_report: bool, workers: int | None) -> int:
    """Listen to a prepared dataset, fix texts, leave clips out or take them back, on a page for this machine only."""
    from voicemill import console
    from voicemill.dataset.prepared import find_dataset, load_checked
    from voicemill.errors import InterruptedRunError
    from voicemill.protocol import Protocol
    from voicemill.review import dataset_page, server
    from voicemill.settings import Settings

    workspace = Settings.from_environment(os.environ).workspace
    protocol = Protocol(sys.stdout)
    with console.Interrupts() as interrupts, console.Terminal() as terminal:
        loaded = load_checked(find_dataset(dataset, workspace))
        if only_report:
            protocol.artifact(dataset_page.write_report(loaded, workspace.stage_cache, terminal, workers=workers))
            return 0
        served = server.serve_dataset(loaded, workspace.stage_cache, terminal, port=port, workers=workers)
        protocol.stats({"clips": len(loaded.entries), "url": served.url})
        terminal.note(f"The page: {served.url}")
        terminal.note("Ctrl-C ends it; what you decide is saved at once.")
        if open_browser:
            click.launch(served.url)
        try:
            with interrupts.cooperative():
                served.serve(interrupts.should_stop)
        except InterruptedRunError as ended:
            if ended.exit_code != 130:  # Ctrl-C is how this command ends, SIGTERM is not
                raise
        terminal.note(served.session.farewell())
    return 0
