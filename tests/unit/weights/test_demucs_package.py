from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from demucs.htdemucs import HTDemucs

from voicemill import files
from voicemill.errors import GateError
from voicemill.weights import demucs_package
from voicemill.weights.demucs_package import MAX_DEPTH, inspect_package, load_package

pytestmark = pytest.mark.slow

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a package as `torch.save` does, with some of its parts replaced or left out (None)."""

    def write(**changes: Any) -> Path:
        package = {
            "klass": HTDemucs,
            "args": (),
            "kwargs": {"sources": ["music", "vocals"], "segment": Fraction(39, 5), "nfft": 4096},
            "state": {"weight": torch.zeros(3, 4, dtype=torch.half)},
            "training_args": {"lr": 3e-4, "big": 10**12, "on": True, "off": None, "list": [1, [2.5, "a"]]},
        } | changes
        path = tmp_path / "package.th"
        torch.save({name: value for name, value in package.items() if value is not None}, path)
        return path

    return write


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("true",)


def refused(path: Path) -> str:
    with pytest.raises(GateError) as caught:
        inspect_package(path)
    assert caught.value.exit_code == 2
    return caught.value.reason


def test_an_honest_package_is_described(save: Save) -> None:
    report = inspect_package(save())
    assert (report.sources, report.tensors, report.parameters) == (("music", "vocals"), 1, 12)


def test_what_demucs_itself_saves_is_honest(separator_package: Path) -> None:
    report = inspect_package(separator_package)
    assert report.sources == ("music", "vocals")
    assert report.parameters == sum(
        value.numel() for value in torch.load(separator_package, weights_only=False)["state"].values()
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training_args": _Evil()}, "pickle_forbidden:posix.system"),
        ({"kwargs": {"sources": ["vocals"], "segment": _Evil()}}, "pickle_forbidden:posix.system"),
        ({"state": {"weight": _Evil()}}, "pickle_forbidden:posix.system"),
        ({"klass": os.system}, "pickle_forbidden:posix.system"),
        ({"klass": torch.nn.Linear}, "pickle_forbidden:torch.nn.modules.linear.Linear"),
        ({"klass": Fraction}, "package_invalid"),
        ({"kwargs": {"sources": ["vocals"], "segment": HTDemucs}}, "package_invalid"),
        ({"kwargs": {"sources": ["vocals"], "segment": torch.zeros(2)}}, "package_invalid"),
        ({"kwargs": {"sources": ["drums", "bass"]}}, "package_invalid"),
        ({"kwargs": ["sources"]}, "package_invalid"),
        ({"training_args": None}, "package_invalid"),
        ({"more": 1}, "package_invalid"),
        ({"state": {"weight": 1.0}}, "pickle_invalid"),
        ({"state": [torch.zeros(2)]}, "pickle_invalid"),
        ({"training_args": {1, 2}}, "pickle_forbidden:__builtin__.set"),
        ({"training_args": [0] * (demucs_package.MAX_VALUES + 1)}, "package_invalid"),
    ],
)
def test_what_a_package_does_not_need_is_refused(save: Save, changes: dict[str, Any], reason: str) -> None:
    assert refused(save(**changes)).startswith(f"unsafe_archive:{reason}")


def test_values_that_hold_themselves_are_refused(save: Save) -> None:
    endless: list[object] = []
    endless.append(endless)
    assert refused(save(training_args=endless)) == "unsafe_archive:package_invalid"
    many: list[object] = []
    for _ in range(18):  # 4 ** 18 values in a few bytes
        many = [many] * 4
    assert refused(save(training_args=many)) == "unsafe_archive:package_invalid"


def test_a_fraction_is_no_way_in(save: Save, rezip: Callable[..., bytes]) -> None:
    path = save()
    with zipfile.ZipFile(path) as archive:
        pickle = archive.read("package/data.pkl")
    ratio = b"K\x27K\x05\x86"
    assert pickle.count(ratio) == 1
    for evil in (b"K\x27K\x00\x86", b"X\x09\x00\x00\x001e9999999\x85", b")"):
        path.write_bytes(rezip(path.read_bytes(), pickle=pickle.replace(ratio, evil)))
        assert refused(path) == "unsafe_archive:pickle_invalid"
    path.write_bytes(rezip(path.read_bytes(), pickle=pickle.replace(ratio, b"X\x04\x00\x00\x0039/5\x85")))
    assert inspect_package(path).sources == ("music", "vocals")


def test_only_a_plain_stored_zip_is_read(save: Save, rezip: Callable[..., bytes]) -> None:
    path = save()
    honest = path.read_bytes()
    path.write_bytes(rezip(honest, method=zipfile.ZIP_DEFLATED))
    assert refused(path) == "unsafe_archive:compressed_weights"
    path.write_bytes(rezip(honest, extra={"package/code.py": b"import os"}))
    assert refused(path) == "unsafe_archive:unexpected_entry:code.py"
    path.write_bytes(honest[: len(honest) // 2])
    assert refused(path) == "unsafe_archive:weights_not_a_plain_zip"
    out = io.BytesIO()
    torch.save({"klass": HTDemucs}, out, _use_new_zipfile_serialization=False)
    path.write_bytes(out.getvalue())
    assert refused(path) == "unsafe_archive:weights_not_a_plain_zip"


def test_the_loaded_bytes_are_compared_in_full_before_anything_reads_them(save: Save, tmp_path: Path) -> None:
    path = save()
    digest = files.sha256_file(path)
    package = load_package(path, "a/b", digest)
    assert package["klass"] is HTDemucs
    assert package["kwargs"]["segment"] == Fraction(39, 5)
    assert torch.equal(package["state"]["weight"], torch.zeros(3, 4, dtype=torch.half))
    near = digest[:8] + "0" * 56  # the digits that Demucs itself would compare
    evil = save(training_args=_Evil())
    for file, sha256, reason in (
        (path.with_name("none.th"), digest, "weights_unavailable:a/b"),
        (evil, near, "weights_checksum_mismatch:a/b"),
        (evil, files.sha256_file(evil), "unsafe_archive:pickle_forbidden:posix.system"),
    ):
        with pytest.raises(GateError) as caught:
            load_package(file, "a/b", sha256)
        assert caught.value.reason == reason


def test_sizes_that_would_fill_the_memory_are_refused(save: Save) -> None:
    assert refused(save(kwargs={"sources": ["vocals"], "channels": 10**9})) == "unsafe_archive:package_invalid"


@pytest.mark.parametrize(("depth", "fits"), [(MAX_DEPTH - 2, True), (MAX_DEPTH + 2, False)])
@pytest.mark.parametrize("wrap", [lambda inner: {"in": inner}, lambda inner: [inner]])
def test_arguments_have_a_depth(save: Save, depth: int, fits: bool, wrap: Callable[[object], object]) -> None:
    deep: object = 1
    for _ in range(depth):
        deep = wrap(deep)
    path = save(kwargs={"sources": ["music", "vocals"], "deep": deep})
    if fits:
        assert inspect_package(path).sources == ("music", "vocals")
    else:
        assert refused(path) == "unsafe_archive:package_invalid"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 900_000, "depth": 6}, "build_memory"),
        ({"t_layers": 1000, "t_hidden_scale": 1000.0, "bottom_channels": 900_000}, "build_memory"),
        ({"channels": "many"}, "package_invalid"),
        ({"depth": [1]}, "package_invalid"),
        ({"nfft": 0}, "package_invalid"),
        ({"no_such_argument": 1}, "package_invalid"),
        ({"channels": 4, "depth": 1}, "package_invalid"),  # the tensors do not fit
    ],
)
def test_arguments_that_build_no_model_are_refused(save: Save, changes: dict[str, Any], reason: str) -> None:
    path = save(kwargs={"sources": ["music", "vocals"], **changes})
    assert inspect_package(path).sources == ("music", "vocals")
    with pytest.raises(GateError) as caught:
        demucs_package.build_model(path, "a/b", files.sha256_file(path))
    assert caught.value.reason == f"unsafe_archive:{reason}"


def test_demucs_builds_the_inspected_package(separator_package: Path) -> None:
    from demucs.states import load_model

    package = load_package(separator_package, "a/b", files.sha256_file(separator_package))
    ours, theirs = load_model(package).state_dict(), load_model(separator_package).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
