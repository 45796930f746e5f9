"""Figures of learned models: measured only with weights that passed the licence gate, else null with why.

What a speaker-embedding model is, `voicemill.audio.embedding` says. None is listed today, so the figure is null;
`speaker_distance` needs no weights and is always there. For a predicted opinion score the same holds (`mos_proxy`): no
predictor whose weights may be used commercially is known to us.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voicemill.audio.embedding import SpeakerModel, centre
from voicemill.errors import NotMeasurableError
from voicemill.evaluation.figures import figure, missing
from voicemill.evaluation.model import Figure

Samples = NDArray[np.float32]


def speaker_similarity(
    made: Sequence[Samples], own: Sequence[Samples], sample_rate: int, model: SpeakerModel | str
) -> Figure:
    """Mean cosine of the synthesised sentences' embeddings to the mean embedding of the speaker's own recordings.

    Embeddings are brought to length 1 before they are averaged, as speaker verification enrols a speaker from several
    recordings (L. Wan et al., "Generalized end-to-end loss for speaker verification", 2018).

    Args:
        made: synthesised sentences.
        own: recordings of the voice's own speaker.
        sample_rate: of all of them, Hz.
        model: the embedding model, or why there is none.
    """
    if isinstance(model, str):
        return missing("speaker_similarity", model)
    if not made or not own:
        return missing("speaker_similarity", "There are no recordings of the speaker to compare with.")
    try:
        enrolled = centre(np.array([model.embed(sound, sample_rate) for sound in own]))
        found = [float(model.embed(sound, sample_rate) @ enrolled) for sound in made]
    except NotMeasurableError as error:
        return missing("speaker_similarity", str(error), detail=f", {model.name}")
    return figure("speaker_similarity", float(np.mean(found)), samples=len(found), detail=f", {model.name}")
