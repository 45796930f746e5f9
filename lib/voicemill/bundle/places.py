"""Where bundles lie: paths as their files state them, and folders that may be replaced. Standard library only."""

from __future__ import annotations

from pathlib import Path

from voicemill.bundle.contents import walk
from voicemill.bundle.manifest import MANIFEST
from voicemill.errors import BundleError


def portable(path: Path, base: Path) -> str:
    """A path as files may state it: relative POSIX, below `base` or else its last two names; never a machine's path."""
    absolute, root = path.absolute(), base.absolute()
    try:
        return absolute.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix() if not path.is_absolute() and ".." not in path.parts else "/".join(absolute.parts[-2:])


def check_replaceable(target: Path) -> None:
    """Refuse to replace a folder that holds something other than a bundle.

    Raises:
        BundleError: `output_not_a_bundle:<path>`.
    """
    if not target.exists() and not target.is_symlink():
        return
    if target.is_symlink() or not target.is_dir():
        problem = "is not a folder"
    else:
        listing = walk(target)
        if {MANIFEST, f"{MANIFEST}.stale"} & {*listing.regular} or not (listing.regular or listing.irregular):
            return
        problem = "holds files and no manifest.json"
    raise BundleError(
        f"{target} {problem}, so it is not replaced by a bundle.",
        reason=f"output_not_a_bundle:{target.as_posix()}",
        hint="Choose another folder, or empty this one yourself.",
    )
