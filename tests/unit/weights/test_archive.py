"""Hostile archives and configurations are built here and refused; honest ones pass, fast."""

from __future__ import annotations

import fractions
import os
import pickle
import tarfile
import time
import tracemalloc

import omegaconf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicemill import files
from voicemill.errors import GateError, UsageError
from voicemill.training.runtime import read_fastpitch_config
from voicemill.weights.archive import inspect_archive, private_copy


def test_honest_archive_is_described(archives):
    report = inspect_archive(archives.write())
    assert report.target == "nemo.collections.tts.models.fastpitch.FastPitchModel"
    assert report.tensors == 7
    assert report.parameters == 4 * 3 + 3 + 4 * 3 + 1
    assert [name for name, _ in report.members] == ["0a1b_lexicon.cmudict", "model_config.yaml", "model_weights.ckpt"]


def test_pax_times_as_nemo_writes_them_pass(archives, member):
    info, data = member("./more.txt", b"text")
    info.mtime = 1795229917.25
    assert inspect_archive(archives.write(extra=[(info, data)])).tensors == 7


def test_inspection_is_fast(archives):
    path = archives.write()
    seconds = []
    for _ in range(5):
        start = time.process_time()
        inspect_archive(path)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05, "processor time, best of five: a busy machine slows single runs down"


def test_gzip_bomb(archives, refusal):
    path = archives.write(mode="w:gz", extra=[])
    assert refusal(path) == "not_a_plain_tar"
    bomb = archives.folder / "bomb.nemo"
    import gzip

    bomb.write_bytes(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    assert refusal(bomb) == "not_a_plain_tar"
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "link_or_special_member"),
        (tarfile.LNKTYPE, "link_or_special_member"),
        (tarfile.FIFOTYPE, "link_or_special_member"),
        (tarfile.CHRTYPE, "link_or_special_member"),
        (tarfile.BLKTYPE, "link_or_special_member"),
        (tarfile.DIRTYPE, "link_or_special_member"),
        (tarfile.CONTTYPE, "link_or_special_member"),
        (b"S", "link_or_special_member"),
        (b"L", "link_or_special_member"),
        (b"g", "link_or_special_member"),
    ],
)
def test_members_that_are_no_regular_files(archives, member, kind, why, refusal):
    assert refusal(archives.write(extra=[member("./other", kind=kind, link="model_config.yaml")])) == why


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/passwd", "./a/b.txt", "a\\b", "..", "./.hidden", "a..b", "\u00fcber.txt", "x" * 150]
)
def test_unsafe_names(archives, member, name, refusal):
    assert refusal(archives.write(extra=[member(name, b"x")])) in ("unsafe_name", "not_a_plain_tar")


@pytest.mark.parametrize(
    "name", ["./model_config.yaml", "model_config.yaml", "./MODEL_CONFIG.YAML", "./model_weights.ckpt"]
)
def test_duplicate_members(archives, member, name, refusal):
    assert refusal(archives.write(extra=[member(name, b"x")])) == "duplicate_member"


def test_many_members_binary_members_and_missing_members(archives, member, checkpoint, refusal):
    assert refusal(archives.write(extra=[member(f"./f{i}.txt", b"x") for i in range(100)])) == "too_many_members"
    assert refusal(archives.write(extra=[member("./second.ckpt", checkpoint)])) == "member_not_text"
    assert refusal(archives.write(config=None)) == "missing_member:model_config.yaml"


def test_pax_headers_that_say_more_than_times(archives, member, refusal):
    info, data = member("./fine.txt", b"x")
    info.pax_headers = {"path": "../evil"}
    assert refusal(archives.write(extra=[(info, data)])) == "not_a_plain_tar"


def test_cut_and_appended_tars(archives, refusal):
    data = archives.write().read_bytes()
    path = archives.folder / "other.nemo"
    for cut in (0, 1, 511, 512, 600, 2000, len(data) // 2, len(data) - 9000):
        path.write_bytes(data[:cut])
        refusal(path)
    path.write_bytes(data + data)
    assert refusal(path) == "trailing_data"
    path.write_bytes(data + b"\0" * 50_000)
    assert refusal(path) == "trailing_data"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("a: ${oc.env:HOME}\n", "config_interpolation"),
        ('a: "\\x24{oc.env:HOME}"\n', "config_interpolation"),
        ("${oc.env:HOME}: 1\n", "config_interpolation"),
        ("a: [1, {b: '${x}'}]\n", "config_interpolation"),
        ("_target_: os.system\n", "config_target:os.system"),
        ("a: {b: [{_target_: builtins.eval}]}\n", "config_target:builtins.eval"),
        ("target: nemo.utils.evil\n", "config_target:nemo.utils.evil"),
        ("cls: os.system\nparams: {}\n", "config_target:os.system"),
        ("target: [os.system]\n", "config_target:['os.system']"),
        ("a: &x 1\nb: 2\n", "config_alias"),
        ("a: &x 1\nb: *x\n", "config_alias"),
        ("a: !!python/object/apply:os.system [id]\n", "config_tag"),
        ("a: !custom 1\n", "config_tag"),
        ("a: 1\na: 2\n", "config_invalid"),
        ("<<: {a: 1}\n", "config_invalid"),
        ("? [a, b]\n: 1\n", "config_invalid"),
        ("[1, 2]\n", "config_invalid"),
        ("", "config_invalid"),
        ("a: [\n", "config_invalid"),
        ("a: 1\n---\nb: 2\n", "config_invalid"),
        ("a: 2001-99-99\n", "config_invalid"),
        ("a: " + "[" * 200_000 + "\n", "config_invalid"),
        ("a: " + "1:" * 500_000 + "1\n", "config_invalid"),
        ("a: " + "9" * 5000 + "\n", "config_invalid"),
        ("x: y\n" * 300_000, "config_invalid"),
        (b"a: \xff\n", "member_not_text"),
    ],
)
def test_hostile_configurations(archives, config, why, refusal):
    start = time.process_time()
    assert refusal(archives.write(config=config)).startswith(why)
    assert time.process_time() - start < 1


def test_alias_bomb_is_refused_quickly_in_bounded_memory(archives, refusal):
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))
    path = archives.write(config="a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + levels + "\n")
    tracemalloc.start()
    start = time.process_time()
    assert refusal(path) == "config_alias"
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_files_that_are_no_archives(tmp_path, refusal):
    os.mkfifo(tmp_path / "fifo.nemo")
    (tmp_path / "folder.nemo").mkdir()
    open_before = len(os.listdir("/proc/self/fd"))
    for name in ("fifo.nemo", "folder.nemo"):
        assert refusal(tmp_path / name) == "not_a_regular_file"
    assert len(os.listdir("/proc/self/fd")) == open_before
    (tmp_path / "text.nemo").write_text("dry run placeholder")
    assert refusal(tmp_path / "text.nemo") == "not_a_plain_tar"
    with pytest.raises(UsageError) as caught:
        inspect_archive(tmp_path / "none.nemo")
    assert caught.value.reason.startswith("archive_missing:")


def test_private_copy_is_ours_alone_and_goes_away(archives):
    path = archives.write()
    with private_copy(path) as copy:
        assert copy.read_bytes() == path.read_bytes()
        assert copy.parent.stat().st_mode & 0o077 == 0
        path.write_bytes(b"swapped")
        assert inspect_archive(copy).tensors == 7
    assert not copy.exists()
    with pytest.raises(GateError), private_copy(path):
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_is_refused_or_harmless(archives, data, answer):
    path = archives.write()
    raw = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw))
    assert answer(path) in ("safe", "unsafe_archive")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=st.text(alphabet="abtarget_:-[]{}&*!%|>'\"\\ \n,?#0123456789.$~", max_size=120))
def test_any_configuration_ends_in_an_answer(archives, config, answer):
    assert answer(archives.write(config=config)) in ("safe", "unsafe_archive")


PICKLES = {
    "call": b"cos\nsystem\n(S'id'\ntR.",
    "instance": b"(S'id'\nios\nsystem\n.",
    "build": b"ccollections\nOrderedDict\n(tR(dS'a'\nI1\nsb.",
    "made_by_python": pickle.dumps(fractions.Fraction(1, 2), protocol=0),
    "before_text": b"cos\nsystem\n(S'id'\ntR.a lexicon\n",
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_of_printable_characters_is_no_text(archives, member, name, refusal):
    assert PICKLES[name].isascii()
    assert refusal(archives.write(extra=[member("./extra.txt", PICKLES[name])])) == "member_not_text"


@pytest.mark.parametrize(
    "text", [b"", b".", b"close\ncontent\na.m.\n", b"cat  K AE T\ndog  D AO G\n", b"(a)\n", b"I live.\nR.\n"]
)
def test_text_that_begins_as_a_pickle_could_is_text(archives, member, text):
    assert inspect_archive(archives.write(extra=[member("./extra.txt", text)])).tensors == 7


def test_a_copy_with_another_digest_is_not_loaded(archives):
    path = archives.write()
    with private_copy(path, sha256=files.sha256_file(path)) as copy:
        assert copy.read_bytes() == path.read_bytes()
    with pytest.raises(GateError) as caught, private_copy(path, sha256="0" * 64):
        pass
    assert caught.value.reason == f"weights_checksum_mismatch:{path.name}"


def test_the_configuration_of_a_fastpitch_is_read_without_tarfile(archives, monkeypatch):
    path = archives.write()
    monkeypatch.setattr(tarfile, "open", lambda *_, **__: pytest.fail("another reader opened the archive"))
    tree = read_fastpitch_config(path)
    assert tree.target == "nemo.collections.tts.models.fastpitch.FastPitchModel"
    with pytest.raises(omegaconf.errors.ConfigAttributeError):
        _ = tree.no_such_setting


def test_the_configuration_of_a_hostile_archive_is_not_read(archives, member):
    with pytest.raises(GateError, match="not text"):
        read_fastpitch_config(archives.write(extra=[member("./extra.txt", b"\0")]))
