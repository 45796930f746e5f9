"""Hostile checkpoints: every attack on the pickle, its zip and its tensors is built here and refused."""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicemill.weights.archive import inspect_archive


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_evil_pickle(archives, rezip, checkpoint, protocol, tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=pickle.dumps(Evil(), protocol)))).startswith(
        "pickle_forbidden"
    )
    assert not (tmp_path / "pwned").exists()


def test_evil_pickle_in_front_of_a_long_trailing_member(archives, rezip, checkpoint, member, refusal):
    weights = rezip(checkpoint, pickle=pickle.dumps(Evil(), 2))
    path = archives.write(weights=weights, extra=[member("./zz.txt", b"x" * 5_000_000)])
    assert refusal(path).startswith("pickle_forbidden:posix.system")
    inner = rezip(checkpoint, pickle=pickle.dumps(Evil(), 2), extra={"archive/data/99": b"\0" * 5_000_000})
    assert refusal(archives.write(weights=inner)).startswith(("pickle_forbidden", "weights_not_a_plain_zip"))


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"ctorch.storage\n_load_from_bytes\n)R.",
        b"ctorch\nload\n)R.",
        b"ctorch._utils\n_rebuild_qtensor\n)R.",
        b"ccollections\nCounter\n)R.",
        b"ctorch._utils\nos.system\n)R.",
    ],
)
def test_other_globals(archives, rezip, checkpoint, code, refusal):
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + code))).startswith("pickle_forbidden:")


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b".",
        b"N.",
        b"(",
        b"t.",
        b"q\x00.",
        b"h\x07.",
        b"}q\xff",
        b"X\xff\xff\xff\xffabc.",
        b"\x8a\xff1.",
        b"u.",
        b"}(N1.",
        b"}(X\x01\x00\x00\x00aN",
        b"}}s.",
        b"Q.",
        b"R.",
        b"b.",
        b"c\xff\nx\n.",
        b"cx",
        b"}.trailing",
        b"(((((((((.",
        b"}X\x01\x00\x00\x00aNs.",
        b"}N}s.",
        b"}X\x01\x00\x00\x00a}X\x01\x00\x00\x00a}ss.",
        b"]q\x00h\x00a.",
        b"ccollections\nOrderedDict\n.",
        b"ccollections\nOrderedDict\n)R}X\x01\x00\x00\x00a}sb.",
        b"ctorch\nFloatStorage\n)R.",
        b"ccollections\nOrderedDict\n(K\x01K\x02tR.",
    ],
)
def test_senseless_pickles(archives, rezip, checkpoint, code, refusal):
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + code))).startswith("pickle_")


@pytest.mark.slow
def test_deeply_nested_pickle_is_quick(archives, rezip, checkpoint, refusal):
    start = time.process_time()
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02)" + b"\x85" * 900_000 + b".")))
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + b"}" * 900_000 + b".")))
    assert (
        refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + b"}" * 2_000_000 + b".")))
        == "pickle_invalid"
    )
    assert time.process_time() - start < 5


def tensor_pickle(shape: str, stride: str, numel: int = 12, offset: int = 0) -> bytes:
    """A state dict with one float tensor on storage 0."""
    text = lambda value: b"X" + struct.pack("<I", len(value)) + value.encode()  # noqa: E731
    numbers = lambda values: b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", int(v)) for v in values.split()) + b"t"  # noqa: E731
    storage = (
        b"("
        + text("storage")
        + b"ctorch\nFloatStorage\n"
        + text("0")
        + text("cpu")
        + b"\x8a\x08"
        + struct.pack("<q", numel)
        + b"tQ"
    )
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"\x8a\x08"
        + struct.pack("<q", offset)
        + numbers(shape)
        + numbers(stride)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )
    return b"\x80\x02}(" + text("w") + tensor + b"u."


def test_plain_tensor_by_hand_passes(archives, rezip, checkpoint):
    report = inspect_archive(archives.write(weights=rezip(checkpoint, pickle=tensor_pickle("3 4", "4 1"), storages=1)))
    assert (report.tensors, report.parameters) == (1, 12)


@pytest.mark.parametrize(
    ("shape", "stride", "numel", "offset"),
    [
        ("1000000000000", "0", 12, 0),
        ("1000000 1000000", "0 0", 12, 0),
        ("13", "1", 12, 0),
        ("3 4", "4 1", 12, 1),
        ("2", "1000000000", 12, 0),
        ("3 4", "4 1", 13, 0),
        ("3 4", "4 1", 1_000_000_000_000, 0),
    ],
)
def test_tensors_beyond_their_storage(archives, rezip, checkpoint, shape, stride, numel, offset, refusal):
    weights = rezip(checkpoint, pickle=tensor_pickle(shape, stride, numel, offset))
    assert refusal(archives.write(weights=weights)) == "tensor_outside_storage"


@pytest.mark.parametrize(("shape", "stride"), [("-1", "1"), ("3 4", "1"), ("3", "-1"), ("1 " * 9, "0 " * 9)])
def test_senseless_shapes(archives, rezip, checkpoint, shape, stride, refusal):
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=tensor_pickle(shape, stride)))) == "pickle_invalid"


def test_compressed_checkpoint(archives, rezip, checkpoint, refusal):
    assert refusal(archives.write(weights=rezip(checkpoint, method=zipfile.ZIP_DEFLATED))) == "compressed_weights"


def test_zip_with_two_pickles_or_foreign_entries(archives, rezip, checkpoint, refusal):
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as source:
        top = source.namelist()[0].partition("/")[0]
    for name in (f"{top}/constants.pkl", f"{top}/code/a.py", f"{top}/data/evil.pkl"):
        assert refusal(archives.write(weights=rezip(checkpoint, extra={name: b"x"}))).startswith("unexpected_entry")
    assert (
        refusal(archives.write(weights=rezip(checkpoint, extra={"other/data.pkl": b"x"}))) == "weights_not_a_plain_zip"
    )
    assert refusal(archives.write(weights=rezip(checkpoint, extra={f"{top}/DATA.PKL": b"x"}))) == "duplicate_member"


def test_zip_with_prefix_suffix_comment_or_cut(archives, checkpoint, refusal):
    commented = io.BytesIO(checkpoint)
    with zipfile.ZipFile(commented, "a") as target:
        target.comment = b"PK\x05\x06" + b"x" * 30
    for data in (
        b"x" * 100 + checkpoint,
        checkpoint + b"x",
        commented.getvalue(),
        checkpoint[:-30],
        b"",
        b"PK\x05\x06" + bytes(18),
    ):
        assert refusal(archives.write(weights=data)).startswith(("weights_not_a_plain_zip", "pickle_invalid"))


def test_zip_whose_local_name_differs(archives, checkpoint, refusal):
    position = checkpoint.index(b"data.pkl")
    swapped = checkpoint[:position] + b"evil.pkl" + checkpoint[position + 8 :]
    assert refusal(archives.write(weights=swapped)) == "weights_not_a_plain_zip"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.lists(
        st.sampled_from([bytes([c]) for c in b"})(Nt\x85\x86\x87\x88\x89\x8aJKMXqrhjsucRQb.01\x00\n"]), max_size=60
    )
)
def test_any_pickle_ends_in_an_answer(archives, rezip, checkpoint, code, answer):
    path = archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + b"".join(code)))
    assert answer(path) in ("safe", "unsafe_archive")
