"""Settings of the mel spectrogram that acoustic model and vocoder share.

The defaults are NeMo's own for English voices (nvidia/tts_en_fastpitch, nvidia/tts_hifigan:
examples/tts/conf/fastpitch_align_v1.05.yaml), so that vocoders are exchangeable.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class AudioConfig(BaseModel):
    """The mel spectrogram: natural log of slaney mels of the magnitude spectrum, `log(mel + log_floor)`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_rate: int = Field(default=22050, gt=0, description="Hz")
    n_fft: int = Field(default=1024, gt=0, description="samples in one window and one transform")
    hop_length: int = Field(default=256, gt=0, description="samples between frames")
    n_mels: int = Field(default=80, gt=0)
    fmin: float = Field(default=0.0, ge=0, description="Hz, lower edge of the lowest mel band")
    fmax: float = Field(default=8000.0, gt=0, description="Hz, upper edge of the highest mel band")
    log_floor: float = Field(default=1e-5, gt=0, description="added before the logarithm")

    @property
    def frames_per_second(self) -> float:
        """Mel frames in one second of audio (86.1 with the defaults)."""
        return self.sample_rate / self.hop_length

    @model_validator(mode="after")
    def _check_band(self) -> AudioConfig:
        if not self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError("fmin < fmax <= sample_rate / 2 must hold")
        return self
