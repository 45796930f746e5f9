"""Results of single recordings and clips below `cache/stages`, under keys of code, inputs and settings.

The code in a key is the source of the module that computes the result and of every module of this library that it
imports, directly or not (`import_closure`), so that no list of modules has to be kept by hand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from voicemill import files

LIBRARY = Path(__file__).resolve().parents[2]
"""The folder that holds the package."""
_ROOT = "voicemill"
_IMPORT = re.compile(r"^[ \t]*(?:from +([\w.]+) +import +(\([^)]*\)|[^\n]+)|import +([^\n]+))", re.MULTILINE)
_FOR_TYPE_CHECKERS = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|\n)+", re.MULTILINE)
_COMMENT = re.compile(r"#[^\n]*")
_Model = TypeVar("_Model", bound=BaseModel)


@functools.cache
def code_digest(module: str, library: Path = LIBRARY) -> str:
    """Digest of the source of a module and of its import closure.

    Args:
        module: full name, usually `__name__` of the caller.
        library: folder that holds the package.
    """
    sources = import_closure(module, library)
    return files.content_key([(name, files.sha256_file(path)) for name, path in sources.items()])


def import_closure(module: str, library: Path = LIBRARY) -> dict[str, Path]:
    """A module and all modules of this library that it imports, directly or not, sorted, with their files.

    Imports inside functions count; imports for type checkers alone do not.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in found else _source(name, library)
        if path is None:
            continue
        found[name] = path
        waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
        waiting += _imports(path, name, library)
    return dict(sorted(found.items()))


def _source(name: str, library: Path) -> Path | None:
    place = library.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _imports(path: Path, name: str, library: Path) -> tuple[str, ...]:
    """Modules of this library that a file imports. A pattern finds them, ten times as fast as a parser."""
    found = set()
    for base, names, modules in _IMPORT.findall(_FOR_TYPE_CHECKERS.sub("", path.read_text(encoding="utf-8"))):
        if base.startswith("."):
            raise ValueError(f"{name} has a relative import, which the cache keys do not follow")
        listed = [one.split()[0] for one in _COMMENT.sub("", names or modules).strip("()\n ").split(",") if one.strip()]
        found |= {base, *(f"{base}.{one}" for one in listed)} if base else set(listed)
    return tuple(sorted(one for one in found if one.partition(".")[0] == _ROOT and _source(one, library)))


@functools.cache
def package_digest(*packages: ModuleType) -> str:
    """Digest of the sources of packages: two machines with the same one run the same code."""
    folders = [Path(place) for package in packages for place in package.__path__]
    return files.content_key(*(files.sha256_file(path) for folder in folders for path in sorted(folder.rglob("*.py"))))


def entry(root: Path, kind: str, key: str, suffix: str) -> Path:
    """Path of an entry; two levels of folders, so that no folder grows without bound."""
    return root / kind / key[:2] / f"{key}{suffix}"


def model_entry(root: Path, kind: str, module: str, *inputs: object) -> Path:
    """Path of a JSON entry.

    Args:
        root: the stage cache.
        kind: folder of the entries of one stage.
        module: computes the result; its code is part of the key.
        inputs: everything else that decides the result.
    """
    return entry(root, kind, files.content_key(code_digest(module), *inputs), ".json")


def cached_model(stored: Path, model: type[_Model], compute: Callable[[], _Model]) -> tuple[_Model, bool]:
    """The result in a JSON entry, computed and stored if there is none that can be read; and whether it was stored.

    Raises:
        StorageError: the cache cannot be written.
    """
    known = read_model(stored, model)
    if known is not None:
        return known, True
    made = compute()
    files.write_text(stored, made.model_dump_json())
    return made, False


def cached_file(stored: Path, compute: Callable[[Path], None]) -> bool:
    """Let `compute` write a missing entry, atomically; whether it was stored already.

    Raises:
        StorageError: the cache cannot be written.
    """
    if stored.is_file():
        return True
    with files.atomic_path(stored, suffix=stored.suffix) as temporary:
        compute(temporary)
    return False


def read_model(path: Path, model: type[_Model]) -> _Model | None:
    """A JSON entry, or None where there is none that this version can read."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
