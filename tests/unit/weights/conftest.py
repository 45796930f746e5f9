"""Builders of honest and hostile `.nemo` archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from voicemill.errors import GateError
from voicemill.weights.archive import inspect_archive

CONFIG = """\
target: nemo.collections.tts.models.fastpitch.FastPitchModel
pitch_mean: 172.1
preprocessor:
  _target_: nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor
  features: 80
nemo_version: 3.0.0
"""


@pytest.fixture(scope="session")
def checkpoint() -> bytes:
    """A state dict with metadata, as `torch.save` writes it."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()


def _rezip(
    data: bytes,
    *,
    pickle: bytes | None = None,
    method: int = zipfile.ZIP_STORED,
    extra: dict[str, bytes] | None = None,
    storages: int | None = None,
) -> bytes:
    """The same checkpoint with another pickle, another compression, more entries, or only the first `storages`."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", method) as target:
        for name in source.namelist():
            key = name.partition("/data/")[2]
            if storages is not None and key and int(key) >= storages:
                continue
            replaced = pickle if pickle is not None and name.endswith("/data.pkl") else source.read(name)
            target.writestr(name, replaced)
        for name, content in (extra or {}).items():
            target.writestr(name, content)
    return out.getvalue()


@pytest.fixture(scope="session")
def rezip() -> Callable[..., bytes]:
    return _rezip


def _member(
    name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mtime = kind, len(data), link, 1_700_000_000
    return info, data


@pytest.fixture(scope="session")
def member() -> Callable[..., tuple[tarfile.TarInfo, bytes]]:
    return _member


class Archives:
    """Writes archives into one folder."""

    def __init__(self, folder: Path, checkpoint: bytes) -> None:
        self.folder = folder
        self.checkpoint = checkpoint

    def write(
        self,
        *,
        config: str | bytes | None = CONFIG,
        weights: bytes | None = None,
        extra: list[tuple[tarfile.TarInfo, bytes]] | None = None,
        mode: str = "w:",
    ) -> Path:
        """An archive as NeMo saves it, with what is given instead of the honest parts; config `None` leaves it out."""
        path = self.folder / "model.nemo"
        members = [_member("./", kind=tarfile.DIRTYPE), _member("./0a1b_lexicon.cmudict", b"HELLO  HH AH L OW\n")]
        if config is not None:
            members.append(_member("./model_config.yaml", config.encode() if isinstance(config, str) else config))
        members.append(_member("./model_weights.ckpt", self.checkpoint if weights is None else weights))
        with tarfile.open(path, mode) as tar:
            for info, data in [*members, *(extra or [])]:
                tar.addfile(info, io.BytesIO(data))
        return path


@pytest.fixture
def archives(tmp_path: Path, checkpoint: bytes) -> Archives:
    return Archives(tmp_path, checkpoint)


@pytest.fixture(scope="session")
def refusal() -> Callable[[Path], str]:
    """Inspects an archive that must be refused, and says why it was."""

    def why(path: Path) -> str:
        with pytest.raises(GateError) as caught:
            inspect_archive(path)
        assert caught.value.exit_code == 2
        assert caught.value.hint
        assert caught.value.code == "unsafe_archive"
        return caught.value.reason.partition(":")[2]

    return why


@pytest.fixture(scope="session")
def answer() -> Callable[[Path], str]:
    """Inspects any archive: `safe`, or the code of the refusal."""

    def code(path: Path) -> str:
        try:
            inspect_archive(path)
        except GateError as error:
            return error.code
        return "safe"

    return code
