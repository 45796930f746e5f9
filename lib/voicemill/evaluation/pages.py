"""Self-contained HTML pages: shared templates, and the cards, charts, players and sounds that they show."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

SoundUri = Callable[[NDArray[np.float32], int], str]
"""Makes the data URI of mono samples, shape (samples,), at a rate in Hz."""
FOLDER = Path(__file__).parent
"""Contains `style.css` and `parts.html.j2`, which every page may include."""


@dataclass(frozen=True)
class Card:
    """A key figure with the one fact that puts it in proportion."""

    label: str
    value: str
    unit: str
    context: str


@dataclass(frozen=True)
class Chart:
    """A chart with its caption and legend: (name, CSS class) each."""

    title: str
    svg: Markup
    caption: str
    legend: list[tuple[str, str]]


@dataclass(frozen=True)
class SoundPlayer:
    """One sound of a sentence, with its spectrogram: the recording, or the voice through one vocoder."""

    label: str
    style: str
    """CSS class: `real`, `made` (the chosen vocoder) or `other`."""
    shipped: bool
    seconds: float
    audio: str
    """Data URI."""
    picture: str
    """Data URI."""
    recognised: Markup | None
    error_rate: float | None


def flac_uri(samples: NDArray[np.float32], sample_rate: int) -> str:
    """A sound as the data URI of a 16-bit FLAC file: lossless, half of a WAV, played by every current browser."""
    import soundfile

    target = io.BytesIO()
    soundfile.write(target, np.clip(samples, -1.0, 1.0), sample_rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(target.getvalue()).decode("ascii")


def render(template: Path, **values: object) -> str:
    """Render a page as one document.

    Args:
        template: a Jinja template; it may include files beside it or in this package.
        values: variables of the template; text is escaped unless it is `Markup`.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader([template.parent, FOLDER]),
    )
    return environment.get_template(template.name).render(**values)
