from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemill.errors import UsageError
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.options import SynthesisOptions
from voicemill.synthesis.speech import synthesise, synthesise_to_file


@dataclass(frozen=True)
class ToneSynthesiser:
    """Ten frames a character, and a tone for each frame."""

    audio: AudioConfig = field(default_factory=AudioConfig)

    def predict_mel(self, text: str, *, speed: float = 1.0, semitones: float = 0.0) -> NDArray[np.float32]:
        return np.zeros((self.audio.n_mels, round(10 * len(text) / speed)), dtype=np.float32)

    def vocode(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        times = np.arange(mel.shape[1] * self.audio.hop_length) / self.audio.sample_rate
        return (0.1 * np.cos(2 * np.pi * 220 * times)).astype(np.float32)


VOICE = ToneSynthesiser()


def test_pauses_and_speed() -> None:
    rate = VOICE.audio.sample_rate
    plain = SynthesisOptions(sentence_pause=0.0, paragraph_pause=0.0)
    one = synthesise(VOICE, "No more rain.", plain)
    with_break = synthesise(VOICE, 'No more rain. <break time="1.5s"/> No more rain.', plain)
    assert len(with_break) == 2 * len(one) + round(1.5 * rate)
    assert not with_break[len(one) : len(one) + rate].any()
    paused = SynthesisOptions(sentence_pause=0.25, paragraph_pause=0.75)
    spaced = synthesise(VOICE, "No more rain. No more rain.\n\nNo more rain.", paused)
    assert len(spaced) == 3 * len(one) + round(0.25 * rate) + round(0.75 * rate)
    assert len(synthesise(VOICE, "No more rain.", SynthesisOptions(speed=2.0))) == len(one) // 2


def test_a_file_has_the_requested_loudness(tmp_path: Path) -> None:
    import soundfile

    from voicemill.audio.loudness import measure

    target = tmp_path / "speech.wav"
    seconds, gain = synthesise_to_file(VOICE, "No more rain.", target, SynthesisOptions(loudness_lufs=-30.0))
    assert soundfile.info(target).duration == pytest.approx(seconds)
    assert measure(target).integrated_lufs == pytest.approx(-30.0, abs=0.5)
    assert gain < 0
    assert [path.name for path in tmp_path.iterdir()] == ["speech.wav"]


@pytest.mark.parametrize("text", ["", " ... ", '<break time="1s"/>'])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        synthesise(VOICE, text, SynthesisOptions())
    assert caught.value.reason == "nothing_to_say"


@pytest.mark.parametrize(
    "changes", [{"speed": 0.4}, {"speed": float("nan")}, {"semitones": 13}, {"sentence_pause": -1}]
)
def test_options_beyond_their_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        SynthesisOptions(**changes)


def test_the_package_imports_neither_torch_nor_nemo(repository: Path) -> None:
    modules = ", ".join(
        f"voicemill.synthesis.{path.stem}" for path in (repository / "lib/voicemill/synthesis").glob("*.py")
    )
    code = f"import sys\nimport {modules.replace('.__init__', '')}\nassert not {{'torch', 'nemo', 'lightning'}} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(repository / "lib")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
