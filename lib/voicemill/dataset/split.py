"""Which clips validate: a deterministic choice, spread over the lengths of the clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from voicemill.dataset.manifest import Split
from voicemill.errors import DatasetError

SHARE = 0.1
"""Part of the clips that validates: enough for a stable figure, little enough for a voice of some minutes."""
MOST = 12
"""More than a dozen clips make validation slower, not better."""


def assign(seconds: Sequence[float], texts: Sequence[str], *, seed: int) -> list[Split]:
    """Choose about a tenth of the clips for validation, at least 1 and at most 12, one from each stratum of lengths.

    A text that is spoken more than once stays in training, all takes of it: validation must not hear what training saw.

    Args:
        seconds: length of each clip.
        texts: what each clip says.
        seed: the same seed and clips give the same choice.

    Returns:
        The split of each clip, in their order.

    Raises:
        DatasetError: `dataset_too_small`, fewer than two clips or a single text throughout.
    """
    takes = Counter(texts)
    unique = [index for index, text in enumerate(texts) if takes[text] == 1]
    if len(seconds) < 2 or not unique:
        raise DatasetError(
            f"{len(seconds)} clips with {len(takes)} different texts are too few to train and to validate on.",
            reason="dataset_too_small",
            hint="Record more sentences; a few minutes are a good start.",
        )
    wanted = min(MOST, max(1, round(SHARE * len(seconds))), len(unique), len(seconds) - 1)
    by_length = sorted(unique, key=lambda index: (seconds[index], index))
    generator = np.random.default_rng(seed)
    chosen = {
        by_length[int(generator.choice(stratum))] for stratum in np.array_split(np.arange(len(by_length)), wanted)
    }
    return ["validation" if index in chosen else "train" for index in range(len(seconds))]
