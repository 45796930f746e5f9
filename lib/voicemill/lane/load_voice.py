"""Loads a promoted voice for synthesis after its files are checked, and reads the text to synthesise."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from voicemill.errors import UsageError
from voicemill.settings import Settings

if TYPE_CHECKING:
    from voicemill.bundle.differences import BundleCheck
    from voicemill.training.speaker import Speaker

MAX_TEXT_BYTES = 4 * 1024 * 1024


def load_promoted_voice(settings: Settings, voice: str | None, bundle: Path | None) -> Speaker:
    """Restore a voice from its bundle with the vocoder that it ships with.

    Args:
        settings: has the folder of promoted bundles and the default voice.
        voice: profile id.
        bundle: folder of a bundle, instead of a promoted voice.

    Raises:
        UsageError: there is no such bundle.
        NotAcceptableError: `verification_failed`: a file differs from the manifest.
        BundleFileError: `checksum_mismatch`: a file has changed since that check.
        GateError: a model archive is not safe to load.
        TrainingError: a model cannot be restored.
    """
    from voicemill.bundle.differences import check_bundle

    root = bundle or settings.paths.promoted(voice or settings.voice.profile_id)
    return load_checked_voice(root, check_bundle(root))


def load_checked_voice(root: Path, check: BundleCheck) -> Speaker:
    """Restore the voice of a bundle that was checked; errors as in `load_promoted_voice`."""
    from voicemill.bundle.contents import copy_checked
    from voicemill.bundle.differences import check_digest
    from voicemill.training.speaker import load_speaker

    neural = check.loaded is not None and check.loaded.manifest.vocoder == "hifigan"
    if check.loaded is not None and check.loaded.manifest.dry_run:
        raise UsageError(
            f"The bundle {root} comes from a dry run and cannot speak.",
            reason="dry_run_cannot_speak",
            hint="Train the voice first.",
        )
    listed = {entry.path: entry for entry in check.loaded.manifest.files} if check.loaded else {}
    with tempfile.TemporaryDirectory(prefix="voicemill-voice-") as folder:
        copies = []
        for name in ("fastpitch.nemo", "hifigan.nemo") if neural else ("fastpitch.nemo",):
            # The copy that is hashed is the one that is loaded: the bundle could change after its check.
            if name in listed:
                check_digest(listed[name], copy_checked(root, name, Path(folder) / name))
            copies.append(Path(folder) / name)
        return load_speaker(*copies)


def read_input_text(path: Path, stdin: IO[bytes]) -> str:
    """The text of a file, or of standard input for `-`.

    Raises:
        UsageError: `text_unreadable:<path>`: it is not there, not UTF-8, or larger than 4 MiB.
    """
    try:
        if str(path) == "-":
            data = stdin.read(MAX_TEXT_BYTES + 1)
        else:
            with path.open("rb") as handle:
                data = handle.read(MAX_TEXT_BYTES + 1)
        if len(data) > MAX_TEXT_BYTES:
            raise ValueError(f"it is larger than {MAX_TEXT_BYTES} bytes")
        return data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Cannot read the text {path}: {error}.",
            reason=f"text_unreadable:{path}",
            hint="Give a text file in UTF-8, or the words with --text.",
        ) from error
