from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicemill import audio, dataset, text
from voicemill.dataset import judging
from voicemill.dataset.prepared import PreparedDataset
from voicemill.dataset.report import Rejection, make_report
from voicemill.review import rejections
from voicemill.review.rejections import KEEPABLE, SENTENCES, ClipSound, rejected_row


def _row(**changes: object) -> Rejection:
    values = {"source": "take.flac", "start": 61.0, "end": 64.0, "seconds": 3.0, "reason": "noisy"}
    return Rejection.model_validate(values | changes)


def _sources(*packages: object) -> str:
    return "\n".join(
        path.read_text("utf-8") for package in packages for path in Path(package.__path__[0]).rglob("*.py")
    )


def test_every_reason_has_a_sentence() -> None:
    """What the preparation gives as a reason, read from its source, so that a new one is not forgotten."""
    judged = set(re.findall(r'_fault\(\s*"(\w+)"', Path(judging.__file__).read_text("utf-8")))
    assert len(judged) >= 8
    code = _sources(dataset, text)
    others = set(re.findall(r'(?:problem=|\breject\(clip, |\.rejected\(|Unusable\([^)]*?, )"([a-z]+_[a-z_]+)"', code))
    others |= set(re.findall(r'reason=f?"(audio_[a-z_]+|missing_audio_path)', _sources(audio)))
    assert {"alignment_failed", "text_mismatch", "audio_silent"} <= others
    assert judged | others <= set(SENTENCES)
    assert judged <= KEEPABLE  # a measurement spoke: a person may know better
    assert set(SENTENCES) >= KEEPABLE


@pytest.mark.parametrize(
    ("changes", "figure", "limit"),
    [
        ({"figure": 8.126, "unit": "dB", "limit": 10.0}, "8.126 dB", "at least 10 dB"),
        ({"reason": "noisy", "figure": -12.5, "unit": "dB", "limit": 10.0}, "-12.5 dB", "at least 10 dB"),
        ({"reason": "speaking_rate", "figure": 31.0, "unit": "phones/s", "limit": 28.0}, "31 phones/s", "at most 28 phones/s"),
        ({"reason": "other_voice", "figure": -9.5, "unit": "semitones", "limit": 6.0}, "-9.5 semitones", "at most 6 semitones"),
        ({"reason": "other_voice", "figure": -0.75, "unit": "cosine", "limit": 0.25}, "-0.75 cosine", "at least 0.25 cosine"),
        ({"reason": "text_mismatch", "figure": -31.25, "unit": "score"}, "-31.25 score", ""),
        ({"reason": "no_text"}, "", ""),
    ],
)  # fmt: skip
def test_figures_and_limits_with_their_unit(changes: dict[str, object], figure: str, limit: str) -> None:
    row = rejected_row(4, _row(**changes), None)
    assert (row.figure, row.limit, row.id, row.place) == (figure, limit, "stretch 5", "1:01.0 to 1:04.0")


def test_a_sound_that_was_kept_can_be_played() -> None:
    sound = ClipSound("rejected/v_0001.wav", embedded=False)
    row = rejected_row(0, _row(id="v_0001", audio=sound.address), sound)
    assert (row.id, row.sound, row.restorable) == ("v_0001", sound, True)


def test_accounts_add_up(prepared: PreparedDataset) -> None:
    rows = [_row(), _row(start=70.0, end=71.5, seconds=1.5, reason="no_text"), _row(start=80.0, end=83.0)]
    shown = dict(rejections.accounts(make_report(60.0, 40.0, rows, [], {})))
    assert shown["noisy"] == "6.000 s in 2 stretches"
    assert shown["no text"] == "1.500 s in 1 stretch"
    assert shown["total"] == shown["recorded"] == "60.000 s"
    real = dict(rejections.accounts(prepared.report))
    assert real["total"] == real["recorded"] == f"{prepared.report.seconds_in:.3f} s"
