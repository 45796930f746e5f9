"""`voice-prep list|show|rename|delete|export|import`: prepared voices by name."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from voicemill.workspace import Workspace


def _workspace() -> Workspace:
    from voicemill.settings import Settings

    return Settings.from_environment(os.environ).workspace


def _print_json(value: Any) -> None:
    from voicemill.terminal import json_text

    click.echo(json_text(value))


def _table(title: str, rows: list[tuple[str, str]]) -> None:
    from voicemill.console import Terminal

    Terminal().table(title, rows)


@click.command("list", epilog="\b\nExamples:\n  voice-prep list\n  voice-prep list --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array on stdout.")
def list_command(as_json: bool) -> None:
    """List the prepared voices."""
    from voicemill.voices import registry

    voices = registry.known(_workspace())
    if as_json:
        _print_json([voice.as_dict() for voice in voices])
        return
    rows = []
    for voice in voices:
        clips, held = voice.record.clips, voice.record.rights
        consent = "consent stated" if held and held.consent else "no consent stated"
        licence = (held.licence if held else None) or "no licence stated"
        missing = "" if voice.state == "ready" else "; its dataset is missing"
        found = f"{clips.train + clips.validation} clips, {clips.seconds / 60:.1f} min; {consent}; {licence}{missing}"
        rows.append((voice.record.slug, found))
    _table("Prepared voices", rows or [("none", "voice-prep --audio … --script … makes one")])


@click.command("show", epilog="\b\nExamples:\n  voice-prep show ann\n  voice-prep show ann --json")
@click.argument("voice")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def show_command(voice: str, as_json: bool) -> None:
    """Show what a voice was prepared from, with digests, consent and licence."""
    from voicemill.voices import registry

    found = registry.get(_workspace(), voice)
    if as_json:
        _print_json(found.as_dict())
    else:
        _table(voice, found.rows())


@click.command("rename", epilog="\b\nExample:\n  voice-prep rename ann anna")
@click.argument("old")
@click.argument("new")
def rename_command(old: str, new: str) -> None:
    """Give a voice another name; its clips keep the names that they have."""
    from voicemill.voices import registry

    renamed = registry.rename(_workspace(), old, new)
    click.echo(f"{old} is {new} now: {renamed.dataset}", err=True)


@click.command("delete", epilog="\b\nExamples:\n  voice-prep delete ann\n  voice-prep delete ann --yes")
@click.argument("voice")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_command(voice: str, yes: bool) -> None:
    """Delete a voice's dataset and record; bundles that were trained from it stay."""
    from voicemill.errors import UsageError
    from voicemill.voices import registry

    workspace = _workspace()
    found = registry.get(workspace, voice)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"Deleting {voice} needs a confirmation.",
                reason="confirmation_needed",
                hint="Use --yes without a terminal.",
            )
        clips = found.record.clips
        count = clips.train + clips.validation
        click.confirm(f"Delete {voice}, {count} clips in {found.dataset}?", abort=True, err=True)
    registry.delete(workspace, voice)
    click.echo(f"{voice} is deleted.", err=True)


@click.command("export", epilog="\b\nExamples:\n  voice-prep export ann\n  voice-prep export ann --output ann.zip")
@click.argument("voice")
@click.option("--output", type=click.Path(path_type=Path), help="The archive.  [default: <voice>.voice.zip]")
def export_command(voice: str, output: Path | None) -> None:
    """Write a voice to one zip: the same dataset gives the same bytes."""
    from voicemill.protocol import Protocol
    from voicemill.voices import archive

    made = archive.export(_workspace(), voice, output)
    protocol = Protocol(sys.stdout)
    protocol.stats({"bytes": made.bytes, "entries": made.entries, "sha256": made.sha256})
    protocol.artifact(made.path)


@click.command("import", epilog="\b\nExamples:\n  voice-prep import ann.voice.zip\n  voice-prep import a.zip --voice b")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--voice", help="Another name for it.")
def import_command(archive: Path, voice: str | None) -> None:
    """Take a voice from a zip that `export` wrote; every file is checked, nothing is overwritten."""
    from voicemill.protocol import Protocol
    from voicemill.voices.archive import import_voice

    taken = import_voice(_workspace(), archive, voice)
    protocol = Protocol(sys.stdout)
    protocol.stats({"voice": taken.record.slug, "dataset_sha256": taken.record.dataset_sha256})
    protocol.artifact(taken.dataset / "dataset.json")


@click.command("consent", epilog="\b\nExample:\n  voice-prep consent ann --recording ann-agrees.wav --text consent.txt")
@click.argument("voice")
@click.option(
    "--recording", type=click.Path(path_type=Path), required=True, help="The speaker, who reads the statement."
)
@click.option("--text", metavar="FILE|TEXT", required=True, help="The statement, with name and date, as it was read.")
def consent_command(voice: str, recording: Path, text: str) -> None:
    """Accept the recorded consent of a prepared voice's speaker.

    The words of the recording must be those of the statement, and the voice must be the one of the clips.
    """
    from voicemill.lane.consent import record_consent
    from voicemill.protocol import Protocol
    from voicemill.settings import Settings
    from voicemill.workspace import profile_id

    target, found = record_consent(Settings.from_environment(os.environ), profile_id(voice), recording, text)
    protocol = Protocol(sys.stdout)
    protocol.stats(
        {
            "word_errors": found.word_errors,
            "speaker_similarity": found.speaker_similarity,
            "recording_sha256": found.recording_sha256,
        }
    )
    protocol.artifact(target)


COMMANDS = (
    list_command,
    show_command,
    rename_command,
    delete_command,
    export_command,
    import_command,
    consent_command,
)
