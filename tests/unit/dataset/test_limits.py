from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.dataset.limits import QualityLimits, with_changes
from voicemill.errors import UsageError
from voicemill.training.config import load_config


def test_changes() -> None:
    found = with_changes(QualityLimits(), ["min_snr_db=15", "max-pitch-shift = 3.5"])
    assert found == QualityLimits(min_snr_db=15.0, max_pitch_shift=3.5)
    assert with_changes(found, []) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("min_snr_db", "names no limit"),
        ("loudest=3", "names no limit"),
        ("min_snr_db=much", "makes no sense"),
        ("min_snr_db=nan", "makes no sense"),
        ("max_clipped_share=2", "makes no sense"),
        ("max_edge_silence=-1", "makes no sense"),
    ],
)
def test_bad_changes(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        with_changes(QualityLimits(), [change])
    assert caught.value.hint


def test_every_limit_says_what_it_is() -> None:
    assert all(field.description for field in QualityLimits.model_fields.values())


def test_a_preset_may_change_them(repository: Path) -> None:
    base = repository / "configs/voice/prod_tts/nemo_fastpitch_hifigan.yaml"
    assert load_config(base, "cpu").quality == QualityLimits()
    assert load_config(base, "cpu", {"quality": {"min_snr_db": 20}}).quality.min_snr_db == 20.0
