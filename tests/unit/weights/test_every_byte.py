"""Every byte of an archive is accounted for, so all readers see the same archive; the inspected bytes are loaded."""

from __future__ import annotations

import copy
import io
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicemill.errors import GateError
from voicemill.settings import REPOSITORY
from voicemill.weights import archive, demucs_package
from voicemill.weights.archive import inspect_archive

pytestmark = pytest.mark.slow

BASE = REPOSITORY / "data/base/base-en-small-hifigan.nemo"


def parts(checkpoint: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as source:
        return [(name, source.read(name)) for name in source.namelist()]


def stored_zip(
    entries: Sequence[tuple[str, bytes]],
    *,
    prefix: bytes = b"",
    between: bytes = b"",
    before_directory: bytes = b"",
    after_directory: bytes = b"",
    shifted: bool = True,
    extra: bytes = b"",
    comment: bytes = b"",
) -> bytes:
    """A stored zip with bytes in places that belong to nothing; `shifted`: the offsets count the prefix."""
    out = bytearray(prefix)
    base = 0 if shifted else len(prefix)
    directory = b""
    for name, data in entries:
        raw, at = name.encode(), len(out) - base
        fields = (0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(raw))
        out += struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, *fields, len(extra)) + raw + extra + data + between
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, *fields, 0, 0, 0, 0, 0, at) + raw
    out += before_directory
    start = len(out) - base
    count = len(entries)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, len(comment))
    return bytes(out + directory + after_directory + end + comment)


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def legacy(value: object) -> bytes:
    """A file of `torch.save` before it wrote zips: `torch.load` reads it from its first byte."""
    out = io.BytesIO()
    torch.save(value, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def test_a_zip_without_gaps_is_read(archives, checkpoint):
    assert inspect_archive(archives.write(weights=stored_zip(parts(checkpoint)))).tensors == 7
    padding = b"FB" + (6).to_bytes(2, "little") + b"Z" * 6
    assert inspect_archive(archives.write(weights=stored_zip(parts(checkpoint), extra=padding))).tensors == 7


@pytest.mark.parametrize("prefix", [pickle.dumps(Evil(), 2), legacy({"w": torch.ones(2)}), b"x", b"PK\x03\x04"])
@pytest.mark.parametrize("shifted", [True, False])
def test_nothing_may_precede_the_first_entry(archives, checkpoint, refusal, prefix, shifted):
    weights = stored_zip(parts(checkpoint), prefix=prefix, shifted=shifted)
    assert refusal(archives.write(weights=weights)) == "weights_not_a_plain_zip"


@pytest.mark.parametrize(
    "gap",
    [
        {"between": b"x"},
        {"before_directory": pickle.dumps(Evil(), 2)},
        {"after_directory": b"x" * 30},
        {"after_directory": bytes(76)},
        {"comment": b"x"},
        {"extra": b"ZZ"},
        {"extra": b"FB\x04\x00evil"},
        {"extra": b"\x01\x00\x04\x00ZZZZ"},
    ],
)
def test_no_byte_may_lie_between_the_parts(archives, checkpoint, refusal, gap):
    assert refusal(archives.write(weights=stored_zip(parts(checkpoint), **gap))) == "weights_not_a_plain_zip"


@pytest.mark.parametrize(("offset", "value"), [(4, 1), (6, 1), (8, 1), (20, 1)])
def test_the_end_record_states_one_disk_and_no_comment(archives, checkpoint, refusal, offset, value):
    """The numbers of two disks, the entries of this disk, the length of a comment: each alone, with the bytes as before."""
    weights = bytearray(stored_zip(parts(checkpoint)))
    weights[-22 + offset] ^= value
    assert refusal(archives.write(weights=bytes(weights))) == "weights_not_a_plain_zip"


def test_a_second_directory_is_refused(archives, checkpoint, refusal):
    other = stored_zip([("archive/data.pkl", pickle.dumps(Evil(), 2))])
    for weights in (
        other + checkpoint,
        checkpoint + other,
        stored_zip(parts(checkpoint), before_directory=other[-22:]),
    ):
        assert refusal(archives.write(weights=weights)) == "weights_not_a_plain_zip"


def test_the_64_bit_end_record_must_repeat_the_plain_one(archives, checkpoint, refusal):
    at = checkpoint.index(b"PK\x06\x06")
    for offset in (4, 16, 24, 32, 40, 48, 56, 60, 64, 72):
        changed = bytearray(checkpoint)
        changed[at + offset] ^= 1
        assert refusal(archives.write(weights=bytes(changed))) == "weights_not_a_plain_zip"


def test_headers_that_disagree_are_refused(archives, checkpoint, refusal):
    plain = stored_zip(parts(checkpoint))
    for data, mark, offsets in ((plain, b"PK\x03\x04", (6, 8, 14, 18, 22)), (checkpoint, b"PK\x07\x08", (4, 8, 12))):
        for offset in offsets:
            changed = bytearray(data)
            changed[data.index(mark) + offset] ^= 1
            assert refusal(archives.write(weights=bytes(changed))) == "weights_not_a_plain_zip"


def test_data_that_belong_to_no_tensor_are_refused(archives, rezip, checkpoint, refusal):
    top = parts(checkpoint)[0][0].partition("/")[0]
    weights = rezip(checkpoint, extra={f"{top}/data/99": b"PK\x05\x06" + bytes(18)})
    assert refusal(archives.write(weights=weights)) == "unexpected_entry:data/99"


@pytest.mark.parametrize(("name", "content"), [("byteorder", b"big"), ("version", b"evil"), (".format_version", b"")])
def test_the_small_entries_have_their_content(archives, checkpoint, refusal, name, content):
    changed = [(each, content if each.endswith(f"/{name}") else data) for each, data in parts(checkpoint)]
    assert refusal(archives.write(weights=stored_zip(changed))) == "weights_not_a_plain_zip"


def test_no_byte_of_a_tar_is_unaccounted_for(archives, refusal):
    path = archives.write()
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        member = tar.getmember("./model_config.yaml")
    start = member.offset_data - 512
    for at in (member.offset_data + member.size, start + 160, start + 505):
        changed = bytearray(data)
        changed[at] = 65
        total = sum(changed[start : start + 148]) + 8 * 32 + sum(changed[start + 156 : start + 512])
        changed[start + 148 : start + 156] = b"%06o\0 " % total
        path.write_bytes(bytes(changed))
        assert refusal(path) == "not_a_plain_tar"


def test_a_tar_that_is_also_a_zip_or_follows_one_is_refused(archives, checkpoint, refusal):
    data = archives.write().read_bytes()
    path = archives.folder / "other.nemo"
    for whole in (checkpoint + data, data + checkpoint, pickle.dumps(Evil(), 2) + data):
        path.write_bytes(whole)
        assert refusal(path) in ("not_a_plain_tar", "trailing_data")


def test_a_demucs_package_that_begins_with_a_pickle_runs_nothing(
    tmp_path: Path, separator_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voicemill import files

    monkeypatch.chdir(tmp_path)
    whole = stored_zip(parts(separator_package.read_bytes()), prefix=legacy(Evil()))
    (tmp_path / "evil.th").write_bytes(whole)
    with pytest.raises(GateError) as caught:
        demucs_package.load_package(tmp_path / "evil.th", "a/b", files.sha256_file(tmp_path / "evil.th"))
    assert caught.value.reason == "unsafe_archive:weights_not_a_plain_zip"
    assert not (tmp_path / "pwned").exists()


def stock(path: Path) -> dict[str, torch.Tensor]:
    """The weights as tarfile and torch read them."""
    with tarfile.open(path) as tar:
        member = next(each for each in tar if each.name.endswith("model_weights.ckpt"))
        data = tar.extractfile(member).read()
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def equal(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return list(ours) == list(theirs) and all(
        ours[name].dtype == theirs[name].dtype
        and ours[name].shape == theirs[name].shape
        and ours[name]
        .contiguous()
        .view(-1)
        .view(torch.uint8)
        .equal(theirs[name].contiguous().view(-1).view(torch.uint8))
        for name in ours
    )


def test_the_loaded_weights_are_those_that_torch_would_load() -> None:
    with archive.private_copy(BASE) as copy:
        assert equal(archive.load_weights(copy), stock(BASE))


@pytest.mark.parametrize("dtype", [torch.float64, torch.half, torch.bfloat16, torch.int64, torch.int8, torch.bool])
def test_every_dtype_stride_and_shared_storage_is_loaded(archives, dtype):
    whole = torch.arange(12).reshape(3, 4).to(dtype)
    out = io.BytesIO()
    torch.save({"a": whole, "b": whole.t(), "c": whole[1:, 2:], "empty": whole[:0], "scalar": whole[0, 1]}, out)
    path = archives.write(weights=out.getvalue())
    inspect_archive(path)
    loaded = archive.load_weights(path)
    assert equal(loaded, stock(path))
    assert loaded["a"].untyped_storage().data_ptr() == loaded["b"].untyped_storage().data_ptr()


def test_the_extracted_members_are_those_of_the_tar(archives, tmp_path):
    path = archives.write()
    (tmp_path / "out").mkdir()
    archive.extract(path, tmp_path / "out")
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile():
                assert (tmp_path / "out" / member.name).read_bytes() == tar.extractfile(member).read()


def structures(data: bytes) -> list[int]:
    """Positions near every structure of the tar and the zip in it."""
    marks = [b"ustar", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"]
    found: list[int] = []
    for mark in marks:
        at = data.find(mark)
        while at >= 0:
            found += range(max(0, at - (260 if mark == b"ustar" else 4)), min(len(data), at + 260))
            at = data.find(mark, at + 1)
    return sorted(set(found))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_archive_is_refused_or_loaded_as_others_would(
    archives, data: st.DataObject, answer: Callable[[Path], str]
) -> None:
    path = archives.write()
    raw = bytearray(path.read_bytes())
    near = structures(bytes(raw))
    for _ in range(data.draw(st.integers(1, 2))):
        raw[data.draw(st.sampled_from(near))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw))
    if answer(path) == "safe":
        assert equal(archive.load_weights(path), stock(path))


PIECES = [
    b"",
    b"x",
    bytes(512),
    b"FB\x02\0ZZ",
    b"PK\x03\x04",
    b"PK\x05\x06" + bytes(18),
    pickle.dumps(Evil(), 2),
    legacy({"w": torch.ones(2)}),
    stored_zip([("archive/data.pkl", pickle.dumps(Evil(), 2))]),
]
JUNK = st.sampled_from(PIECES)
GAP = st.sampled_from([b""] * 60 + PIECES)
"""Mostly nothing, so that one fault at a time is tried as well as several."""


@st.composite
def zips(draw: st.DrawFn, honest: bytes) -> bytes:
    """A zip made of an honest one: junk in its gaps, entries left out, doubled, in another order or of another name."""
    entries = parts(honest)
    for _ in range(draw(st.integers(0, 2))):
        at, other = (draw(st.integers(0, len(entries) - 1)) for _ in range(2))
        name, content = entries[at]
        how = draw(st.sampled_from(["double", "drop", "swap", "rename", "replace"]))
        if how == "double":
            entries.insert(other, (name, draw(JUNK) or content))
        elif how == "drop" and len(entries) > 1:
            entries.pop(at)
        elif how == "swap":
            entries[at], entries[other] = entries[other], entries[at]
        elif how == "rename":
            entries[at] = (
                draw(st.sampled_from([name.upper(), f"{name}/", f"other/{name}", entries[other][0]])),
                content,
            )
        elif how == "replace":
            entries[at] = (name, draw(JUNK))
    gaps = {
        name: draw(JUNK) for name in ("prefix", "between", "before_directory", "after_directory", "extra", "comment")
    }
    return draw(GAP) + stored_zip(entries, shifted=draw(st.booleans()), **gaps) + draw(GAP)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_composed_zip_is_refused_or_loaded_as_others_would(
    archives, checkpoint, data: st.DataObject, answer: Callable[[Path], str]
) -> None:
    path = archives.write(weights=data.draw(zips(checkpoint)))
    if answer(path) == "safe":
        assert equal(archive.load_weights(path), stock(path))


@st.composite
def tars(draw: st.DrawFn, honest: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar made of honest members: some doubled, of other kinds, names, formats or headers, and junk around them."""
    found = [(copy.copy(info), data) for info, data in honest]
    for _ in range(draw(st.integers(0, 2))):
        at, other = (draw(st.integers(0, len(found) - 1)) for _ in range(2))
        info, content = copy.copy(found[at][0]), draw(st.one_of(st.just(found[at][1]), JUNK))
        info.size = len(content)
        info.type = draw(
            st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, b"S", b"7"])
        )
        info.linkname = draw(st.sampled_from(["", "model_config.yaml", "../x"]))
        info.pax_headers = draw(st.sampled_from([{}, {"path": "model_config.yaml"}, {"size": "1"}, {"mtime": "1.5"}]))
        info.name = draw(st.sampled_from([info.name, info.name.upper(), f"a/{info.name}", found[other][0].name]))
        if draw(st.booleans()):
            found.insert(other, (info, content))
        else:
            found[at] = (info, content)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=draw(st.sampled_from([0, 1, 2]))) as tar:
        for info, content in found:
            tar.addfile(info, io.BytesIO(content))
    return draw(GAP) + out.getvalue() + draw(GAP)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_composed_tar_is_refused_or_loaded_as_others_would(
    archives, data: st.DataObject, answer: Callable[[Path], str]
) -> None:
    path = archives.write()
    with tarfile.open(path) as tar:
        honest = [(info, tar.extractfile(info).read() if info.isfile() else b"") for info in tar]
    path.write_bytes(data.draw(tars(honest)))
    if answer(path) == "safe":
        assert equal(archive.load_weights(path), stock(path))
        folder = path.parent / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        archive.extract(path, folder)
        with tarfile.open(path) as tar:
            theirs = {Path(info.name).name: tar.extractfile(info).read() for info in tar if info.isfile()}
        assert {each.name: each.read_bytes() for each in folder.iterdir()} == theirs
