"""Text -> samples through saved checkpoints, and ground-truth-aligned mels for fine-tuning a vocoder."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voicemill.errors import TrainingError, UsageError
from voicemill.files import safe_relative, write_bytes
from voicemill.training.config import AudioConfig
from voicemill.training.data import Clip, PreparedDataset
from voicemill.training.examples import ExampleSource, encode
from voicemill.training.griffin_lim import griffin_lim
from voicemill.training.spelling import WORD, Pronounce, guess, pronounceable, unknown_words

if TYPE_CHECKING:
    from nemo.collections.tts.models import FastPitchModel, HifiGanModel

PAUSE_SECONDS = 0.1
"""Between sentences, beside the silence that the voice itself gives to a full stop."""
LONGEST_CHUNK = 300
"""Characters; a longer sentence is split at a comma, or else at a space, because attention grows with the square."""
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+")
_SILENT_BELOW = 1e-4
_NO_FRAMES = "Kernel size can't be greater than actual input size"
"""What torch says where a very young voice predicts fewer frames than its convolutions are wide."""


def sentences(text: str, longest: int = LONGEST_CHUNK) -> list[str]:
    """Cut a text into what is spoken at once: sentences, and clauses or runs of words where a sentence is too long."""
    chunks: list[str] = []
    for sentence in _SENTENCE_END.split(" ".join(text.split())):
        chunks.extend(_shorter(sentence, longest))
    return [chunk for chunk in chunks if WORD.search(chunk)]


def _shorter(sentence: str, longest: int) -> Iterator[str]:
    if len(sentence) <= longest:
        yield sentence
        return
    parts = _CLAUSE_END.split(sentence)
    if len(parts) == 1:
        parts = sentence.split(" ")
    line = ""
    for part in parts:
        if line and len(line) + 1 + len(part) > longest:
            yield from _shorter(line, longest) if line != sentence else [line]
            line = part
        else:
            line = f"{line} {part}".strip()
    if line:
        yield from _shorter(line, longest) if len(parts) > 1 and line != sentence else [line]


@dataclass(frozen=True)
class Speaker:
    """A voice that can speak: FastPitch, and HiFi-GAN or else Griffin-Lim.

    Attributes:
        audio: settings of its mels; `audio.sample_rate` is the rate of what it speaks, in Hz.
    """

    fastpitch: FastPitchModel
    hifigan: HifiGanModel | None
    audio: AudioConfig
    iterations: int
    pronounce: Pronounce | None

    @property
    def vocoder(self) -> str:
        """What turns mels into sound: `hifigan` or `griffin_lim`."""
        return "griffin_lim" if self.hifigan is None else "hifigan"

    def speak(self, text: str) -> NDArray[np.float32]:
        """Samples in -1..1 at `audio.sample_rate`, shape (samples,), of a normalised text.

        Raises:
            UsageError: there is nothing to say in the text.
            TrainingError: the voice's output is not sound (reason `synthesis_non_finite`).
        """
        pause = np.zeros(round(PAUSE_SECONDS * self.audio.sample_rate), dtype=np.float32)
        pieces: list[NDArray[np.float32]] = []
        for chunk in sentences(text):
            pieces.extend((self.sound_of(self.mel_for(chunk)), pause))
        if not pieces:
            raise UsageError("There is nothing to say in the text.", reason="nothing_to_say")
        return np.concatenate(pieces[:-1])

    def mel_for(self, text: str, *, speed: float = 1.0, semitones: float = 0.0) -> NDArray[np.float32]:
        """Log-mel of shape (mels, frames) of one sentence, spoken at once.

        Args:
            text: normalised.
            speed: 1 as trained, 2 twice as fast.
            semitones: how much the mean pitch is shifted.

        Raises:
            UsageError: no word of it can be pronounced.
            TrainingError: the mel is empty or not finite.
        """
        import torch

        from voicemill.training.runtime import nemo_runtime

        with nemo_runtime(), torch.no_grad():
            tokens, _ = encode(self.fastpitch, self.pronounceable(text))
            if not tokens:
                raise UsageError("There is nothing to say in the text.", reason="nothing_to_say")
            batch = torch.tensor([tokens], device=self.fastpitch.device)
            module = self.fastpitch.fastpitch
            # The model's pitch is (Hz - mean) / deviation of the training clips.
            offset = float(module.pitch_mean / module.pitch_std) * (2 ** (semitones / 12) - 1)
            pitch = torch.full((1, 1), offset, device=batch.device)
            try:
                mel: NDArray[np.float32] = module.infer(text=batch, pitch=pitch, pace=speed)[0][0].float().cpu().numpy()
            except RuntimeError as error:
                if _NO_FRAMES not in str(error):
                    raise
                mel = np.zeros((0, 0), dtype=np.float32)
        if not mel.size or not np.isfinite(mel).all():
            raise TrainingError(
                "The voice gave an empty or broken mel spectrogram.",
                reason="synthesis_non_finite",
                hint="Train it longer.",
            )
        return mel

    def sound_of(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples, shape (frames * hop,), of a log-mel of shape (mels, frames)."""
        import torch

        from voicemill.training.runtime import nemo_runtime

        if self.hifigan is None:
            return griffin_lim(mel, self.audio, iterations=self.iterations)
        with nemo_runtime(), torch.no_grad():
            spectrogram = torch.from_numpy(mel)[None].to(self.hifigan.device)
            samples: NDArray[np.float32] = (
                self.hifigan.convert_spectrogram_to_audio(spec=spectrogram)[0].float().cpu().numpy()
            )
        if not np.isfinite(samples).all():
            raise TrainingError(
                "The vocoder gave samples that are not finite.", reason="synthesis_non_finite", hint="Use Griffin-Lim."
            )
        # HiFi-GAN's frame t makes the samples from t * hop on, FastPitch's is centred there: without the shift all
        # sound
        # comes half a hop (5.8 ms) late.
        half = self.audio.hop_length // 2
        return np.pad(np.clip(samples, -1.0, 1.0)[half:], (0, half))

    def pronounceable(self, text: str) -> str:
        """The text with unknown words written as phones, see `spelling.pronounceable`.

        Raises:
            UsageError: the text has unknown words and the speaker was given no way to pronounce them.
        """
        if self.pronounce is None and (unknown := unknown_words(self.fastpitch, text)):
            raise UsageError(f"The voice cannot pronounce: {', '.join(unknown)}.", reason=f"unknown_words:{unknown[0]}")
        return pronounceable(self.fastpitch, text, self.pronounce or guess)


def load_speaker(
    fastpitch: Path,
    hifigan: Path | None = None,
    *,
    device: str = "cpu",
    iterations: int = 60,
    pronounce: Pronounce | None = None,
) -> Speaker:
    """Restore a voice from its `.nemo` files, weights only.

    Args:
        fastpitch: the acoustic model.
        hifigan: the vocoder; without one Griffin-Lim speaks.
        device: where to compute, as torch names it.
        iterations: of Griffin-Lim.
        pronounce: phones of words that the lexicon lacks; by default the text room's dictionary and guesses.

    Raises:
        TrainingError: a file cannot be restored, or the two do not share their mel settings.
    """
    from voicemill.training.runtime import nemo_runtime, restore_fastpitch, restore_hifigan

    with nemo_runtime():
        model = restore_fastpitch(fastpitch, device=device)
        audio = audio_of(model)
        vocoder = None if hifigan is None else restore_hifigan(hifigan, device=device)
        if vocoder is not None and audio_of(vocoder) != audio:
            raise TrainingError(
                "The vocoder was made for mels of other settings than the voice's.", reason="vocoder_mismatch"
            )
    return Speaker(model, vocoder, audio, iterations, pronounce or guess)


def audio_of(model: FastPitchModel | HifiGanModel) -> AudioConfig:
    """The mel settings that a model was made for."""
    settings = model.cfg.preprocessor
    return AudioConfig(
        sample_rate=settings.sample_rate,
        n_fft=settings.n_fft,
        hop_length=settings.n_window_stride,
        # FastPitch's front end calls its bands `features`, HiFi-GAN's calls them `nfilt`.
        n_mels=settings.features if "features" in settings else settings.nfilt,
        fmin=settings.lowfreq,
        fmax=settings.highfreq,
        log_floor=settings.log_zero_guard_value,
    )


@dataclass(frozen=True)
class AlignedMel:
    """A mel that the acoustic model made with the clip's own timing.

    Attributes:
        clip: id of the clip.
        path: `.npy`, float32, shape (mels, frames), frames = samples // hop.
        frames: its length.
        distance: mean absolute difference from the clip's real log-mel.
    """

    clip: str
    path: Path
    frames: int
    distance: float


def ground_truth_aligned_mels(
    model: FastPitchModel,
    dataset: PreparedDataset,
    out_dir: Path,
    *,
    clips: Iterable[Clip] | None = None,
    strict: bool = True,
) -> list[AlignedMel]:
    """Predict each clip's mel with its real durations and pitch, so that a vocoder learns from what it will be given.

    Args:
        model: a FastPitch; it is put into evaluation mode, as dropout would blur the mels.
        dataset: the prepared dataset it was trained on.
        out_dir: gets `<id>.npy` per clip.
        clips: which; all training and validation clips by default.
        strict: see `token_spans`; False for a base checkpoint's own tokenizer.

    Raises:
        DatasetError: text and alignment of a clip do not fit.
        TrainingError: a mel has not the length of its clip (`mel_length:<clip>`) or is not finite.
    """
    import torch

    from voicemill.training.runtime import nemo_runtime

    chosen = tuple(dataset.train + dataset.validation if clips is None else clips)
    made = []
    with nemo_runtime(), torch.no_grad():
        model.eval()
        source = ExampleSource(model, chosen, dataset.facts, audio_of(model), "durations", strict)
        for index, clip in enumerate(chosen):
            example = source[index]
            mel = (
                model(
                    text=example.tokens[None].to(model.device),
                    durs=None if example.durations is None else example.durations[None].to(model.device),
                    pitch=example.pitch[None].to(model.device),
                )[0][0]
                .float()
                .cpu()
            )
            if mel.shape != example.mel.shape or not torch.isfinite(mel).all():
                raise TrainingError(
                    f"The predicted mel of clip {clip.id} has shape {tuple(mel.shape)}; "
                    f"its clip has {tuple(example.mel.shape)}.",
                    reason=f"mel_length:{clip.id}",
                )
            path = out_dir / safe_relative(f"{clip.id}.npy")
            buffer = io.BytesIO()
            np.save(buffer, mel.numpy(), allow_pickle=False)
            write_bytes(path, buffer.getvalue())
            made.append(AlignedMel(clip.id, path, mel.shape[1], float((mel - example.mel).abs().mean())))
    return made
