"""Small charts as inline SVG. They take their colours from the page, so one report works in light and dark themes.

The SVG is written directly: that of matplotlib has fixed colours and contains each glyph as a path. Series differ in
colour and in dash, so they are distinguishable without colour. Every chart has a name for screen readers.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH, HEIGHT = 460, 250
WIDE_WIDTH, WIDE_HEIGHT = 980, 210
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 12, 44
MAX_POINTS = 240
"""More points than pixels add nothing; longer series are averaged in equal groups."""
LOG_SCALE_FROM = 8.0
"""Positive values that span more than this factor are drawn on a logarithmic axis."""
MAGMA = bytes.fromhex(
    "00000402010903031206051a0a08220e0b2b130d34180f3d1d114722115029115a2f116336106b3d0f71440f764a1079"
    "52137c59157e5f187f651a806b1d81721f817822817e24828426818b2981912b81982d809e2f7fa5317eab337cb2357b"
    "ba3878c03a76c73d73cd4071d3436ed9466bdf4a68e44f64e95462ed5a5ff1605df4675cf66e5cf8765cfa7d5efb8560"
    "fc8e64fd9668fe9d6cfea571feac76feb47bfebb81fec287feca8dfed194fed89afde0a1fde7a9fceeb0fcf6b8fcfdbf"
)
"""64 colours of matplotlib's `magma` (CC0), red, green and blue each: matplotlib itself takes half a second to load and
writes into the home folder."""
MEL_FLOOR, MEL_CEILING = -11.5, 2.0
"""Natural logarithms at the ends of the colour scale of every mel picture: NeMo's guard and the loudest speech."""


@dataclass(frozen=True)
class Series:
    """One line of a chart; None in `y` is a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    style: str
    """CSS class: `real`, `made`, or `c0` to `c4`."""


@dataclass(frozen=True)
class _Scale:
    """Values -> pixels along one axis."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log(each) for each in (self.low, self.high, value))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        return self.start + (self.end - self.start) * (at - low) / (high - low)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them, with steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between `low` and `high`; powers alone over more than three decades."""
    factors = (1, 2, 5) if math.log10(high / low) <= 3 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]


def number(value: float) -> str:
    """A number as short as its size allows."""
    if value and (abs(value) >= 100_000 or abs(value) < 0.001):
        return f"{value:.1e}"
    return f"{value:,.4g}"


def thin(series: Series, limit: int = MAX_POINTS) -> Series:
    """Average a long series without gaps in equal groups of points."""
    if len(series.x) <= limit or any(value is None for value in series.y):
        return series
    groups = list(pairwise(np.linspace(0, len(series.x), limit + 1).astype(int).tolist()))
    x, y = (np.array(values, dtype=np.float64) for values in (series.x, series.y))
    return Series(
        name=series.name,
        x=[float(x[a:b].mean()) for a, b in groups],
        y=[float(y[a:b].mean()) for a, b in groups],
        style=series.style,
    )


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    description: str,
    labels: tuple[str, str],
    logarithmic: bool = False,
    wide: bool = False,
) -> Markup:
    """Lines over a common pair of axes; an empty string without any finite value.

    Args:
        series: lines; a value that is NaN or infinite counts as a gap.
        title: name for screen readers.
        description: the chart in words, for screen readers.
        labels: names of the horizontal and of the vertical axis.
        logarithmic: allow a logarithmic vertical axis, used where positive values span a factor of 8.
        wide: the whole width of the page instead of half of it.
    """
    shown = [thin(each) for each in map(_finite, series) if any(value is not None for value in each.y)]
    if not shown:
        return Markup("")
    width, height = (WIDE_WIDTH, WIDE_HEIGHT) if wide else (WIDTH, HEIGHT)
    ys = [value for each in shown for value in each.y if value is not None]
    xs = [value for each in shown for value in each.x]
    logarithmic = logarithmic and min(ys) > 0 and max(ys) / min(ys) > LOG_SCALE_FROM
    x = _Scale(*_span(min(xs), max(xs), 0.0), LEFT, width - RIGHT)
    low, high = (min(ys) / 1.1, max(ys) * 1.1) if logarithmic else _span(min(ys), max(ys), 0.06)
    y = _Scale(low, high, height - BOTTOM, TOP, logarithmic)
    marks = log_ticks(low, high) if logarithmic else ticks(low, high)
    body = _axes(x, y, ticks(x.low, x.high, 10 if wide else 5), marks, labels)
    body += Markup("").join(_line(each, x, y) for each in shown)
    return _figure(body, title, description, width, height)


def histogram(
    values: Sequence[float], *, title: str, description: str, labels: tuple[str, str], bins: int = 12
) -> Markup:
    """Counts of `values` in equal bins; an empty string without values."""
    if not len(values):
        return Markup("")
    counts, edges = np.histogram(values, bins=bins, range=_span(min(values), max(values), 0.0))
    x = _Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    y = _Scale(0.0, float(counts.max()) * 1.08, HEIGHT - BOTTOM, TOP)
    whole = [mark for mark in ticks(0.0, float(counts.max()), 4) if mark == int(mark)]
    body = _axes(x, y, ticks(x.low, x.high, 6), whole, labels)
    shape = Markup(
        '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"><title>{}</title></rect>'
    )
    for count, (a, b) in zip(counts.tolist(), pairwise(edges.tolist()), strict=True):
        if count:
            body += shape.format(
                x(a) + 1, y(count), x(b) - x(a) - 2, y(0.0) - y(count), f"{number(a)} to {number(b)}: {count}"
            )
    return _figure(body, title, description)


def bars(rows: Sequence[tuple[str, float, str]], *, title: str, description: str, digits: int = 2) -> Markup:
    """Horizontal bars: (label, value, CSS class) each; an empty string without rows."""
    if not rows:
        return Markup("")
    left, row = min(210.0, 20.0 + 7.5 * max(len(label) for label, _, _ in rows)), 30
    x = _Scale(0.0, max(value for _, value, _ in rows) or 1.0, left, WIDTH - 58)
    shape = Markup(
        '<text class="label" x="{:.0f}" y="{}" text-anchor="end">{}</text>'
        '<rect class="bar {}" x="{:.0f}" y="{}" width="{:.1f}" height="20" rx="3"/>'
        '<text class="value" x="{:.1f}" y="{}">{}</text>'
    )
    body = Markup("")
    for index, (label, value, style) in enumerate(rows):
        top, length = TOP + index * row, max(1.5, x(value) - left)
        body += shape.format(
            left - 10, top + 15, label, style, left, top, length, left + length + 7, top + 15, f"{value:.{digits}f}"
        )
    return _figure(body, title, description, height=TOP + len(rows) * row + 4)


def dots(rows: Sequence[tuple[str, Sequence[float], str]], *, title: str, description: str, axis: str) -> Markup:
    """Values of several groups on one axis, a row of dots for each: (label, values, CSS class).

    A tick marks the mean of a row, which stands at its end. An empty string without values.
    """
    rows = [row for row in rows if len(row[1])]
    if not rows:
        return Markup("")
    row_height = 42
    left = min(210.0, 20.0 + 7.5 * max(len(label) for label, _, _ in rows))
    low, high = _span(min(min(values) for _, values, _ in rows), max(max(values) for _, values, _ in rows), 0.04)
    x = _Scale(low, high, left, WIDE_WIDTH - 64)
    floor = TOP + len(rows) * row_height
    body = Markup("")
    for mark in ticks(low, high, 8):
        body += Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text class="tick" x="{0:.1f}" y="{3}" text-anchor="middle">{4}</text>'
        ).format(x(mark), TOP, floor, floor + 16, number(mark))
    for index, (label, values, style) in enumerate(rows):
        middle, mean = TOP + index * row_height + row_height / 2, sum(values) / len(values)
        body += Markup('<text class="label" x="{:.0f}" y="{:.0f}" text-anchor="end">{}</text>').format(
            left - 12, middle + 4, label
        )
        for place, value in enumerate(values):
            # Neighbouring dots lie at different heights, so that many of one value are seen as many.
            body += Markup('<circle class="mark {}" cx="{:.1f}" cy="{:.1f}" r="3.6"/>').format(
                style, x(value), middle + (place * 5 % 7 - 3) * 3.4
            )
        body += Markup(
            '<line class="mean {0}" x1="{1:.1f}" x2="{1:.1f}" y1="{2:.0f}" y2="{3:.0f}"/>'
            '<text class="value" x="{4:.0f}" y="{5:.0f}">{6:.3f}</text>'
        ).format(style, x(mean), middle - 17, middle + 17, WIDE_WIDTH - 54, middle + 4, mean)
    body += Markup('<text class="name" x="{:.0f}" y="{}" text-anchor="middle">{}</text>').format(
        (left + WIDE_WIDTH - 64) / 2, floor + 34, axis
    )
    return _figure(body, title, description, width=WIDE_WIDTH, height=floor + 40)


def mel_picture(mel: NDArray[np.float32]) -> str:
    """A log-mel spectrogram as the data URI of a small palette PNG, low notes below, one pixel a frame and band.

    Args:
        mel: (n_mels, frames), natural logarithm.
    """
    from PIL import Image

    level = np.clip((mel - MEL_FLOOR) / (MEL_CEILING - MEL_FLOOR), 0.0, 1.0)
    # 64 steps are finer than the eye and compress to half the size of 256.
    picture = Image.fromarray(np.ascontiguousarray((level[::-1] * 63.0).astype(np.uint8)))
    picture.putpalette(MAGMA)
    target = io.BytesIO()
    picture.save(target, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def _finite(series: Series) -> Series:
    y = [value if value is not None and math.isfinite(value) else None for value in series.y]
    return Series(name=series.name, x=series.x, y=y, style=series.style)


def _span(low: float, high: float, margin: float) -> tuple[float, float]:
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    return low - margin * (high - low), high + margin * (high - low)


def _axes(x: _Scale, y: _Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], labels: tuple[str, str]) -> Markup:
    """Grid, ticks and names of both axes."""
    grid = Markup(
        '<line class="grid" x1="{:.0f}" x2="{:.0f}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text class="tick" x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>'
    )
    below = Markup('<text class="tick" x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>')
    names = Markup(
        '<line class="axis" x1="{0:.0f}" x2="{1:.0f}" y1="{2:.0f}" y2="{2:.0f}"/>'
        '<text class="name" x="{3:.0f}" y="{4:.0f}" text-anchor="middle">{5}</text>'
        '<text class="name" x="12" y="{6:.0f}" text-anchor="middle" '
        'transform="rotate(-90 12 {6:.0f})">{7}</text>'
    )
    floor = y.start
    body = Markup("")
    for mark in y_ticks:
        body += grid.format(x.start, x.end, y(mark), y(mark), x.start - 7, y(mark) + 4, number(mark))
    for mark in x_ticks:
        body += below.format(x(mark), floor + 17, number(mark))
    return body + names.format(
        x.start, x.end, floor, (x.start + x.end) / 2, floor + BOTTOM - 6, labels[0], (y.start + y.end) / 2, labels[1]
    )


def _line(series: Series, x: _Scale, y: _Scale) -> Markup:
    """The series as polylines, one for each stretch without a gap."""
    pieces: list[list[str]] = [[]]
    for at, value in zip(series.x, series.y, strict=True):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x(at):.1f},{y(value):.1f}")
    drawn = Markup("")
    for piece in pieces:
        # A single point still shows: a line of no length with a round cap.
        points = piece * 2 if len(piece) == 1 else piece
        if points:
            drawn += Markup('<polyline class="line {}" points="{}"/>').format(series.style, " ".join(points))
    return drawn


def _figure(body: Markup, title: str, description: str, width: float = WIDTH, height: float = HEIGHT) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, f"{title}. {description}", body
    )
