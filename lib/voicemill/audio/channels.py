"""Tracks and channels: which of a file's sound is taken, and how channels become one.

Requests import this module before the gates have found numpy, so numpy is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Channel = Literal["left", "right", "best"]
CHANNELS: Final[tuple[str, ...]] = get_args(Channel)
MAX_TRACK: Final = 64
_TRACK_KEY, _CHANNEL_KEY = "audio_track", "audio_channel"
_FRAME = 0.02
"""Seconds of a frame whose level is measured."""
_FLOOR_DB = -120.0
_EQUAL_DB = 1.0
"""Difference of two signal-to-noise ratios up to which the louder channel is the better one."""
_CLIPPED = 0.999
_MAX_CLIPPED = 0.001
"""Share of samples at full scale from which a channel loses to one that has fewer."""


@dataclass(frozen=True)
class ChannelSelection:
    """Audio track (1 is the first) and channel of a file; None takes the first track and mixes all channels."""

    track: int | None = None
    channel: Channel | None = None

    def __post_init__(self) -> None:
        if self.track is not None and not 1 <= self.track <= MAX_TRACK:
            raise ValueError(f"track {self.track} is not from 1 to {MAX_TRACK}")
        if self.channel is not None and self.channel not in CHANNELS:
            raise ValueError(f"channel {self.channel!r} is none of {', '.join(CHANNELS)}")

    @property
    def record(self) -> dict[str, str]:
        """What was chosen, for the description of a dataset."""
        chosen = {_TRACK_KEY: self.track, _CHANNEL_KEY: self.channel}
        return {name: str(value) for name, value in chosen.items() if value is not None}

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> ChannelSelection:
        """The selection again."""
        track = record.get(_TRACK_KEY)
        channel = next((one for one in get_args(Channel) if one == record.get(_CHANNEL_KEY)), None)
        return cls(None if track is None else int(track), channel)


def mixing_weights(channels: int) -> npt.NDArray[np.float32]:
    """The average of all channels, without the low-frequency effects channel of 5.1 and 7.1.

    ffmpeg's `-ac 1` would add float channels up beyond full scale.
    """
    import numpy as np

    weights = np.ones(channels, dtype=np.float32)
    if channels in (6, 8):
        weights[3] = 0.0
    weights /= weights.sum()
    return weights


def single_channel(index: int, channels: int) -> npt.NDArray[np.float32]:
    """Weights that take one channel as it is."""
    import numpy as np

    weights = np.zeros(channels, dtype=np.float32)
    weights[index] = 1.0
    return weights


def best_channel(blocks: Iterable[npt.NDArray[np.float32]], rate: int) -> int:
    """Index of the channel, 0 or 1, with the clearer voice.

    That is the one with the higher ratio of its loud frames (95th percentile) to its quiet ones (10th); the louder one
    where both are within 1 dB; never one that is clipped where the other is not.

    Args:
        blocks: (n, channels) samples in order; channels from the third on are ignored.
        rate: sample rate (Hz).
    """
    import numpy as np

    size = max(1, round(_FRAME * rate))
    waiting = np.zeros((0, 2), dtype=np.float32)
    levels, clipped, count = [np.zeros((0, 2))], np.zeros(2), 0
    for block in blocks:
        part = block[:, :2]
        clipped += (np.abs(part) >= _CLIPPED).sum(axis=0)
        count += len(part)
        waiting = np.concatenate((waiting, part))
        whole = len(waiting) // size * size
        frames = waiting[:whole].reshape(-1, size, 2).astype(np.float64)
        levels.append(10.0 * np.log10(np.maximum(np.square(frames).mean(axis=1), 10.0 ** (_FLOOR_DB / 10.0))))
        waiting = waiting[whole:]
    found = np.concatenate(levels)
    if not len(found):
        return 0
    broken = clipped / count > _MAX_CLIPPED
    if broken[0] != broken[1]:
        return int(broken[0])
    loud, quiet = np.percentile(found, 95.0, axis=0), np.percentile(found, 10.0, axis=0)
    silent = loud <= _FLOOR_DB + 1.0
    if silent[0] != silent[1]:
        return int(silent[0])
    ratio = loud - quiet
    return int(np.argmax(loud) if abs(ratio[0] - ratio[1]) <= _EQUAL_DB else np.argmax(ratio))
