#!/usr/bin/env python3
"""voice-verify: verification of bundles, weights manifests and model archives. See README.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "lib"), str(Path(__file__).resolve().parent)]

import click
from audio_command import audio
from casimir_commands import casimir, certify
from quality_command import quality
from stability_command import stability
from status_command import status as status_command

from voicemill import console
from voicemill.commands import consent_option

if TYPE_CHECKING:
    from voicemill.variables import RequiredConsent

PATH = click.Path(path_type=Path)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  ./run voice-verify bundle work/bundles/dottie_default/voice_bundle
  ./run voice-verify bundle bundles/anna/voice_bundle --json
  ./run voice-verify weights configs/voice/weights-manifest.example.json
  ./run voice-verify archive checkpoints/prod_tts/fastpitch.nemo
  ./run voice-verify certify work/bundles/dottie_default/voice_bundle
  ./run voice-verify casimir --request request.json --json
  ./run voice-verify quality dottie_default --dataset dottie_default
  ./run voice-verify audio speech.mp3
  ./run voice-verify stability dottie_default
  ./run voice-verify status work
\b
Exit codes: 0 all is well · 1 bad usage or no such file · 2 an archive or the licence gate refuses ·
3 a bundle is not acceptable, or a sound is not marked · for weights manifests see README.md.""",
)
def main() -> None:
    """Verify voices. Only `quality` and `stability` load models; nothing that is verified is ever executed."""


@main.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option(
    "--status",
    type=PATH,
    metavar="FILE",
    help="Training status to judge by; without it, what the bundle records of it.",
)
@click.option("--public-key", type=PATH, metavar="FILE", help="Check the signature beside DIR with this key.")
@click.option("--signature", type=PATH, metavar="FILE", help="Signature elsewhere than beside DIR.")
@click.option("--require-signature", is_flag=True, help="A bundle without a signature is not acceptable.")
@consent_option
def bundle(
    folder: Path,
    as_json: bool,
    status: Path | None,
    public_key: Path | None,
    signature: Path | None,
    require_signature: bool,
    require_consent: RequiredConsent | None,
) -> None:
    """List every difference between a bundle and its manifest, and go through the promotion checklist.

    Works on production bundles and on promoted ones. Weights are judged by the allowlist that ships with the toolbox,
    not by the list of the training run.
    """
    from voicemill.errors import NotAcceptableError
    from voicemill.settings import REPOSITORY
    from voicemill.terminal import json_text
    from voicemill.training_status import read_training_status
    from voicemill.verify.checklist import lines, verify_bundle
    from voicemill.verify.rows import Demand
    from voicemill.weights.allowlist import SHIPPED

    given = read_training_status(status) if status else None
    demand = Demand(public_key, signature, require_signature) if public_key or require_signature else None
    verification = verify_bundle(
        folder, REPOSITORY / SHIPPED, status=given, signature=demand, require_consent=require_consent
    )
    if as_json:
        click.echo(json_text(verification.as_dict()))
    else:
        for line in lines(verification):
            click.echo(line)
    if not verification.ok:
        raise NotAcceptableError(
            f"The bundle {folder} is not acceptable.",
            reason=verification.reason,
            hint="See the rows marked NO-GO and the listed differences.",
        )


@main.command()
@click.argument("file", metavar="FILE", type=PATH)
def weights(file: Path) -> int:
    """Validate a weights manifest: one line on stdout, and the contract's exit code for each fault."""
    from voicemill.weights.manifest import validate_file

    verdict = validate_file(file)
    click.echo(verdict.line)
    return verdict.exit_code


@main.command()
@click.argument("file", metavar="FILE.nemo", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def archive(file: Path, as_json: bool) -> None:
    """Check the structure of a .nemo archive without loading it."""
    from voicemill.errors import GateError
    from voicemill.protocol import one_line
    from voicemill.weights.archive import inspect_archive

    try:
        report = inspect_archive(file)
    except GateError as error:
        if as_json:
            click.echo(
                json.dumps({"ok": False, "reason": error.reason, "detail": str(error)}, indent=2, sort_keys=True)
            )
        raise
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": True,
                    "reason": "none",
                    "bytes": report.bytes,
                    "target": report.target,
                    "tensors": report.tensors,
                    "parameters": report.parameters,
                    "members": [{"name": name, "bytes": size} for name, size in report.members],
                },
                indent=2,
                sort_keys=True,
            )
        )
        return
    click.echo(
        f"archive: OK {report.target} tensors={report.tensors} parameters={report.parameters} bytes={report.bytes}"
    )
    for name, size in report.members:
        click.echo(f"{size:>12} {one_line(name)}")


main.add_command(audio)
main.add_command(casimir)
main.add_command(certify)
main.add_command(quality)
main.add_command(stability)
main.add_command(status_command)

if __name__ == "__main__":
    raise SystemExit(console.run(main, program="voice-verify"))
