"""An utterance that is too long is split in its pauses, each part with its own words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.forced_alignment import Aligner
from voicemill.align.long_utterances import split_long_utterance
from voicemill.align.utterance_boundaries import UtteranceDraft
from voicemill.audio.segmentation import Segmentation
from voicemill.audio.vad import Span
from voicemill.audio.waveform import MemoryWaveform
from voicemill.text.lexicon import Lexicon

Samples = npt.NDArray[np.float32]
LIMITS = Segmentation(max_duration=5.0)


@pytest.fixture
def long(assemble: Callable[..., Samples], sentences: list[str]) -> tuple[Samples, UtteranceDraft]:
    """Four sentences with a tenth of a second between them, as one."""
    recording = assemble(0, 1, 2, 3, gap=0.1)
    span = Span(1.0, recording.size / 16_000 - 0.1)
    return recording, UtteranceDraft(span, " ".join(sentences[:4]), (0, 1, 2, 3), 1.0, "too_long", "edge", "edge")


def test_cut_in_its_pauses(long: tuple[Samples, UtteranceDraft], sentences: list[str], lexicon: Lexicon) -> None:
    recording, whole = long
    parts = split_long_utterance(whole, MemoryWaveform(recording, 16_000), sentences, Aligner(lexicon), LIMITS)
    assert len(parts) > 1
    assert " ".join(part.text for part in parts) == whole.text
    assert all(part.span.duration <= LIMITS.max_duration - 2 * LIMITS.max_padding for part in parts)
    assert all(not part.problem for part in parts)
    assert [part.text for part in parts] == [" ".join(sentences[index] for index in part.sentences) for part in parts]
    assert (parts[0].span.start, parts[-1].span.end) == (whole.span.start, whole.span.end)
    assert [parts[0].before, parts[0].after, parts[-1].after] == ["edge", "longest_pause", "edge"]


def test_a_wrong_text_is_not_split(
    long: tuple[Samples, UtteranceDraft], sentences: list[str], lexicon: Lexicon
) -> None:
    recording, whole = long
    wrong = UtteranceDraft(whole.span, " ".join(sentences[4:8]), (4, 5, 6, 7), 1.0, "too_long")
    assert split_long_utterance(wrong, MemoryWaveform(recording, 16_000), sentences, Aligner(lexicon), LIMITS) == [
        wrong
    ]


def test_no_pause_no_cut(clips: list[tuple[Samples, str]], sentences: list[str], lexicon: Lexicon) -> None:
    samples, text = clips[5]
    whole = UtteranceDraft(Span(0.0, samples.size / 16_000), text, (5,), 1.0, "too_long")
    tight = Segmentation(min_duration=0.5, max_duration=1.0)
    assert split_long_utterance(whole, MemoryWaveform(samples, 16_000), sentences, Aligner(lexicon), tight) == [whole]
