"""voice-bundle keygen, sign, export and import: share a voice in a form that others can verify."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--private", type=PATH, metavar="FILE", required=True, help="Private key to write (PEM, mode 0600).")
@click.option("--public", type=PATH, metavar="FILE", required=True, help="Public key to write (PEM).")
@click.option("--chain", type=PATH, metavar="FILE", help="Also write certificates for signing sounds (PEM).")
@click.option("--name", default="unknown operator", show_default=True, help="Whose certificates they are.")
def keygen(private: Path, public: Path, chain: Path | None, name: str) -> None:
    """Make a P-256 key pair; no file is ever overwritten.

    The certificates of --chain are self-made: readers see that no authority issued them (docs/marking.md).
    """
    from voicemill.bundle.signing import generate_keys
    from voicemill_marks.signer import write_self_made_chain

    generate_keys(private, public, chain)
    click.echo(f"keys: private={private} public={public}")
    if chain is not None:
        write_self_made_chain(private, chain, name)
        click.echo(f"certificates: {chain}")


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--key", type=PATH, metavar="FILE", required=True, help="Private key (P-256, PEM).")
@click.option("--output", type=PATH, metavar="FILE", help="Signature [voice_bundle.sig beside DIR].")
def sign(folder: Path, key: Path, output: Path | None) -> None:
    """Sign a bundle, and write signed provenance and a bill of materials beside it.

    The signature is in the OpenSSF model-signing format; provenance is SLSA v1, the bill of materials CycloneDX 1.6.
    """
    from voicemill.bundle.statements import sign_bundle

    for path in sign_bundle(folder, key, output):
        click.echo(f"signed: {path}")


@click.command("export")
@click.argument("folder", metavar="DIR", type=PATH)
@click.argument("target", metavar="TARGET", type=PATH)
@click.option(
    "--format",
    "form",
    type=click.Choice(["bundle", "onnx", "sherpa-onnx", "piper"]),
    default="bundle",
    show_default=True,
    help="bundle: everything as a tar, for import. The others: the graph for other programs, a folder or .tar.",
)
def export_(folder: Path, target: Path, form: Literal["bundle", "onnx", "sherpa-onnx", "piper"]) -> None:
    """Write a promoted bundle, its certificate and its signature as one tar, or its graph as a folder; the same bundle
    gives the same bytes.
    """
    from voicemill.bundle.export_formats import export_format
    from voicemill.bundle.packing import export_bundle

    names = export_bundle(folder, target) if form == "bundle" else export_format(folder, target, form)
    click.echo(f"exported: {target} files={len(names)}")


@click.command("import")
@click.argument("archive", metavar="FILE.tar", type=PATH)
@click.option("--output-root", type=PATH, metavar="DIR", help="Where promoted bundles live [work/bundles].")
def import_(archive: Path, output_root: Path | None) -> None:
    """Unpack an exported voice, checked before it is published, in place of an older one of its name."""
    from voicemill.bundle.packing import import_bundle
    from voicemill.settings import Settings

    settings = Settings.from_environment(os.environ)
    imported = import_bundle(archive, output_root or settings.paths.promoted_bundles)
    click.echo(f"imported: {imported.voice} {imported.root}")
