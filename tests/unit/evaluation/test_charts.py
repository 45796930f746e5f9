from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from voicemill.evaluation.charts import (
    MAGMA,
    Series,
    bars,
    histogram,
    line_chart,
    log_ticks,
    mel_picture,
    number,
    thin,
    ticks,
)


def chart(series: list[Series], **more: bool) -> ElementTree.Element:
    svg = line_chart(series, title="T", description="D", labels=("x", "y"), **more)
    return ElementTree.fromstring(svg)  # noqa: S314


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 17), (0.001, 0.0042), (120, 480), (0, 1e6)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 12
    assert low <= found[0] <= found[-1] <= high
    assert np.allclose(np.diff(found), found[1] - found[0])


def test_log_ticks_and_numbers() -> None:
    assert log_ticks(0.9, 21) == [1, 2, 5, 10, 20]
    assert log_ticks(0.01, 1000) == pytest.approx([0.01, 0.1, 1, 10, 100, 1000])
    assert [number(value) for value in (0, 0.25, 1234, 1.5e6, 2e-5)] == ["0", "0.25", "1,234", "1.5e+06", "2.0e-05"]


def test_a_gap_splits_the_line_and_a_lone_point_shows() -> None:
    root = chart([Series("a", [0, 1, 2, 3, 4], [1.0, 2.0, None, float("nan"), 3.0], "real")])
    lines = [element for element in root.iter() if element.tag == "polyline"]
    assert [len(line.attrib["points"].split()) for line in lines] == [2, 2]


def test_every_point_lies_on_the_canvas() -> None:
    for values in ([34.0, 5.0, 1.9], [0.0, 0.0], [-1.0, 4.0, 2.0]):
        root = chart([Series("a", list(range(len(values))), list(values), "c0")], logarithmic=True)
        width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
        for line in root.iter("polyline"):
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width
                assert 0 <= y <= height


def test_nothing_to_draw_is_an_empty_string() -> None:
    empty = line_chart([Series("a", [0], [None], "c0")], title="T", description="D", labels=("x", "y"))
    assert empty == ""
    assert histogram([], title="T", description="D", labels=("x", "y")) == ""
    assert bars([], title="T", description="D") == ""


def test_long_series_are_averaged() -> None:
    found = thin(Series("a", range(1000), [1.0] * 1000, "c0"), limit=100)
    assert len(found.x) == 100
    assert found.y == [1.0] * 100


def test_histogram_counts_everything_and_names_are_escaped() -> None:
    svg = histogram([1.0, 2.0, 2.1, 9.0], title="<T>", description="D", labels=("x", "y"))
    root = ElementTree.fromstring(svg)  # noqa: S314
    counted = sum(int((title.text or "").rsplit(": ", 1)[1]) for title in root.iter("title"))
    assert counted == 4
    assert root.attrib["aria-label"] == "<T>. D"
    assert ElementTree.fromstring(bars([("<b>", 0.0, "own")], title="T", description="D")) is not None  # noqa: S314


def test_mel_picture_is_one_pixel_a_frame_and_band_with_low_notes_below() -> None:
    from PIL import Image

    mel = np.full((80, 30), -11.5, dtype=np.float32)
    mel[0] = 2.0
    uri = mel_picture(mel)
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("L")
    assert picture.size == (30, 80)
    pixels = np.asarray(picture)
    assert pixels[-1].min() > 200
    assert pixels[0].max() < 10


def test_the_palette_is_matplotlibs():
    from matplotlib import colormaps

    wanted = (colormaps["magma"](np.linspace(0.0, 1.0, 64))[:, :3] * 255.0).round().astype(np.uint8)
    assert wanted.tobytes() == MAGMA


def test_names_in_charts_are_text() -> None:
    name = '<script>alert(1)</script>" onload="x'
    drawn = [
        bars([(name, 1.0, "c0")], title=name, description=name),
        histogram([1.0, 2.0], title=name, description=name, labels=(name, name)),
        line_chart([Series(name, [0, 1], [1.0, 2.0], "c0")], title=name, description=name, labels=(name, name)),
    ]
    for svg in drawn:
        assert "<script" not in svg
        assert 'onload="' not in svg
        assert "&lt;script&gt;" in svg
