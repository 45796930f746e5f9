from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from voicemill.dataset.stage_clock import StageClock
from voicemill.dataset.stages import STAGES
from voicemill.errors import BlockedError
from voicemill.evaluation.evaluate import STAGE
from voicemill.lane import evaluation, plan
from voicemill.lane.plan import LaneStep
from voicemill.lane.reporter import LaneReporter
from voicemill.lane.training import FASTPITCH, HIFIGAN
from voicemill.lane_status import StatusFile
from voicemill.launch.lanes import final_state
from voicemill.progress import SilentObserver
from voicemill.protocol import Protocol

TWO = (LaneStep("prepare", 20), LaneStep("train", 100))


def reporter(tmp_path: Path, steps: tuple[LaneStep, ...] = plan.STEPS) -> tuple[LaneReporter, io.StringIO, Path]:
    stream, path = io.StringIO(), tmp_path / "status.json"
    protocol = Protocol(stream, base=tmp_path)
    lane = LaneReporter(protocol, StatusFile(path, "job"), SilentObserver(), steps)
    lane.start()
    return lane, stream, path


def numbers(stream: io.StringIO) -> list[int]:
    return [int(line.split()[1]) for line in stream.getvalue().splitlines() if line.startswith("PROGRESS")]


def test_stages_share_their_step_and_advance_fills_them(tmp_path: Path) -> None:
    lane, stream, path = reporter(tmp_path, TWO)
    with lane.step(TWO[0], ["one", "two"]):
        lane.stage("one", 4)
        for done in range(1, 5):
            lane.advance(done)
        lane.stage("two")
        lane.advance(3)
    lane.stats({"clips": 3})
    lane.finish()
    assert numbers(stream) == [0, 2, 5, 7, 10, 20, 100]
    assert json.loads(path.read_text())["stats"] == {"clips": 3}


def test_a_stage_of_another_name_does_not_move_progress(tmp_path: Path) -> None:
    lane, stream, _ = reporter(tmp_path, TWO)
    with lane.step(TWO[0], ["one", "two"]):
        lane.stage("one", 2)
        lane.advance(1)
        lane.stage("download of a model", 2)
        lane.advance(2)
        assert numbers(stream)[-1] == 5
        lane.stage("two", 2)
        lane.advance(5)
    assert numbers(stream) == [0, 5, 10, 19, 20]


STAGES_OF = {
    "prepare": STAGES,
    "train": (FASTPITCH, HIFIGAN),
    "eval": (STAGE,),
    "bundle": ("bundle",),
    "promote": ("promotion", "verification", "certification"),
}


@pytest.mark.parametrize("units", [None, 1, 7, 400])
@pytest.mark.parametrize("steps", [plan.STEPS, plan.DRY_STEPS, plan.steps_of(plan.TRAIN)])
def test_each_share_is_reached_at_the_end_of_its_step_and_not_before(
    tmp_path: Path, steps: tuple[LaneStep, ...], units: int | None
) -> None:
    lane, stream, _ = reporter(tmp_path, steps)
    for step in steps:
        with lane.step(step, STAGES_OF.get(step.name, ())):
            for name in STAGES_OF.get(step.name, ()):
                lane.stage(name, units)
                for done in range(1, (units or 3) + 1):
                    lane.advance(done)
            assert numbers(stream)[-1] < step.until
        assert numbers(stream)[-1] == step.until
    lane.finish()
    assert numbers(stream) == sorted(set(numbers(stream)))


def test_every_stage_of_the_preparation_has_its_part(tmp_path: Path) -> None:
    lane, stream, _ = reporter(tmp_path)
    begin, whole = plan.GATES.until, plan.PREPARE.until - plan.GATES.until
    with lane.step(plan.GATES):
        pass
    with lane.step(plan.PREPARE, STAGES):
        for index, name in enumerate(STAGES):
            lane.stage(name)
            assert numbers(stream)[-1] == begin + whole * index // len(STAGES), name


def test_the_evaluation_announces_its_stage_once_and_grows_with_its_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[str] = []

    class Screen(SilentObserver):
        def stage(self, name: str, total: int | None = None) -> None:
            announced.append(name)

    stream = io.StringIO()
    lane = LaneReporter(Protocol(stream, base=tmp_path), None, Screen())
    clock = StageClock(lane, list)
    with lane.step(plan.TRAIN):
        pass

    def measure(*arguments: object) -> object:
        observer = arguments[4]
        assert isinstance(observer, LaneReporter)
        assert numbers(stream)[-1] == plan.TRAIN.until
        observer.stage(STAGE, 40)
        for done in range(1, 41):
            observer.advance(done)
        raise InterruptedError

    monkeypatch.setattr(evaluation, "plan_test_sentences", lambda *arguments, **options: None)
    monkeypatch.setattr(evaluation, "evaluate_against_dataset", measure)
    with pytest.raises(InterruptedError), lane.step(plan.EVALUATE, [STAGE]):
        evaluation.evaluate_trained(SimpleVoice(), {}, None, clock)  # type: ignore[arg-type]
    assert announced == [STAGE]
    assert numbers(stream) == list(range(plan.TRAIN.until, plan.EVALUATE.until))


class SimpleVoice:
    """A trained voice without models."""

    acoustic = vocoder = vocoder_record = dataset = None

    def __getattr__(self, name: str) -> SimpleVoice:
        return self


def test_a_failed_lane_stops_where_it_was_and_says_why(tmp_path: Path) -> None:
    stream, path = io.StringIO(), tmp_path / "status.json"
    status = StatusFile(path, "job")
    lane = LaneReporter(Protocol(stream), status, SilentObserver())
    lane.start()
    error = BlockedError("No text.", reason="missing_transcript")
    with pytest.raises(BlockedError), final_state(status, Protocol(io.StringIO())), lane.step(plan.GATES):
        raise error
    assert stream.getvalue() == "PROGRESS 0 100\n"
    found = json.loads(path.read_text())
    assert (found["state"], found["reason"], found["progress"]) == (
        "blocked",
        "missing_transcript",
        {"current": 0, "total": 100},
    )


def test_artifacts_reach_stdout_and_status_file(tmp_path: Path) -> None:
    lane, stream, path = reporter(tmp_path)
    (tmp_path / "eval.json").write_text("{}")
    lane.artifact(tmp_path / "eval.json")
    assert stream.getvalue().splitlines()[-1] == "ARTIFACT eval.json"
    assert json.loads(path.read_text())["artifacts"] == ["eval.json"]
