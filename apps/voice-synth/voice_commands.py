"""voice-synth list-voices, rename-voice, delete-voice, export-voice, import-voice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from voicemill_cloning.app_options import PATH, cache_options, folder_options, json_option

if TYPE_CHECKING:
    from voicemill_cloning.app_context import AppContext


@click.command("list-voices")
@json_option
@cache_options
def list_voices(as_json: bool, context: AppContext) -> None:
    """List every voice that can speak: cloned, built-in, designed and trained ones, the newest first."""
    from voicemill.console import Terminal
    from voicemill.terminal import json_text
    from voicemill_cloning.listing import listing

    found, damaged = listing(context.voices)
    for error in damaged:
        click.echo(f"WARNING: {error} {error.hint}", err=True)
    if as_json:
        click.echo(json_text(found))
        return
    rows = [(str(entry["id"]), _described(entry)) for entry in (*found["named"], *found["legacy"])]
    Terminal().table("Voices", rows or [("none", "voice-register, voice-train-prod and design-voice make some")])


def _described(entry: dict[str, Any]) -> str:
    parts = [
        str(entry["engine"]),
        "ready" if entry["_ready"] else "not ready",
        str(entry["ref_language"] or ""),
        f"speaker {entry['speaker']}" if entry["speaker"] else "",
        f"tones {', '.join(entry['custom_tones'])}" if entry["custom_tones"] else "",
        f"{entry['duration_sec']:.1f} s of reference" if entry["duration_sec"] else "",
        str(entry["description"] or ""),
    ]
    return " · ".join(part for part in parts if part)


@click.command("rename-voice")
@click.argument("old")
@click.argument("new")
@cache_options
def rename_voice(old: str, new: str, context: AppContext) -> None:
    """Give a voice another name; its display name changes only if it was the old name."""
    renamed = context.voices.rename(old, new)
    click.echo(f"{old} is {renamed.slug} now.", err=True)


@click.command("delete-voice")
@click.argument("voice")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_options
def delete_voice(voice: str, yes: bool, context: AppContext) -> None:
    """Delete a voice with its reference and prompts; a dataset and a trained bundle of its name stay."""
    from voicemill.errors import UsageError

    voices = context.voices
    slug = voices.deletable(voice)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"Deleting {slug} needs a confirmation.",
                reason="confirmation_needed",
                hint="Use --yes without a terminal.",
            )
        click.confirm(f"Delete {slug} in {voices.folder(slug)}?", abort=True, err=True)
    click.echo(f"{voices.delete(slug)} is deleted.", err=True)


@click.command("export-voice")
@click.argument("voice")
@click.option("--dest", type=PATH, metavar="FILE", help="The archive.  [default: <out>/<voice>.zip]")
@folder_options
def export_voice(voice: str, dest: Path | None, context: AppContext) -> None:
    """Write a voice to one zip: the same voice gives the same bytes."""
    from voicemill.protocol import Protocol
    from voicemill_cloning import archive

    slug = context.voices.get(voice).slug
    made = archive.export_voice(context.voices, slug, dest or context.out / f"{slug}.zip")
    protocol = Protocol(sys.stdout)
    protocol.stats({"bytes": made.bytes, "entries": made.entries, "sha256": made.sha256})
    protocol.artifact(made.path)


@click.command("import-voice")
@click.option("--zip", "archive", type=PATH, required=True, metavar="FILE", help="The archive.")
@click.option("--force", is_flag=True, help="Replace a voice of the same name.")
@cache_options
def import_voice(archive: Path, force: bool, context: AppContext) -> None:
    """Take a voice from a zip; every entry is checked before one is unpacked, and no prompt is loaded."""
    from voicemill.protocol import Protocol
    from voicemill_cloning import archive as archives

    voices = context.voices
    taken = archives.import_voice(voices, archive, force=force)
    protocol = Protocol(sys.stdout)
    protocol.stats({"engine": taken.engine, "ready": voices.get(taken.slug).ready, "voice": taken.slug})
    protocol.artifact(voices.folder(taken.slug) / "voice.json")


COMMANDS = (list_voices, rename_voice, delete_voice, export_voice, import_voice)
