"""Decoding: any recording to checked mono samples, with ffmpeg, treating the file as untrusted.

File names do not count. ffmpeg may use only the demuxers of `ffmpeg.FORMATS` and only the protocol `file`, so a
playlist or concat script named .wav is refused, and no file or URL in it is opened. Paths are always passed as
`file:<absolute path>`, so that a leading dash or a colon has no special meaning.

Samples are read at the file's own sample rate (`source_blocks`), checked block by block (finite, not silent, as long as
the header declares) and resampled with soxr, which gives the same result with every build of ffmpeg. Memory does not
grow with the length of the recording.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from voicemill import files
from voicemill.audio import channels, ffmpeg, source_blocks
from voicemill.audio.channels import ChannelSelection
from voicemill.audio.probing import SOURCE_SUFFIXES, AudioInfo, Declared, inspect, locate, probe
from voicemill.errors import AudioError

Samples = npt.NDArray[np.float32]
"""Mono samples (n,), full scale 1.0."""

MIXED = ChannelSelection()
"""The first track with all its channels."""
MIN_SECONDS = 0.5
"""Seconds; a shorter source cannot contain an utterance."""
SILENCE_PEAK = 10.0 ** (-60.0 / 20.0)
"""Peak amplitude (-60 dBFS) below which a recording counts as silent."""
_WIDTHS = {"PCM_16": 2, "FLOAT": 4}
"""Bytes per sample of the WAV to write."""
_CHECK_EVERY = 1 << 24
"""Samples between two looks at the free disk, for files that do not declare their length (64 MiB)."""
_RESERVE = 16 * 1024 * 1024
"""Bytes that decoding such a file leaves free on the disk."""
_INVERTED = 0.7
"""Correlation of two channels below minus which one of them is inverted."""


class _InvertedChannelError(Exception):
    """One channel of two is inverted; the recording is decoded again."""


@dataclass
class _Seen:
    """Number of samples, peak, sum, and products of two channels so far."""

    samples: int = 0
    peak: float = 0.0
    total: float = 0.0
    products: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))  # left², left × right, right²

    @property
    def inverted(self) -> bool:
        """Whether the two channels are the same sound with opposite signs, so that their average is nothing."""
        left, both, right = (float(value) for value in self.products)
        return both < -_INVERTED * math.sqrt(left * right)


def check_source(path: Path, *, min_seconds: float = MIN_SECONDS, selection: ChannelSelection = MIXED) -> AudioInfo:
    """Decode a source to its end and check it, without writing anything.

    Args:
        path: the recording.
        min_seconds: a shorter source is refused.
        selection: track and channel.

    Returns:
        Properties of the file; `duration` is measured, not taken from the header.

    Raises:
        AudioError: `missing_audio_path`, `audio_too_small`, `audio_lfs_pointer`, `audio_unreadable`, `audio_truncated`
            (with the second), `audio_not_finite`, `audio_silent`, `audio_track_missing`, `audio_channel_missing`.
        DependencyError: ffmpeg is not installed.
    """
    declared = inspect(path, selection.track)

    def check(weights: Samples) -> AudioInfo:
        seen = _Seen()
        for block in _checked(path, declared, seen, weights):
            seen.samples += len(block)
        return _finish(path, declared, seen, min_seconds)

    return _selected(declared, selection, check)


def decode(
    path: Path,
    target_wav: Path,
    *,
    sample_rate: int,
    start: float | None = None,
    end: float | None = None,
    subtype: Literal["PCM_16", "FLOAT"] = "PCM_16",
    gain_db: float = 0.0,
    min_seconds: float = MIN_SECONDS,
    selection: ChannelSelection = MIXED,
) -> AudioInfo:
    """Decode, mix to mono, resample and write one WAV, atomically, with the checks of `check_source`.

    Args:
        path: the recording.
        target_wav: written only if there is no error.
        sample_rate: rate of the result (Hz).
        start: start of the part to decode (seconds), counted in decoded samples, so exact for every codec.
        end: end of the part (seconds).
        subtype: 16-bit integers or 32-bit float; float keeps samples that a gain would clip.
        gain_db: one constant gain (see `loudness.gain_to`).
        min_seconds: a shorter result is refused.
        selection: track and channel.

    Returns:
        Properties of the source (its own rate and channels); `duration` is that of the decoded part.

    Raises:
        AudioError: see `check_source`; also if the file ends before `start`.
        DependencyError: ffmpeg is not installed.
        StorageError: the target cannot be written; `disk_full` before the first sample if the length in the header does
            not fit on the disk, and later if the file is longer than its header declares.
        ValueError: `end` is not after `start`, or one is negative.
    """
    if (start is not None and start < 0) or (end is not None and end <= (start or 0.0)):
        raise ValueError(f"no time between start={start} and end={end}")
    declared = inspect(path, selection.track)
    seconds = max(0.0, min(end or np.inf, declared.duration or 0.0) - (start or 0.0))
    needed = int(seconds * sample_rate) * _WIDTHS[subtype]
    factor = np.float32(10.0 ** (gain_db / 20.0))

    def write_all(weights: Samples) -> AudioInfo:
        seen, checked = _Seen(), 0
        with (
            files.atomic_path(target_wav, suffix=".wav") as temporary,
            _writer(temporary, sample_rate, subtype) as write,
        ):
            files.ensure_space(target_wav.parent, needed, f"Decoding {path.name}")
            stretch = _cut(_checked(path, declared, seen, weights, stop=end), declared.sample_rate, start, end)
            with resampler(declared.sample_rate, sample_rate) as convert:
                for block in stretch:
                    seen.samples += len(block)
                    seen.total += float(block.sum(dtype=np.float64))
                    if seen.samples - checked >= _CHECK_EVERY:
                        checked = seen.samples
                        files.ensure_space(target_wav.parent, _RESERVE, f"Decoding {path.name}")
                    write(convert(block, False) * factor)
                write(convert(np.zeros(0, dtype=np.float32), True) * factor)
            if seen.samples == 0 and start:
                raise AudioError(
                    f"{path.name} ends before second {start:g}, the start of the part.",
                    reason="audio_too_small",
                    hint="Choose an earlier start.",
                )
            return _finish(path, declared, seen, min_seconds)

    return _selected(declared, selection, write_all)


def require_selection(path: Path, selection: ChannelSelection) -> None:
    """Check by the header that a file has the track and the channel that are asked for.

    Raises:
        AudioError: `audio_track_missing`, `audio_channel_missing`, and see `probing.inspect`.
    """
    _require_channel(inspect(path, selection.track), selection)


def _require_channel(declared: Declared, selection: ChannelSelection) -> None:
    if declared.channels == 1 and selection.channel in ("left", "right"):
        raise AudioError(
            f"{declared.path.name} is mono, and --channel asks for the {selection.channel} one of two channels.",
            reason="audio_channel_missing",
            hint="Leave --channel out.",
        )


def _selected(declared: Declared, selection: ChannelSelection, work: Callable[[Samples], AudioInfo]) -> AudioInfo:
    """The result of work with the weights of the channels that are selected."""
    _require_channel(declared, selection)
    if selection.channel is None or declared.channels == 1:
        return replace(_mended(declared, work), tracks=declared.tracks)
    if selection.channel == "best":
        index = channels.best_channel(source_blocks.raw_blocks(declared), declared.sample_rate)
    else:
        index = 0 if selection.channel == "left" else 1
    weights = channels.single_channel(index, declared.channels)
    return replace(work(weights), tracks=declared.tracks, channel=index + 1)


def _mended(declared: Declared, work: Callable[[Samples], AudioInfo]) -> AudioInfo:
    """The result of work with all channels mixed; with one of two inverted if they cancel each other."""
    weights = channels.mixing_weights(declared.channels)
    try:
        return work(weights)
    except _InvertedChannelError:
        return replace(work(weights * np.array([1.0, -1.0], dtype=np.float32)), inverted=True)


def read_mono(path: Path) -> tuple[Samples, int]:
    """Read a WAV or FLAC that this toolbox wrote, or any format of libsndfile, into memory.

    Returns:
        Samples (n,), channels averaged, and the rate (Hz).

    Raises:
        AudioError: `missing_audio_path`, `audio_too_small`, `audio_lfs_pointer`, `audio_unreadable` or
            `audio_not_finite`.
    """
    import soundfile

    locate(path)
    try:
        with path.open("rb") as handle:
            samples, rate = soundfile.read(handle, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(
            f"{path.name} cannot be read as audio: {error}.",
            reason="audio_unreadable",
            hint="Check that the file plays, or convert it to WAV or FLAC.",
        ) from error
    mono: Samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise _not_finite(path, int(np.flatnonzero(~np.isfinite(mono))[0]) / rate)
    return mono, int(rate)


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Resample (n,) samples from `rate` Hz to `to` Hz with soxr; returns (round(n * to / rate),)."""
    if rate == to:
        return samples
    import soxr

    converted: Samples = soxr.resample(samples, rate, to, quality="HQ").astype(np.float32, copy=False)
    return converted


def analyse(path: Path, audio_filter: str) -> str:
    """Run a measuring filter of ffmpeg over a whole file and return its log.

    Raises:
        AudioError: see `locate`; `audio_unreadable`, ffmpeg fails.
        DependencyError: ffmpeg is not installed.
    """
    locate(path)
    with ffmpeg.ffmpeg(path, {"af": audio_filter, "f": "null"}, level="info", output="-") as (process, log):
        code = process.wait()
        text = log()
    if code != 0:
        raise ffmpeg.unreadable(path, text)
    return text


def _blocks(path: Path, declared: Declared, weights: Samples, seen: _Seen) -> Iterator[Samples]:
    """Mono float32 blocks at the file's own rate; raises at the end if ffmpeg failed or the file is truncated."""
    both = declared.channels == 2 and bool((weights > 0).all())
    for block in source_blocks.raw_blocks(declared):
        if both:
            seen.products += (block.T @ block)[[0, 0, 1], [0, 1, 1]]
        yield block[:, 0] if declared.channels == 1 else block @ weights


def _checked(
    path: Path, declared: Declared, seen: _Seen, weights: Samples, *, stop: float | None = None
) -> Iterator[Samples]:
    """`_blocks` without NaN and infinity, tracking the peak; ends early after `stop` seconds."""
    position = 0
    limit = None if stop is None else round(stop * declared.sample_rate)
    for block in _blocks(path, declared, weights, seen):
        finite = np.isfinite(block)
        if not finite.all():
            raise _not_finite(path, (position + int(np.argmin(finite))) / declared.sample_rate)
        seen.peak = max(seen.peak, float(np.abs(block).max()))
        position += len(block)
        yield block
        if limit is not None and position >= limit:
            return


def _cut(blocks: Iterator[Samples], rate: int, start: float | None, end: float | None) -> Iterator[Samples]:
    first = round((start or 0.0) * rate)
    last = None if end is None else round(end * rate)
    position = 0
    for block in blocks:
        part = block[max(0, first - position) : None if last is None else max(0, last - position)]
        position += len(block)
        if len(part):
            yield part


def _finish(path: Path, declared: Declared, seen: _Seen, min_seconds: float) -> AudioInfo:
    if seen.inverted:
        raise _InvertedChannelError
    seconds = seen.samples / declared.sample_rate
    if seconds < min_seconds:
        raise AudioError(
            f"{path.name} contains only {seconds:.2f} seconds of audio; at least {min_seconds:g} are needed.",
            reason="audio_too_small",
            hint="Choose a longer recording.",
        )
    if seen.peak < SILENCE_PEAK:
        raise AudioError(
            f"{path.name} is silent: its peak is below -60 dBFS.",
            reason="audio_silent",
            hint="Check the microphone and its level, and record again.",
        )
    return AudioInfo(
        duration=seconds,
        sample_rate=declared.sample_rate,
        channels=declared.channels,
        codec=declared.codec,
        container=declared.container,
        offset=seen.total / max(1, seen.samples),
    )


@contextlib.contextmanager
def _writer(path: Path, rate: int, subtype: str) -> Iterator[Callable[[Samples], None]]:
    import soundfile

    with (
        files.library_writes(path, soundfile.LibsndfileError),
        soundfile.SoundFile(path, "w", samplerate=rate, channels=1, format="WAV", subtype=subtype) as target,
    ):
        yield target.write


@contextlib.contextmanager
def resampler(rate: int, to: int) -> Iterator[Callable[[Samples, bool], Samples]]:
    """A function that resamples successive blocks from `rate` to `to` Hz; its second argument marks the last block."""
    if rate == to:
        yield lambda block, last: block
        return
    import soxr

    stream = soxr.ResampleStream(rate, to, 1, dtype="float32", quality="HQ")
    yield lambda block, last: stream.resample_chunk(block, last=last)


def _not_finite(path: Path, second: float) -> AudioError:
    return AudioError(
        f"{path.name} contains a sample that is not a finite number at second {second:.3f}.",
        reason="audio_not_finite",
        hint="Export the recording again; its float samples are broken.",
    )


__all__ = [
    "MIN_SECONDS",
    "SOURCE_SUFFIXES",
    "AudioInfo",
    "Samples",
    "analyse",
    "check_source",
    "decode",
    "probe",
    "read_mono",
    "resample",
    "resampler",
]
