"""A voice made before as the start of another one: `--init-from`.

Its licence is inherited. A model alone does not say what it was made from, so it has to lie in a voice bundle: the
manifest beside it names its digest and the weights that it began with, and its attribution goes into the new voice.
"""

from __future__ import annotations

from pathlib import Path

from voicemill.bundle.build import ATTRIBUTION
from voicemill.bundle.contents import digest_file
from voicemill.bundle.differences import check_digest
from voicemill.bundle.manifest import MANIFEST, ProductionManifest, load_manifest
from voicemill.errors import BundleFileError, GateError, UsageError
from voicemill.training_status import Ancestor
from voicemill.weights import gate
from voicemill.weights.allowlist import LoadedAllowlist


def select(path: Path, listed: LoadedAllowlist) -> tuple[gate.SelectedWeights, Ancestor]:
    """Let an earlier voice's model through: the allowlist entry that it inherits, and what is recorded of it.

    Args:
        path: an acoustic model in a voice bundle.
        listed: the licence gate's list, which judges what the earlier voice began with once more.

    Raises:
        UsageError: there is no such file, or it is something else.
        GateError: `init_from_unrecorded:<name>`: nothing says what it was made from; or the gate refuses that.
        BundleFileError: `bytes_mismatch`, `checksum_mismatch`: it is not the file of its manifest.
    """
    _check_name(path)
    try:
        manifest = load_manifest(path.parent).manifest
    except BundleFileError as error:
        raise _unrecorded(path, str(error)) from error
    if isinstance(manifest, ProductionManifest):
        references, voice = manifest.weights_refs, "of an unpromoted bundle"
    else:
        references, voice = manifest.provenance.source_weights_refs, manifest.voice_profile_id
    entries = {entry.path: entry for entry in manifest.files}
    missing = [name for name in (path.name, ATTRIBUTION) if name not in entries]
    if missing or manifest.dry_run or references is None or references.id is None:
        what = f"does not list {missing[0]}" if missing else "names no weights that a model was trained from"
        raise _unrecorded(path, f"{MANIFEST} {what}")
    for name in (path.name, ATTRIBUTION):
        check_digest(entries[name], digest_file(path.parent, name))
    notice = (path.parent / ATTRIBUTION).read_text(encoding="utf-8")
    selection = gate.select(references.id, listed)
    return selection, Ancestor(voice=voice, file=path.name, sha256=entries[path.name].sha256, notice=notice)


def _check_name(path: Path) -> None:
    if path.suffix == ".checkpoint":
        raise UsageError(
            f"{path.name} is the checkpoint of an interrupted run, not a model.",
            hint="Go on from it with --resume instead of --init-from, and the options of that run.",
        )
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", reason="missing_input_file", hint="Check the path.")


def _unrecorded(path: Path, why: str) -> GateError:
    return GateError(
        f"Nothing says what {path.name} was made from, so its licence is not known: {why.rstrip('.')}.",
        reason=f"init_from_unrecorded:{path.name}",
        hint="Name the fastpitch.nemo of a voice bundle. A model of others needs the allowlist and --base-weights.",
    )
