"""Opinions of listeners: kept beside the bundle, averaged over raters, with intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicemill.errors import BundleError
from voicemill.verify import opinions
from voicemill.verify.opinions import Answer, Opinions

ONE, TWO = "1" * 64, "2" * 64


def score(rater: str, value: int, bundle: str = ONE) -> Answer:
    return Answer(bundle=bundle, rater=rater, time="2026-11-30T00:00:00Z", text="A sentence.", score=value)


def preference(rater: str, preferred: str) -> Answer:
    fields = {"bundle": ONE, "rater": rater, "time": "", "text": "", "other": TWO, "preferred": preferred}
    return Answer.model_validate(fields)


def test_answers_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    root = tmp_path / "anna/voice_bundle"
    root.mkdir(parents=True)
    opinions.add(root, [score("Ann", 4)])
    opinions.add(root, [score("Ben", 2), score("Ben", 5, TWO)])
    assert [answer.score for answer in opinions.read(root).answers] == [4, 2, 5]
    assert (tmp_path / "anna/opinions.json").is_file()


def test_a_rater_counts_once_however_many_answers() -> None:
    known = Opinions(answers=tuple([score("Ann", 5)] * 9 + [score("ann", 5), score("Ben", 1), score("Cat", 3, TWO)]))
    found = opinions.score_of(known, ONE)
    assert found is not None
    assert (found.mean, found.answers, found.raters) == (3.0, 11, 2)
    assert found.interval is not None
    assert found.interval[0] < 3.0 < found.interval[1]


def test_one_answer_has_no_interval() -> None:
    found = opinions.score_of(Opinions(answers=(score("Ann", 4),)), ONE)
    assert found is not None
    assert found.interval is None
    assert opinions.score_of(Opinions(), ONE) is None


def test_preferences_have_wilsons_interval() -> None:
    answers = [preference("Ann", "this")] * 8 + [preference("Ben", "other")] * 2 + [preference("Ben", "neither")]
    (found,) = opinions.preferences_of(Opinions(answers=tuple(answers)), ONE)
    assert (found.other, found.this, found.against, found.neither, found.raters) == (TWO, 8, 2, 1, 2)
    assert found.share == 0.8
    assert found.interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert opinions.preferences_of(Opinions(answers=tuple(answers)), TWO) == []


def test_a_damaged_file_is_refused_and_stays(tmp_path: Path) -> None:
    root = tmp_path / "anna/voice_bundle"
    root.mkdir(parents=True)
    opinions.path_of(root).write_text('{"version": "other"}', "utf-8")
    with pytest.raises(BundleError) as refused:
        opinions.add(root, [score("Ann", 4)])
    assert refused.value.code == "opinions_invalid"
    assert opinions.path_of(root).read_text("utf-8") == '{"version": "other"}'
