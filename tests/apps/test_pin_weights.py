"""scripts/voice/pin_weights.py: a checkpoint's digest goes into the allowlist once it has been inspected."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.weights_server import FileServer, serving

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/voice/pin_weights.py"
ID = "nvidia/nemo-tts-hifigan-en"


@pytest.fixture
def allowlist(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "configs/voice/prod_tts/weights_allowlist.json", tmp_path / "list.json"))


def pin(allowlist: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    offline = {"https_proxy": "http://127.0.0.1:9"} if not more else {"no_proxy": "*"}
    own = {"PROD_TTS_ALLOWLIST": str(allowlist), "CACHE_DIR": str(allowlist.parent / "cache")}
    environment = {**os.environ, **own, **offline, **more}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def honest_archive() -> bytes:
    """A checkpoint as NeMo writes it."""
    import torch

    weights, packed = io.BytesIO(), io.BytesIO()
    torch.save(torch.nn.Linear(2, 2).state_dict(), weights)
    with tarfile.open(fileobj=packed, mode="w:") as tar:
        for name, data in (
            ("./model_config.yaml", b"nemo_version: 3.0.0\n"),
            ("./model_weights.ckpt", weights.getvalue()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def test_only_a_safe_archive_is_pinned(allowlist, tmp_path):
    before = allowlist.read_bytes()
    (tmp_path / "evil.nemo").write_bytes(b"evil")
    done = pin(allowlist, ID, tmp_path / "evil.nemo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unsafe_archive" in done.stderr
    assert allowlist.read_bytes() == before


def test_an_honest_archive_is_pinned_and_nothing_else_changes(allowlist, tmp_path):
    model = tmp_path / "model.nemo"
    model.write_bytes(honest_archive())
    before = json.loads(allowlist.read_text(encoding="utf-8"))
    done = pin(allowlist, ID, model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert (done.returncode, done.stdout) == (0, f"{digest}  tts_hifigan.nemo\n")
    after = json.loads(allowlist.read_text(encoding="utf-8"))
    item = next(entry for entry in after["weights"] if entry["id"] == ID)["files"][0]
    assert (item["sha256"], item["bytes"]) == (digest, model.stat().st_size)
    next(entry for entry in before["weights"] if entry["id"] == ID)["files"][0].update(
        sha256=digest, bytes=item["bytes"]
    )
    assert after == before


def pin_from(server: FileServer, allowlist: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """As `pin`, with every address of the list on the server, which serves one file for all of them."""
    listed = json.loads(allowlist.read_text(encoding="utf-8"))
    for entry in listed["weights"]:
        for item in entry["files"]:
            if item["location"] == "cache":
                item["url"] = server.url
    allowlist.write_text(json.dumps(listed), encoding="utf-8")
    return pin(allowlist, *arguments, SSL_CERT_FILE=str(server.certificate))


def test_one_command_fetches_inspects_and_pins(allowlist, tmp_path):
    with serving(tmp_path, honest_archive()) as server:
        server.breaks = [1000]
        done = pin_from(server, allowlist, ID)
        assert done.returncode == 0, done.stderr
        digest = hashlib.sha256(server.data).hexdigest()
        assert done.stdout == f"{digest}  tts_hifigan.nemo\n"
        assert server.ranges == [None, "bytes=1000-"]
        again = pin_from(server, allowlist, ID)  # in its place now
        assert (again.returncode, again.stdout, len(server.ranges)) == (0, done.stdout, 2)
    kept = tmp_path / "cache/weights" / ID / "tts_hifigan.nemo"
    assert kept.read_bytes() == server.data
    item = next(entry for entry in json.loads(allowlist.read_text())["weights"] if entry["id"] == ID)["files"][0]
    assert (item["sha256"], item["bytes"]) == (digest, len(server.data))


@pytest.mark.parametrize(
    ("data", "code", "reason"), [(b"<html>", 2, "unsafe_archive"), (None, 1, "weights_unavailable")]
)
def test_what_is_fetched_is_inspected_before_it_is_pinned(allowlist, tmp_path, data, code, reason):
    with serving(tmp_path, data or b"") as server:
        server.refusals = [] if data else [404]
        done = pin_from(server, allowlist, ID)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert reason in done.stderr
    listed = json.loads(allowlist.read_text())["weights"]
    assert next(entry for entry in listed if entry["id"] == ID)["files"][0]["sha256"] is None


def test_what_cannot_be_pinned(allowlist, tmp_path):
    for arguments, code in (([ID], 1), (["voicemill/from-scratch"], 1), (["x/y"], 2), ([], 1)):
        done = pin(allowlist, *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


QWEN = "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1829344272\n"


def qwen_files(allowlist: Path) -> list[str]:
    """The files of the entry, written below the weights cache; returns their names."""
    import numpy as np
    from safetensors.numpy import save_file

    (entry,) = (entry for entry in json.loads(allowlist.read_text())["weights"] if entry["id"] == QWEN)
    names = [item["path"] for item in entry["files"]]
    for name in names:
        path = allowlist.parent / "cache/weights" / QWEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".safetensors"):
            save_file({"weight": np.zeros(3, dtype=np.float32)}, str(path))
        else:
            path.write_text("{}")
    return names


def test_all_files_of_a_model_are_pinned_at_once(allowlist):
    names = qwen_files(allowlist)
    done = pin(allowlist, QWEN)
    assert done.returncode == 0, done.stderr
    assert [line.split("  ")[1] for line in done.stdout.splitlines()] == names
    (entry,) = (entry for entry in json.loads(allowlist.read_text())["weights"] if entry["id"] == QWEN)
    assert all(item["sha256"] and item["bytes"] for item in entry["files"])


@pytest.mark.parametrize("content", [POINTER, b"", b"<html>not found</html>"])
def test_a_pointer_or_half_a_download_is_not_pinned(allowlist, content):
    qwen_files(allowlist)
    before = allowlist.read_bytes()
    (allowlist.parent / "cache/weights" / QWEN / "speech_tokenizer/model.safetensors").write_bytes(content)
    done = pin(allowlist, QWEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unsafe_archive:not_safetensors" in done.stderr
    assert allowlist.read_bytes() == before
