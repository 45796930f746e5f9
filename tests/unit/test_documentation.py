"""The pages agree with the tree: links resolve, paths and modules exist, lines are wrapped alike."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "apps/*/README.md", "data/*/README.md")
    for page in ROOT.glob(pattern)
)
HISTORY = {"CHANGELOG.md"}
"""Pages about the past, which may name what no longer exists."""
FOLDERS = ("apps", "configs", "data", "docker", "docs", "lib", "locks", "scripts", "tests", ".ci")
PACKAGES = ("lib/voicemill", "lib/voicemill_musicgen", "lib/voicemill_rental", "lib")


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(line.lstrip("#")) for line in prose(page.read_text(encoding="utf-8")).splitlines() if line[:1] == "#"}


@pytest.mark.parametrize("name", PAGES)
def test_links_resolve(name: str) -> None:
    page = ROOT / name
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


def exists(path: str, page: Path) -> bool:
    """Whether a path that a page names is there: from the root, beside the page, or inside a package."""
    places = (ROOT, page.parent, *(ROOT / package for package in PACKAGES))
    pattern = re.sub(r"<[^>]*>|NN", "*", path.rstrip("/"))
    return any(place.joinpath(pattern).exists() or any(place.glob(f"{pattern}*")) for place in places)


def defined(dotted: str) -> bool:
    """Whether `voicemill.x.y.Name` is a module, or a name in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        base = ROOT / "lib" / Path(*parts[:length])
        source = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if source.is_file():
            name = parts[length] if length < len(parts) else ""
            return not name or re.search(rf"^ *(?:def |class )?{name}\b", source.read_text("utf-8"), re.M) is not None
    return False


@pytest.mark.parametrize("name", [page for page in PAGES if page not in HISTORY])
def test_paths_and_modules_exist(name: str) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    spans = set(re.findall(r"`([^`\n]+)`", prose(text)))
    paths = {span for span in spans if re.fullmatch(r"[\w./<>*-]+\.(?:py|sh|mjs|ya?ml|md|j2)", span) and span[0] != "*"}
    paths |= {span for span in spans if re.fullmatch(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./<>*-]*", span)}
    paths |= set(re.findall(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS[1:-1])})/[\w/-]+(?:\.\w+)*", prose(text)))
    written = {"sky.yaml", "managed_job.sky.yaml", "artifacts/managed_job.sky.yaml", "data/people"}
    missing = sorted(path for path in paths - written if not exists(path, page))
    assert missing == []
    modules = {span for span in spans if re.fullmatch(r"voicemill\w*(?:\.\w+)+", span)} - {"voicemill.source"}
    modules -= {span for span in modules if span.startswith("voicemill.locks")}
    assert sorted(module for module in modules if not defined(module)) == []


@pytest.mark.parametrize("folder", ["lib", "apps", "scripts", "docker", "configs"])
def test_pages_that_the_code_cites_exist(folder: str) -> None:
    missing = set()
    for path in (ROOT / folder).rglob("*"):
        if path.suffix not in (".py", ".sh", ".yaml") or not path.is_file():
            continue
        for cited in re.findall(r"docs/[\w/-]+(?:\.\w+)?", path.read_text(encoding="utf-8")):
            if not (ROOT / cited).exists() and not any(ROOT.glob(f"{cited}-*.md")):
                missing.add(f"{path.relative_to(ROOT)}: {cited}")
    assert sorted(missing) == []


def test_a_decision_has_its_date() -> None:
    heads = {page.name: page.read_text(encoding="utf-8")[:300] for page in (ROOT / "docs/adr").glob("0*.md")}
    assert [name for name, head in heads.items() if not re.search(r"\b20\d\d-\d\d-\d\d\b", head)] == []


@pytest.mark.parametrize("name", PAGES)
def test_lines_are_wrapped(name: str) -> None:
    text = prose((ROOT / name).read_text(encoding="utf-8"))
    long = [line for line in text.splitlines() if len(line) > 125 and not line.startswith(("|", "#", "!", "    "))]
    assert [line for line in long if " " in re.sub(r"\[[^\]]*\]\([^)]*\)|`[^`]*`", "x", line).strip("-* ")[:100]] == []


@pytest.mark.parametrize(
    "package", sorted(path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("lib/*/**/__init__.py"))
)
def test_a_package_lists_its_modules(package: str) -> None:
    if package == "lib/voicemill":
        return  # docs/architecture.md lists them
    folder = ROOT / package
    described = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(modules - {"__init__", "__main__"} - set(re.findall(r"\w+", described))) == []


def test_the_packages_are_listed_in_their_one_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    names = [layer.removeprefix("voicemill.") for layer in layers]
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page.split("## Packages")[1].split("## ")[0], re.MULTILINE)
    modules = re.findall(r"`(\w+)`", page.split("Top-level modules, from high to low:")[1].split(".\n")[0])
    children = (ROOT / "lib/voicemill").iterdir()
    tree = {path.stem for path in children if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert tree - {"__init__"} == set(names), "a module is missing in the order"
    assert rows == [name for name in names if (ROOT / "lib/voicemill" / name).is_dir()]
    assert modules == [name for name in names if not (ROOT / "lib/voicemill" / name).is_dir()]


@pytest.mark.parametrize("name", [page for page in PAGES if page not in HISTORY])
def test_tests_that_a_page_names_exist(name: str) -> None:
    named = set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / name).read_text(encoding="utf-8")))
    missing = [f"{path}::{test}" for path, test in sorted(named) if f"def {test}(" not in (ROOT / path).read_text("utf-8")]
    assert missing == []
