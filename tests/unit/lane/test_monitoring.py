"""Live figures, the TensorBoard log, and the training report of a model that really trains."""

from __future__ import annotations

import importlib.util
import io
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from voicemill.errors import TrainingError
from voicemill.evaluation.training_page import TrainingPage
from voicemill.lane.monitoring import TENSORBOARD, StepDisplay, event_log, page_path, preview_interval, report_page
from voicemill.lane.reporter import LaneReporter
from voicemill.protocol import Protocol
from voicemill.training import rate_search
from voicemill.training.checkpoint import StepReport
from voicemill.training.hooks import Hooks
from voicemill.training.train_fastpitch import train_acoustic


@pytest.fixture(scope="session")
def tones() -> ModuleType:
    path = Path(__file__).parents[1] / "training/conftest.py"
    spec = importlib.util.spec_from_file_location("tones", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page_for(path: Path, max_steps: int, tones: ModuleType) -> TrainingPage:
    return TrainingPage(path, "A <b>voice</b>", "v", tones.tiny_config().audio, (65.0, 400.0), max_steps)


@pytest.mark.slow
def test_the_page_shows_the_training_and_the_losses_stay_the_same(tmp_path: Path, tones: ModuleType) -> None:
    data = tones.write_dataset(tmp_path / "data")
    config, notes = tones.tiny_config(max_steps=6, average_decay=0.5), []
    plain = train_acoustic(config, data, tmp_path / "plain")
    path = page_path(tmp_path / "reports", "v")
    steps: list[int] = []
    hooks = Hooks(on_step=lambda report: steps.append(report.step), note=notes.append)
    with report_page(hooks, page_for(path, 6, tones), 2) as watching:
        seen = train_acoustic(config, data, tmp_path / "seen", hooks=watching)
    assert seen.loss_curve == plain.loss_curve
    assert seen.weights_sha256 == plain.weights_sha256
    assert steps == [1, 2, 3, 4, 5, 6]
    assert notes == []
    page = path.read_text(encoding="utf-8")
    assert "Training has finished: step 6 of 6" in page
    assert "A &lt;b&gt;voice" in page
    assert re.findall(r'</span>(Recording|Step \d)<span class="seconds">', page) == ["Recording", "Step 3", "Step 6"]
    assert page.count("<audio") == page.count('src="data:audio/flac') == 3
    for chart in ("Loss and its terms", "Learning rate", "Pitch", "End time of each phone"):
        assert f'aria-label="{chart}.' in page
    assert "setInterval" not in page, "a finished page has no next version"
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_page_that_cannot_be_drawn_does_not_end_the_training(tmp_path: Path, tones: ModuleType) -> None:
    """There is a file where the folder should be."""
    (tmp_path / "reports").write_text("in the way")
    notes: list[str] = []
    page = page_for(page_path(tmp_path / "reports", "v"), 4, tones)
    with report_page(Hooks(note=notes.append), page, 2) as watching:
        watching.on_step(StepReport(1, 4, 2.0, 1.5, 0.3, 0.2, 1e-3, 0.5, 100))
        watching.on_preview([])
    assert notes == ["Warning: v.training.html does not show the end of the training: it could not be drawn in time."]


def test_the_page_shows_how_the_learning_rate_was_found(tmp_path: Path, tones: ModuleType) -> None:
    curve = ((1e-6, 3.0), (1e-4, 2.0), (1e-2, 9.0))
    path = tmp_path / rate_search.NAME
    page = page_for(tmp_path / "v.html", 4, tones)
    page.rate_search = path
    assert page.curves == [], "the search goes on"
    found = rate_search.RateSearch(belongs_to="", suggestion=1e-4, learning_rate=1e-4, curve=curve)
    path.write_text(found.model_dump_json())
    page.write()
    drawn = page.path.read_text(encoding="utf-8")
    assert 'aria-label="Learning-rate search. Loss at rates from 1e-06 to 1e-02, smoothed."' in drawn
    for power in ("-6", "-4", "-2"):
        assert f">{power}</text>" in drawn.replace("−", "-")


def test_an_interrupted_training_ends_the_process_beside_it(tmp_path: Path, tones: ModuleType) -> None:
    import multiprocessing

    def stop() -> None:
        with report_page(Hooks(), page_for(tmp_path / "v.html", 4, tones), 2) as watching:
            watching.on_preview([])
            assert multiprocessing.active_children()
            raise TrainingError("Enough.", reason="enough")

    with pytest.raises(TrainingError):
        stop()
    assert not multiprocessing.active_children()


def test_no_pages_leave_the_hooks_as_they_are(tmp_path: Path, tones: ModuleType) -> None:
    hooks = Hooks()
    with report_page(hooks, page_for(tmp_path / "v.html", 4, tones), 0) as watching:
        assert watching is hooks


def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    with event_log(tmp_path) as log:
        for step in (1, 2):
            log(StepReport(step, 2, 3.0 / step, 2.5, 0.25, 0.125, 1e-3, float(step), 100))
    (path,) = (tmp_path / TENSORBOARD).iterdir()
    events = [event for event in EventFileLoader(str(path)).Load() if event.step]
    assert [event.step for event in events] == [1, 2]
    logged = {value.tag: value.tensor.float_val[0] for value in events[1].summary.value}
    assert logged == pytest.approx(
        {
            "loss/total": 1.5,
            "loss/mel": 2.5,
            "loss/duration": 0.25,
            "loss/pitch": 0.125,
            "learning_rate": 1e-3,
        }
    )


class Screen:
    """Records the lines for the person."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def stage(self, name: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int, note: str = "") -> None:
        self.lines.append((done, note))

    def note(self, text: str) -> None:
        pass


def report(step: int, seconds: float, duration: float = 0.2) -> StepReport:
    return StepReport(step, 40, 3.0, 2.5, duration, duration, 1e-3, seconds, 500)


def test_a_line_for_the_person_and_a_few_for_programs() -> None:
    out, screen = io.StringIO(), Screen()
    display = StepDisplay("FastPitch", 40, LaneReporter(Protocol(out), None, screen))
    for step in range(1, 41):
        display.step(report(step, 20.0 + 0.5 * step))
    assert [step for step, _ in screen.lines] == list(range(1, 41))
    assert screen.lines[0][1].startswith("loss 3.000 · mel 2.500 duration 0.200 pitch 0.200 · rate 1.0e-03 · ")
    assert screen.lines[19][1].startswith("loss 3.000 · 0:10 left · 1000 frames/s · mel 2.500")
    assert screen.lines[19][1].endswith(" MB")
    stats = [json.loads(line.partition(" ")[2]) for line in out.getvalue().splitlines() if line.startswith("STATS")]
    assert [line["step"] for line in stats] == [1, *range(2, 41, 2)]
    assert stats[0]["seconds_left"] is None
    assert stats[0]["frames_per_second"] is None
    assert (stats[-1]["seconds_left"], stats[-1]["frames_per_second"]) == (0, 1000)


def test_a_vocoder_has_no_duration_and_pitch() -> None:
    screen = Screen()
    StepDisplay("HiFi-GAN", 40, LaneReporter(Protocol(io.StringIO()), None, screen)).step(report(1, 1.0, duration=0.0))
    assert "duration" not in screen.lines[0][1]


@pytest.mark.parametrize(
    ("steps", "times", "every"), [(10, 3, 4), (9, 3, 3), (10, 1, 10), (2, 5, 1), (1, 1, 1), (40, 7, 6)]
)
def test_previews_are_spread_over_the_training(steps: int, times: int, every: int) -> None:
    assert preview_interval(steps, times) == every
