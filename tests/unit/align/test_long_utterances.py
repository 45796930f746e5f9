"""A sentence that is too long is cut in its pauses, with each part's own words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.forced_alignment import Aligner
from voicemill.align.long_utterances import divide
from voicemill.align.utterance_boundaries import Piece
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.sound import InMemory
from voicemill.audio.vad import Span
from voicemill.text.lexicon import Lexicon

Samples = npt.NDArray[np.float32]
LIMITS = Segmentation(max_duration=5.0)


@pytest.fixture
def long(assemble: Callable[..., Samples], sentences: list[str]) -> tuple[Samples, Piece]:
    """Four sentences with a tenth of a second between them, as one."""
    recording = assemble(0, 1, 2, 3, gap=0.1)
    span = Span(1.0, recording.size / 16_000 - 0.1)
    return recording, Piece(span, " ".join(sentences[:4]), (0, 1, 2, 3), 1.0, "too_long", "edge", "edge")


def test_cut_in_its_pauses(long: tuple[Samples, Piece], sentences: list[str], lexicon: Lexicon) -> None:
    recording, whole = long
    parts = divide(whole, InMemory(recording, 16_000), sentences, Aligner(lexicon), LIMITS)
    assert len(parts) > 1
    assert " ".join(part.text for part in parts) == whole.text
    assert all(part.span.duration <= LIMITS.max_duration - 2 * LIMITS.max_padding for part in parts)
    assert all(not part.problem for part in parts)
    assert [part.text for part in parts] == [" ".join(sentences[index] for index in part.sentences) for part in parts]
    assert (parts[0].span.start, parts[-1].span.end) == (whole.span.start, whole.span.end)
    assert [parts[0].before, parts[0].after, parts[-1].after] == ["edge", "longest_pause", "edge"]


def test_other_words_are_not_taken_apart(long: tuple[Samples, Piece], sentences: list[str], lexicon: Lexicon) -> None:
    recording, whole = long
    wrong = Piece(whole.span, " ".join(sentences[4:8]), (4, 5, 6, 7), 1.0, "too_long")
    assert divide(wrong, InMemory(recording, 16_000), sentences, Aligner(lexicon), LIMITS) == [wrong]


def test_no_pause_no_cut(clips: list[tuple[Samples, str]], sentences: list[str], lexicon: Lexicon) -> None:
    samples, text = clips[5]
    whole = Piece(Span(0.0, samples.size / 16_000), text, (5,), 1.0, "too_long")
    tight = Segmentation(min_duration=0.5, max_duration=1.0)
    assert divide(whole, InMemory(samples, 16_000), sentences, Aligner(lexicon), tight) == [whole]
