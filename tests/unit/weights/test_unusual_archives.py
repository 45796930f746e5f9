"""What other readers of zips, tars, pickles and YAML accept and a model archive never has."""

from __future__ import annotations

import io
import pickletools
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
import yaml
from tests.unit.weights.test_archive_weights import tensor_pickle
from tests.unit.weights.test_every_byte import parts, stored_zip

from voicemill.weights import archive
from voicemill.weights.archive import inspect_archive

BIG = 0xFFFFFFFF


def zip64(checkpoint: bytes, *, local: bool, central: bool, end: bool) -> bytes:
    """A zip whose sizes stand in the 64-bit fields of some of its structures, as PKWARE's note allows."""
    out, directory = bytearray(), b""
    entries = parts(checkpoint)
    for name, data in entries:
        raw, at, size = name.encode(), len(out), len(data)
        stated = (BIG, BIG) if local else (size, size)
        extra = struct.pack("<2H2Q", 1, 16, size, size) if local else b""
        fields = (0, 0, 0, 0, zlib.crc32(data))
        out += struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, *fields, *stated, len(raw), len(extra)) + raw + extra + data
        stated, place = ((BIG, BIG), BIG) if central else ((size, size), at)
        extra = struct.pack("<2H3Q", 1, 24, size, size, at) if central else b""
        fixed = (len(raw), len(extra), 0, 0, 0, 0, place)
        directory += struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 45, 45, *fields, *stated, *fixed) + raw + extra
    start, count = len(out), len(entries)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    shown = (0xFFFF, 0xFFFF, BIG, BIG) if end else (count, count, len(directory), start)
    return bytes(out + directory + record + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *shown, 0))


@pytest.mark.parametrize("where", ["local", "central", "end"])
def test_sizes_in_64_bit_fields_are_refused(archives, checkpoint, refusal, where):
    plain = zip64(checkpoint, local=False, central=False, end=False)
    assert inspect_archive(archives.write(weights=plain)).tensors == 7
    data = zip64(checkpoint, **{name: name == where for name in ("local", "central", "end")})
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert other.testzip() is None, "Python's reader accepts it"
    assert refusal(archives.write(weights=data)) == "weights_not_a_plain_zip"


@pytest.mark.parametrize(
    "name",
    ["a/../../data.pkl", "/data.pkl", "data.pkl", "a//data.pkl", "a\\data.pkl", "a/data.pkl/", "a/./data.pkl", "a/data.pkl\0"],
)  # fmt: skip
def test_names_of_entries_that_mean_another_place_are_refused(archives, checkpoint, refusal, name):
    entries = parts(checkpoint)
    assert refusal(archives.write(weights=stored_zip([(name, dict(entries)[entries[0][0]]), *entries[1:]]))).startswith(
        ("weights_not_a_plain_zip", "unexpected_entry", "pickle_invalid", "duplicate_member")
    )


@pytest.mark.parametrize("name", ["DATA.PKL", "Data.pkl", "data.p\u212al"])  # the last one is the sign for kelvin
def test_entries_that_differ_by_letter_case_alone_are_refused(archives, checkpoint, refusal, name):
    entries = parts(checkpoint)
    top = entries[0][0].partition("/")[0]
    assert refusal(archives.write(weights=stored_zip([*entries, (f"{top}/{name}", b"x")]))) == "duplicate_member"


PAX = [
    {"path": "model_config.yaml"}, {"linkpath": "/etc/passwd"}, {"size": "0"}, {"size": "99999999999"},
    {"GNU.sparse.map": "0,1"}, {"GNU.sparse.name": "model_config.yaml"}, {"GNU.sparse.realsize": "1"},
    {"GNU.sparse.major": "1"}, {"hdrcharset": "BINARY"}, {"charset": "x"}, {"uname": "root"}, {"gid": "0"},
    {"SCHILY.xattr.user.a": "b"}, {"LIBARCHIVE.creationtime": "1"}, {"comment": "PK\x03\x04"}, {"mtime": "1\n20 path=x"},
]  # fmt: skip


@pytest.mark.parametrize("headers", PAX)
@pytest.mark.parametrize("globally", [False, True])
def test_extended_headers_hold_times_alone(archives, member, refusal, headers, globally):
    info, data = member("./fine.txt", b"x")
    path = archives.write(extra=[(info, data)])
    with tarfile.open(path) as tar:
        held = [(each, tar.extractfile(each).read() if each.isfile() else b"") for each in tar.getmembers()]
    for each, _ in held:
        each.pax_headers = {}
    if not globally:
        held[-1][0].pax_headers = headers
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT, pax_headers=headers if globally else {}) as tar:
        for each, content in held:
            tar.addfile(each, io.BytesIO(content))
    assert refusal(path) in ("not_a_plain_tar", "link_or_special_member")


@pytest.mark.parametrize("kind", [bytes([code]) for code in range(256) if bytes([code]) not in (b"0", b"\0")])
def test_every_other_type_of_member_is_refused(archives, member, refusal, kind):
    path = archives.write(extra=[member("./zz.txt", b"")])
    data = bytearray(path.read_bytes())
    at = data.index(b"./zz.txt")
    data[at + 156 : at + 157] = kind
    total = sum(data[at : at + 148]) + 8 * 32 + sum(data[at + 156 : at + 512])
    data[at + 148 : at + 156] = b"%06o\0 " % total
    path.write_bytes(bytes(data))
    assert refusal(path) in ("link_or_special_member", "not_a_plain_tar", "trailing_data")


OPCODES = {
    ord(opcode.code): opcode.name
    for opcode in pickletools.opcodes
    if opcode.code not in {chr(code) for code in b"})(Nt\x85\x86\x87\x88\x89\x8aJKMXqrhjsucRQb."}
}


@pytest.mark.parametrize("code", OPCODES, ids=OPCODES.get)
@pytest.mark.parametrize("before", [b"", b"}q\x00", b"(", b"ccollections\nOrderedDict\n)"], ids=["first", "memo", "mark", "call"])
def test_an_opcode_that_torch_does_not_write_is_refused(archives, rezip, checkpoint, refusal, code, before):
    """Among them EXT1 to EXT4, STACK_GLOBAL, INST, OBJ, NEWOBJ, PERSID, FRAME, DUP, POP and textual memos."""
    pickle = b"\x80\x02" + before + bytes([code]) + b"\x01\x00\x00\x00\x00\x00\x00\x00os\nsystem\n."
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=pickle))) == f"pickle_forbidden:opcode_{code:02x}"


@pytest.mark.parametrize(
    "code",
    [
        b"}q\x00X\x01\x00\x00\x00ah\x00s.",
        b"(q\x00h\x00t.",
        b"ccollections\nOrderedDict\nq\x00)Rq\x00h\x00.",
        b"ccollections\nOrderedDict\n)Rq\x00X\x01\x00\x00\x00ah\x00s.",
        b"ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00_metadatah\x07sb.",
        b"(X\x07\x00\x00\x00storageccollections\nOrderedDict\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x0ctQ.",
        b"X\x07\x00\x00\x00storageQ.",
        b"ctorch._utils\n_rebuild_parameter\n(}\x89ccollections\nOrderedDict\n)RtR.",
        b"ctorch.nn.parameter\nParameter\n)R.",
        b"ctorch\nfloat32\n)R.",
        b"ccollections\nOrderedDict\n((K\x01K\x02tl\x85R.",
    ],
)
def test_memos_persistent_ids_and_calls_of_known_names_in_other_ways(archives, rezip, checkpoint, refusal, code):
    assert refusal(archives.write(weights=rezip(checkpoint, pickle=b"\x80\x02" + code))).startswith(
        ("pickle_invalid", "pickle_forbidden", "tensor_outside_storage")
    )


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [
        (f"0 {2**62}", "1 1", 0),
        ("0 3", f"{2**62} {2**62}", 0),
        ("1 3", f"{2**62} 1", 0),
        ("0", "1", 2**62),
        (f"0 {2**62} {2**62}", "1 1 1", 0),
    ],
)
def test_tensors_without_elements_have_sizes_that_torch_can_hold(
    archives, rezip, checkpoint, refusal, shape, stride, offset
):
    weights = rezip(checkpoint, pickle=tensor_pickle(shape, stride, 12, offset), storages=1)
    assert refusal(archives.write(weights=weights)) == "pickle_invalid"


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [(f"0 {2**32}", "1 1", 0), (f"0 {2**32} {2**32}", f"{2**32} {2**32} 1", 2**32), ("1 3", f"{2**32} 1", 0)],
)
def test_what_is_accepted_can_be_loaded(archives, rezip, checkpoint, tmp_path: Path, shape, stride, offset):
    weights = rezip(checkpoint, pickle=tensor_pickle(shape, stride, 12, offset), storages=1)
    path = archives.write(weights=weights)
    assert inspect_archive(path).tensors == 1
    assert list(archive.load_weights(path)["w"].shape) == [int(size) for size in shape.split()]


TAGGED = [
    "a: !!binary aGk=\n", "a: !!int '3'\n", "a: !!timestamp 2001-01-01\n", "a: !!set {x}\n", "a: !!omap [x: 1]\n",
    "a: !!python/name:os.system ''\n", "a: !!python/object/new:os.system [id]\n", "a: !<tag:yaml.org,2002:str> x\n",
    "%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system x\n", "%TAG !e! tag:evil,2000:\n---\na: !e!x 1\n",
    "!!map {a: 1}\n", "a: ! x\n",
]  # fmt: skip


@pytest.mark.parametrize("config", TAGGED)
def test_every_tag_is_refused(archives, refusal, config):
    assert refusal(archives.write(config=config)) == "config_tag"


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, True, "many", "", 1.5, "0x7f", "2001-01-01", "1e1"])
@pytest.mark.parametrize("name", ["n_layer", "d_model", "kernel_size"])
def test_a_size_is_a_whole_number(archives, refusal, value, name):
    config = {
        "target": "nemo.collections.tts.models.fastpitch.FastPitchModel",
        "input_fft": {"_target_": "nemo.collections.tts.modules.transformer.FFTransformerEncoder", name: value},
    }
    assert refusal(archives.write(config=yaml.safe_dump(config))) == f"config_type:FFTransformerEncoder.{name}"
    for whole in (3, -1, None):
        config["input_fft"][name] = whole
        assert inspect_archive(archives.write(config=yaml.safe_dump(config))).tensors == 7


@pytest.mark.parametrize("value", [3, "ab", {"0": 8}, True])
@pytest.mark.parametrize("name", ["upsample_rates", "resblock_dilation_sizes"])
def test_a_list_is_a_list(archives, refusal, value, name):
    config = {
        "target": "nemo.collections.tts.models.hifigan.HifiGanModel",
        "generator": {"_target_": "nemo.collections.tts.modules.hifigan_modules.Generator", name: value},
    }
    assert refusal(archives.write(config=yaml.safe_dump(config))) == f"config_type:Generator.{name}"
