"""Features on a device of torch's: the arithmetic of `pitch`, a whole clip at a time.

Of the preparation only the difference function of the pitch search is dense enough for a GPU. Resampling is not moved:
soxr takes about an eight-thousandth of a clip's length (docs/benchmarks.md). torch sums in another order than numpy, so
the last bits may differ, and with them a frame now and then.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt

from voicemill.errors import DependencyError

CPU, CUDA = "cpu", "cuda"


def require(device: str) -> None:
    """See to it that a device is there.

    Raises:
        DependencyError: `cuda_unavailable`, `runtime_dependency_missing:torch`.
    """
    if device == CPU:
        return
    if importlib.util.find_spec("torch") is None:
        raise DependencyError(
            "Work on a GPU needs torch, which this Python does not have.",
            reason="runtime_dependency_missing:torch",
            hint="Run it through ./run-direct, which installs it.",
        )
    import torch

    if not torch.cuda.is_available():
        raise DependencyError(
            "No CUDA device answers.",
            reason="cuda_unavailable",
            hint="Leave out --device; on a machine with a GPU, look at nvidia-smi and start with TOOLBOX_VARIANT=gpu.",
        )


def difference(
    frames: npt.NDArray[np.floating], min_period: int, max_period: int, device: str
) -> npt.NDArray[np.floating]:
    """YIN's cumulative mean normalised difference function on a device; see `pitch.difference`.

    Args:
        frames: (t, frame_length).
        min_period: shortest period (samples).
        max_period: longest period (samples).
        device: of torch.

    Returns:
        (t, max_period - min_period + 1) float32.
    """
    import torch

    there = torch.from_numpy(np.ascontiguousarray(frames, dtype=np.float32)).to(device)
    size = 1 << (2 * there.shape[1] - 2).bit_length()  # room for the whole correlation, a length that an FFT likes
    spectrum = torch.fft.rfft(there, n=size, dim=1)
    correlation = torch.fft.irfft(spectrum.abs().square(), n=size, dim=1)[:, : max_period + 1]
    energy = torch.cumsum(there[:, :max_period].square(), dim=1)
    energy[:, 0] = 0  # as librosa has it
    distance = 2 * (correlation[:, :1] - correlation[:, 1:]) - energy
    mean = torch.cumsum(distance, dim=1) / torch.arange(1, max_period + 1, device=device)
    found = distance[:, min_period - 1 :] / (mean[:, min_period - 1 :] + torch.finfo(torch.float32).tiny)
    here: npt.NDArray[np.float32] = found.cpu().numpy()
    return here
