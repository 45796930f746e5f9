from __future__ import annotations

import json
from pathlib import Path

import pytest

from voicemill.errors import GateError
from voicemill.weights.registry import WeightsRegistry


def test_gate_and_kind_come_before_the_file(tmp_path: Path) -> None:
    entry = {
        "id": "a/b",
        "weights_license": "MIT",
        "code_license": "MIT",
        "commercial_use_allowed": True,
        "license_url": "https://a.example",
        "kind": "asr",
        "files": [{"path": "m.nemo", "url": "https://127.0.0.1:9/m.nemo"}],
    }
    path = tmp_path / "list.json"
    registry = WeightsRegistry(path, tmp_path / "cache", tmp_path)

    def reason(**changes: object) -> str:
        path.write_text(json.dumps({"weights": [entry | changes]}))
        with pytest.raises(GateError) as caught:
            registry.resolve("a/b", "separation", download=False)
        return caught.value.reason

    assert reason(commercial_use_allowed=False) == "allowlist_commercial_rejected"
    assert reason() == "allowlist_rejected:kind_is_asr"
    assert reason(kind="separation") == "weights_unavailable:a/b"
    pinned = [{"path": "m.nemo", "sha256": "0" * 64}]
    assert reason(kind="separation", files=pinned) == "weights_unavailable:a/b"
    (tmp_path / "cache/a/b").mkdir(parents=True)
    (tmp_path / "cache/a/b/m.nemo").write_bytes(b"")
    assert reason(kind="separation", files=pinned) == "weights_checksum_mismatch:a/b"
