"""The difference function of `pitch` on a torch device, a whole clip at a time.

It is the only step of the preparation that is dense enough for a GPU. Resampling stays on the CPU, where soxr takes
about an eight-thousandth of a clip's length (docs/benchmarks.md). torch adds in another order than numpy, so the last
bits can differ, and with them the pitch of an occasional frame.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt

from voicemill.errors import DependencyError

CPU, CUDA = "cpu", "cuda"


def require(device: str) -> None:
    """Check that a device is available.

    Raises:
        DependencyError: `cuda_unavailable`, `runtime_dependency_missing:torch`.
    """
    if device == CPU:
        return
    if importlib.util.find_spec("torch") is None:
        raise DependencyError(
            "A GPU needs torch, which is not installed in this Python.",
            reason="runtime_dependency_missing:torch",
            hint="Run it through ./run-direct, which installs it.",
        )
    import torch

    if not torch.cuda.is_available():
        raise DependencyError(
            "No CUDA device is available.",
            reason="cuda_unavailable",
            hint="Look at nvidia-smi: the driver may be older than this CUDA version. In a container, start with "
            "TOOLBOX_VARIANT=gpu. To use the CPU, leave out --device and set TORCH_DEVICE=cpu.",
        )


def difference(
    frames: npt.NDArray[np.floating], min_period: int, max_period: int, device: str
) -> npt.NDArray[np.floating]:
    """YIN's cumulative mean normalised difference function on a device; see `pitch.difference`.

    Args:
        frames: (t, frame_length).
        min_period: shortest period (samples).
        max_period: longest period (samples).
        device: name of a torch device.

    Returns:
        (t, max_period - min_period + 1) float32.
    """
    import torch

    there = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32)).to(device)
    size = 1 << (2 * there.shape[1] - 2).bit_length()  # holds the whole correlation; a power of two for the FFT
    spectrum = torch.fft.rfft(there, n=size, dim=1)
    correlation = torch.fft.irfft(spectrum.abs().square(), n=size, dim=1)[:, : max_period + 1]
    energy = torch.cumsum(there[:, :max_period].square(), dim=1)
    energy[:, 0] = 0  # as in librosa
    distance = 2 * (correlation[:, :1] - correlation[:, 1:]) - energy
    mean = torch.cumsum(distance, dim=1) / torch.arange(1, max_period + 1, device=device)
    found = distance[:, min_period - 1 :] / (mean[:, min_period - 1 :] + torch.finfo(torch.float32).tiny)
    here: npt.NDArray[np.float32] = found.cpu().numpy()
    return here
