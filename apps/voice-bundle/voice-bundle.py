#!/usr/bin/env python3
"""voice-bundle: build, promote and look at voice bundles. See README.md beside this file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from sharing_commands import export_, import_, keygen, sign

from voicemill import console
from voicemill.commands import consent_option

if TYPE_CHECKING:
    from voicemill.settings import Settings
    from voicemill.variables import RequiredConsent

PATH = click.Path(path_type=Path)
MAX_NOTICE_BYTES = 1024 * 1024
"""Of the notice of the recordings."""


def _settings() -> Settings:
    from voicemill.settings import Settings

    return Settings.from_environment(os.environ)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  ./run voice-bundle build
  ./run voice-bundle build --status artifacts/prod_tts_train_status.json --output checkpoints/prod_tts_voice_bundle
  ./run voice-bundle promote --voice anna --display-name "Anna"
  ./run voice-bundle inspect work/bundles/anna/voice_bundle
  ./run voice-bundle keygen --private anna.pem --public anna.pub.pem
  ./run voice-bundle sign work/bundles/anna/voice_bundle --key anna.pem
  ./run voice-bundle export work/bundles/anna/voice_bundle anna.tar
  ./run voice-bundle import anna.tar
\b
Exit codes: 0 done · 1 bad usage · 2 blocked (the reason is on stderr).""",
)
def main() -> None:
    """Turn a trained voice into files that anyone can check, and promote it to a voice profile."""


@main.command()
@click.option(
    "--status", type=PATH, metavar="FILE", help="Training status [work/artifacts/prod_tts_train_status.json]."
)
@click.option("--eval", "evaluation", type=PATH, metavar="FILE", help="Evaluation [work/artifacts/prod_tts_eval.json].")
@click.option(
    "--output", type=PATH, metavar="DIR", help="Folder of the bundle [work/checkpoints/prod_tts_voice_bundle]."
)
@click.option("--base", type=PATH, metavar="DIR", help="What the status's artifact paths are relative to [work].")
@click.option(
    "--file", "extra", type=PATH, metavar="FILE", multiple=True, help="One more file to bundle; may be repeated."
)
@click.option("--data-notice", type=PATH, metavar="FILE", help="Notice of the recordings, for ATTRIBUTION.txt.")
@click.option("--commit", metavar="SHA", help="Commit for the manifest [the status's, else HEAD].")
@consent_option
def build(
    status: Path | None,
    evaluation: Path | None,
    output: Path | None,
    base: Path | None,
    extra: tuple[Path, ...],
    data_notice: Path | None,
    commit: str | None,
    require_consent: RequiredConsent | None,
) -> None:
    """Build the production bundle of a finished training."""
    from voicemill import files
    from voicemill.errors import UsageError
    from voicemill.lane import bundling
    from voicemill.protocol import Protocol

    try:
        notice = files.read_whole(data_notice, MAX_NOTICE_BYTES).decode("utf-8", "replace") if data_notice else ""
    except OSError as error:
        raise UsageError(
            f"Cannot read the notice {data_notice}: {error.strerror}.", hint="Give the licence text of the recordings."
        ) from error
    protocol = Protocol(sys.stdout)
    protocol.progress(0, 1)
    built = bundling.build(
        _settings(),
        status=status,
        evaluation=evaluation,
        output=output,
        base=base,
        commit=commit,
        extra_files=extra,
        data_notice=notice,
        require_consent=require_consent,
    )
    protocol.progress(1, 1)
    bundling.show_built(protocol, built)


@main.command()
@click.option(
    "--input-manifest",
    type=PATH,
    metavar="FILE",
    help="Manifest of the production bundle [work/checkpoints/prod_tts_voice_bundle/manifest.json].",
)
@click.option("--output-root", type=PATH, metavar="DIR", help="Where promoted bundles live [work/bundles].")
@click.option("--voice", "--voice-profile-id", "voice", metavar="ID", help="Voice profile id [dottie_default].")
@click.option("--display-name", metavar="NAME", help="What people see [Dottie].")
@click.option(
    "--strict/--no-strict",
    default=True,
    show_default=True,
    help="Refuse a source with faults in its record, or only record them.",
)
@consent_option
def promote(
    input_manifest: Path | None,
    output_root: Path | None,
    voice: str | None,
    display_name: str | None,
    strict: bool,
    require_consent: RequiredConsent | None,
) -> None:
    """Promote a production bundle: copy and hash every file again, publish whole or not at all.

    The time of promotion is now, or SOURCE_DATE_EPOCH where it is set (then the same inputs give the same bytes).
    """
    from voicemill.lane import bundling
    from voicemill.protocol import Protocol

    settings, protocol = _settings(), Protocol(sys.stdout)
    protocol.progress(0, 1)
    promoted = bundling.promote(
        settings,
        voice,
        display_name,
        manifest=input_manifest,
        root=output_root,
        strict=strict,
        require_consent=require_consent,
    )
    bundling.sign_sample(settings, promoted)
    protocol.progress(1, 1)
    bundling.show_promoted(protocol, promoted)


@main.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def inspect(folder: Path, as_json: bool) -> None:
    """Show the manifest of a bundle of either kind (voice-verify checks it)."""
    from voicemill.bundle.manifest import load_manifest, summary_lines
    from voicemill.terminal import json_text

    loaded = load_manifest(folder)
    if as_json:
        click.echo(json_text(loaded.raw))
        return
    for line in summary_lines(loaded):
        click.echo(line)


for command in (keygen, sign, export_, import_):
    main.add_command(command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-bundle"))
