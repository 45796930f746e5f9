from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align.features import COEFFICIENTS, FrontEnd, streams, to_pcm16
from voicemill.errors import StorageError

Clip = tuple[npt.NDArray[np.float32], str]


def test_cepstra_do_not_depend_on_earlier_calls(clips: list[Clip]) -> None:
    sounds = [to_pcm16(samples) for samples, _ in clips[:3]]
    front, other = FrontEnd(), FrontEnd()
    found = [front.cepstra(sound) for sound in sounds]
    for sound, cepstra in list(zip(sounds, found, strict=True))[::-1]:
        assert np.array_equal(other.cepstra(sound), cepstra)
        assert cepstra.shape[1] == COEFFICIENTS
        assert abs(len(cepstra) - len(sound) / 320) <= 2  # a frame every 10 ms
        assert np.allclose(cepstra.mean(axis=0), 0.0, atol=1e-4)


def test_no_temporary_files_are_left(clips: list[Clip]) -> None:
    front = FrontEnd()
    front.cepstra(to_pcm16(clips[0][0]))
    assert not list(Path(tempfile.gettempdir()).glob(f"{front._folder.name}*"))


def test_a_folder_that_cannot_be_written(clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    front = FrontEnd()
    front._folder.write_text("in the way")
    with pytest.raises(StorageError) as caught:
        front.cepstra(to_pcm16(clips[0][0]))
    assert caught.value.reason == f"not_writable:{front._folder}"


def test_streams_are_cepstra_delta_and_delta_delta() -> None:
    ramp = np.repeat(np.arange(10.0, dtype=np.float32)[:, None] ** 2, COEFFICIENTS, axis=1)
    still, speed, turn = streams(ramp)
    assert np.array_equal(still, ramp)
    # of i squared: (i + 2)^2 - (i - 2)^2 = 8 i, and the same a frame later less a frame before = 16
    assert speed[2:8, 0].tolist() == [8.0 * frame for frame in range(2, 8)]
    assert turn[3:7].tolist() == [[16.0] * COEFFICIENTS] * 4
    assert speed[0, 0] == 4.0  # the first frame is repeated
