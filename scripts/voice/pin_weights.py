#!/usr/bin/env python3
"""Fetch, inspect and pin the files of an entry of the weights allowlist: `pin_weights.py ID [FILE]`.

Files that are not in their place (in the repository, or below cache/weights/ID/) are downloaded from the addresses on the
list, over HTTPS. Each is inspected without running anything of it; then sha256 and size of all are recorded, and from then
on only these bytes are loaded. Compare the printed digests with those that the provider publishes. FILE is the entry's first
file, where it is elsewhere.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))
if importlib.util.find_spec("click") is None:  # a Python without the toolbox's packages: start again with its own
    code = '. "$1/scripts/bootstrap.sh" && bootstrap runtime && shift && exec "$VOICEMILL_PYTHON" "$0" "$@"'
    os.execvp("bash", ["bash", "-c", code, __file__, str(ROOT), *sys.argv[1:]])  # noqa: S606

import click

from voicemill import console


@click.command()
@click.argument("weights_id", metavar="ID")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
def main(weights_id: str, file: Path | None) -> None:
    """Fetch, inspect and pin the files of the allowlist entry ID."""
    from voicemill.errors import GateError, UsageError
    from voicemill.settings import Settings
    from voicemill.weights import allowlist, archive, demucs_package, download, gate, nemo_config, store, tensor_file
    from voicemill_musicgen import weights as experimental

    settings = Settings.from_environment(os.environ, repository=ROOT)
    own = experimental.select if weights_id == experimental.BASE else None
    entry = (own(settings.weights.allowlist) if own else gate.select(weights_id, settings.weights.allowlist)).entry
    if not entry.files:
        raise UsageError(f"{weights_id} has no files.", hint="Choose an entry with a checkpoint.")
    targets: dict[str, Path] = {}
    with console.Interrupts(), console.Terminal() as terminal:
        weights = store.WeightsStore(
            settings.workspace.weights_cache, ROOT, fetch=download.fetch, judge=lambda entry: None, observer=terminal
        )
        for item in entry.files[: 1 if file else None]:
            try:
                targets[item.path] = file or weights.obtain(entry, item)
            except GateError as error:
                place = weights.place(entry, item)
                raise UsageError(
                    f"There is no file at {place}. {error}", reason=error.reason, hint=error.hint
                ) from error
    classes = nemo_config.RECOGNITION_TARGETS if entry.kind == "asr" else nemo_config.ALLOWED_TARGETS
    for path, target in targets.items():
        if not target.is_file():
            raise UsageError(f"There is no file at {target}.", hint="Put the checkpoint there, or name it.")
        if path.endswith(".nemo"):
            archive.inspect_archive(target, classes)
        elif path.endswith(".th"):
            demucs_package.inspect_package(target)
        elif path.endswith(".safetensors"):
            tensor_file.inspect_tensors(target)
    for path, target in targets.items():
        click.echo(f"{allowlist.pin(settings.weights.allowlist, weights_id, path, target)}  {path}")


if __name__ == "__main__":
    raise SystemExit(console.run(main))
