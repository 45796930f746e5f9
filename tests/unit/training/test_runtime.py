from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from voicemill.training.runtime import accept_tar_filters


def archive(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("weights")
        member.size, member.mode = 5, 0o4777
        tar.addfile(member, io.BytesIO(b"12345"))
    return path


def test_an_old_tarfile_gets_a_filter_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tarfile.TarFile.extract

    def old(self, member, path="", set_attrs=True, *, numeric_owner=False):  # type: ignore[no-untyped-def]
        return new(self, member, path, set_attrs, numeric_owner=numeric_owner)

    monkeypatch.setattr(tarfile.TarFile, "extract", old)
    accept_tar_filters()
    with tarfile.open(archive(tmp_path / "a.tar")) as tar:
        tar.extract(tar.getmember("weights"), str(tmp_path), filter="data")
    assert (tmp_path / "weights").read_bytes() == b"12345"
    assert not (tmp_path / "weights").stat().st_mode & 0o4000  # as the filter does: no mode of the archive's


def test_a_tarfile_that_knows_filters_is_left_alone() -> None:
    before = tarfile.TarFile.extract
    accept_tar_filters()
    assert (tarfile.TarFile.extract is before) == hasattr(tarfile, "data_filter")
