"""What a sound says about its voice, from the bundle's manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voicemill.bundle.origins import manifest_origin


@pytest.mark.parametrize("promoted", [False, True])
def test_the_licences_of_every_model_are_named(promoted: bool, tmp_path: Path) -> None:
    references: dict[str, Any] = {
        "weights_license": "Apache-2.0",
        "vocoder": {"weights_license": "MIT"},
        "runtime_vocoder": {"weights_license": "CC-BY-4.0"},
    }
    manifest = {
        "voice_profile_id": "anna",
        "files": [{"path": "voice.onnx", "sha256": "ab" * 32}],
        **({"provenance": {"source_weights_refs": references}} if promoted else {"weights_refs": references}),
    }
    origin = manifest_origin(manifest, "cd" * 32, tmp_path / "voice_bundle")
    assert origin is not None
    assert origin.licences == ("Apache-2.0", "MIT", "CC-BY-4.0")
    del references["runtime_vocoder"]
    references["vocoder"] = None
    origin = manifest_origin(manifest, "cd" * 32, tmp_path / "voice_bundle")
    assert origin is not None
    assert origin.licences == ("Apache-2.0",)
