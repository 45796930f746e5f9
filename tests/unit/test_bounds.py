"""The bounds of what is read from files that others made; a larger input is refused, see the tests of each reader."""

from __future__ import annotations

import importlib

import pytest

KIB, MIB, GIB = 2**10, 2**20, 2**30
BOUNDS = {
    "voicemill.files": {"MAX_JSON_BYTES": 64 * MIB},
    "voicemill.bundle.contents": {"MAX_ENTRIES": 10_000},
    "voicemill.bundle.manifest": {"MAX_MANIFEST_BYTES": 4 * MIB, "MAX_SAFE_INTEGER": 9_007_199_254_740_991},
    "voicemill.bundle.origins": {"_MAX_CERTIFICATE_BYTES": 4 * MIB},
    "voicemill.bundle.packing": {"MAX_BYTES": 8 * GIB},
    "voicemill.bundle.signing": {"MAX_SIGNATURE_BYTES": 16 * MIB, "MAX_KEY_BYTES": 64 * KIB},
    "voicemill.bundle.statements": {"MAX_BESIDE_BYTES": 32 * MIB},
    "voicemill.casimir.adapter": {"MAX_ANSWER_BYTES": MIB, "MAX_EXPORT_BYTES": 64 * MIB},
    "voicemill.casimir.answer": {"MAX_REQUEST_BYTES": 4 * MIB},
    "voicemill.verify.opinions": {"MOST_ANSWERS": 100_000},
    "voicemill.verify.plain_files": {"MAX_TEXT_BYTES": 64 * MIB},
    "voicemill.verify.rows": {"MAX_GRAPH_BYTES": 2 * GIB, "MAX_ATTRIBUTION_BYTES": MIB},
    "voicemill.weights.archive": {"MAX_ARCHIVE_BYTES": 4 * GIB, "MAX_TEXT_BYTES": 64 * MIB},
    "voicemill.weights.build_limits": {"MEMORY_BYTES": 4 * GIB},
    "voicemill.weights.checkpoint": {"MAX_PICKLE_BYTES": MIB},
    "voicemill.weights.demucs_package": {"MAX_VALUES": 20_000, "MAX_NUMBER": 1_000_000, "MAX_PACKAGE_BYTES": GIB},
    "voicemill.weights.manifest": {"MAX_BYTES": MIB},
    "voicemill.weights.plain_zip": {"MAX_ENTRIES": 20_000, "MAX_DIRECTORY_BYTES": 4 * MIB},
    "voicemill.weights.sentencepiece_model": {"MAX_BYTES": 8 * MIB, "MAX_PIECES": 300_000},
    "voicemill.weights.store": {"MAX_DOWNLOAD_BYTES": 2 * GIB, "LARGEST_MODEL_BYTES": 8 * GIB},
}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_reader_has_its_bounds(name: str) -> None:
    module = importlib.import_module(name)
    assert {bound: getattr(module, bound) for bound in BOUNDS[name]} == BOUNDS[name]
