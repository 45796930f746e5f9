from __future__ import annotations

import ast
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from voicemill import files
from voicemill.dataset import stage_cache
from voicemill.dataset.stage_cache import LIBRARY, code_digest, import_closure

PITCH = "voicemill.dataset.stages.pitch"
ALIGNMENT = "voicemill.dataset.stages.alignment"


class Result(BaseModel):
    number: int


def test_a_file_is_computed_once(tmp_path: Path) -> None:
    path = stage_cache.entry(tmp_path, "pitch", "abcd", ".bin")
    made: list[Path] = []

    def make(target: Path) -> None:
        made.append(target)
        target.write_bytes(b"x")

    assert [stage_cache.cached_file(path, make) for _ in range(2)] == [False, True]
    assert len(made) == 1
    assert path.read_bytes() == b"x"


def test_the_place_of_an_entry(tmp_path: Path) -> None:
    assert stage_cache.entry(tmp_path, "pitch", "abcd", ".bin") == tmp_path / "pitch" / "ab" / "abcd.bin"
    digest = files.content_key(code_digest(PITCH), 1, "two")
    found = stage_cache.model_entry(tmp_path, "kind", PITCH, 1, "two")
    assert found == tmp_path / "kind" / digest[:2] / f"{digest}.json"


def test_packages_and_their_parents_are_found(tmp_path: Path) -> None:
    """A package's code is its `__init__`, and a module runs that of every package that it lies in."""
    package = tmp_path / "voicemill/inner"
    package.mkdir(parents=True)
    (tmp_path / "voicemill/__init__.py").touch()
    (package / "__init__.py").write_text(
        "from voicemill import (\n    other,  # a comment, with a comma\n    third\n)\n"
    )
    (package / "deep.py").write_text("import os, voicemill.third\nimport voicemillx.no\nfrom voicemill.none import x\n")
    (tmp_path / "voicemill/other.py").write_text("x = 1\n")
    (tmp_path / "voicemill/third.py").write_text("from voicemill.inner.deep import y\n")
    found = import_closure("voicemill.inner.deep", tmp_path)
    assert found == {
        "voicemill": tmp_path / "voicemill/__init__.py",
        "voicemill.inner": package / "__init__.py",
        "voicemill.inner.deep": package / "deep.py",
        "voicemill.other": tmp_path / "voicemill/other.py",
        "voicemill.third": tmp_path / "voicemill/third.py",
    }
    assert list(found) == sorted(found)
    assert import_closure("voicemill.none", tmp_path) == {}


def test_the_digest_of_packages_is_of_their_sources(tmp_path: Path) -> None:
    def package(name: str, text: str) -> ModuleType:
        folder = tmp_path / name / "inner"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.py").write_text(text)
        (folder / "data.txt").write_text(name)
        made = ModuleType(name)
        made.__path__ = [str(tmp_path / name)]
        return made

    one, two, three = package("one", "x = 1"), package("two", "x = 1"), package("three", "x = 2")
    assert stage_cache.package_digest(one) == stage_cache.package_digest(two)
    assert stage_cache.package_digest(one) != stage_cache.package_digest(three)
    assert stage_cache.package_digest(one, three) != stage_cache.package_digest(one)


def test_a_failed_entry_leaves_nothing(tmp_path: Path) -> None:
    path = stage_cache.entry(tmp_path, "pitch", "abcd", ".bin")

    def fail(target: Path) -> None:
        target.write_bytes(b"half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stage_cache.cached_file(path, fail)
    assert list(path.parent.iterdir()) == []


def test_a_model_is_computed_once_and_again_when_its_entry_cannot_be_read(tmp_path: Path) -> None:
    path = stage_cache.model_entry(tmp_path, "kind", PITCH, "input")
    assert path != stage_cache.model_entry(tmp_path, "kind", ALIGNMENT, "input")
    assert stage_cache.cached_model(path, Result, lambda: Result(number=1)) == (Result(number=1), False)
    assert stage_cache.cached_model(path, Result, lambda: Result(number=2)) == (Result(number=1), True)
    path.write_text("{")
    assert stage_cache.cached_model(path, Result, lambda: Result(number=3)) == (Result(number=3), False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the library that may be changed."""
    shutil.copytree(LIBRARY / "voicemill", tmp_path / "voicemill", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("module", [PITCH, ALIGNMENT])
def test_a_change_of_any_imported_module_changes_the_key(copy: Path, module: str) -> None:
    before = code_digest(module, copy)
    assert before == code_digest(module, LIBRARY)
    closure = import_closure(module, copy)
    assert module in closure
    for path in closure.values():
        source = path.read_bytes()
        path.write_bytes(source + b"\n# changed\n")
        code_digest.cache_clear()
        assert code_digest(module, copy) != before, path
        path.write_bytes(source)
    for path in copy.rglob("*.py"):
        if path not in closure.values():
            path.write_bytes(path.read_bytes() + b"\n# changed\n")
    code_digest.cache_clear()
    assert code_digest(module, copy) == before


def test_modules_that_are_reached_through_others_count() -> None:
    """Voice activity runs an ONNX model through `audio.onnx`, a recogniser comes through `weights.nemo_runtime`."""
    assert "voicemill.audio.onnx" in import_closure("voicemill.audio.vad")
    assert "voicemill.weights.nemo_runtime" in import_closure("voicemill.align.transcription")
    assert "voicemill.training" not in import_closure("voicemill.dataset.prepare")


def test_the_pattern_finds_what_a_parser_finds() -> None:
    """In every module of the library, beside imports for type checkers."""
    for path in (LIBRARY / "voicemill").rglob("*.py"):
        name = ".".join(path.relative_to(LIBRARY).with_suffix("").parts).removesuffix(".__init__")
        assert set(stage_cache._imports(path, name, LIBRARY)) == _parsed_imports(path), path


def _parsed_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_bytes())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {one for one in found if one.partition(".")[0] == "voicemill" and stage_cache._source(one, LIBRARY)}


def test_a_relative_import_is_refused(tmp_path: Path) -> None:
    (tmp_path / "voicemill").mkdir()
    (tmp_path / "voicemill/a.py").write_text("from .b import value\n")
    with pytest.raises(ValueError, match=r"voicemill\.a has a relative import"):
        import_closure("voicemill.a", tmp_path)


def test_imports_of_functions_count_and_those_of_type_checkers_do_not(tmp_path: Path) -> None:
    package = tmp_path / "voicemill"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from voicemill import b\n"
        "def f():\n    from voicemill.c import value\n    import voicemill.d\n"
    )
    for name in "bcd":
        (package / f"{name}.py").touch()
    assert list(import_closure("voicemill.a", tmp_path)) == ["voicemill", "voicemill.a", "voicemill.c", "voicemill.d"]
