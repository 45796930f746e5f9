"""The shipped judges and PocketSphinx on a person: copies of her recordings beside a vocoder that blurs them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from voicemill.align.recognition import PocketSphinxRecogniser
from voicemill.audio.decode import read_mono
from voicemill.audio.embedding import SpeakerModel
from voicemill.evaluation.candidates import Candidate, ReferenceSentence
from voicemill.evaluation.evaluate import SpeakerReferences, TestMaterial, evaluate_voice
from voicemill.evaluation.limit_results import apply_limits
from voicemill.evaluation.other_speakers import shipped_people
from voicemill.evaluation.recogniser_pool import RecogniserPool
from voicemill.evaluation.wording import lines
from voicemill.metrics.figure_limits import FigureLimits
from voicemill.metrics.judges import find_judges
from voicemill.metrics.spectral import MelSettings, log_mel
from voicemill.settings import REPOSITORY
from voicemill.synthesis.mel import AudioConfig
from voicemill.synthesis.vocoders import GriffinLimVocoder
from voicemill.weights.allowlist import SHIPPED
from voicemill.weights.registry import WeightsRegistry

pytestmark = pytest.mark.slow

LJ = REPOSITORY / "tests/data/people/lj"
Samples = NDArray[np.float32]


@pytest.fixture
def references() -> list[ReferenceSentence]:
    with (LJ / "metadata.csv").open(encoding="utf-8") as handle:
        rows = list(csv.reader(handle, delimiter="|", quoting=csv.QUOTE_NONE))
    return [ReferenceSentence(name, text, read_mono(LJ / f"{name}.flac")[0]) for name, _, text in rows]


def test_a_voice_that_is_not_its_owner_is_outside_and_the_likeness_decides(
    references: list[ReferenceSentence], tmp_path: Path
) -> None:
    held_out, own = references[3:], [each.samples for each in references[:3]]
    judges = find_judges(WeightsRegistry(REPOSITORY / SHIPPED, tmp_path, REPOSITORY))
    assert isinstance(judges.speaker, SpeakerModel)
    people = shipped_people(REPOSITORY, judges.speaker.sha256)
    assert people.shape == (190, 256)
    sounds = {each.text: each.samples for each in held_out}

    def through(change: Callable[[Samples], Samples]) -> Callable[[str], Samples]:
        vocoder = GriffinLimVocoder(AudioConfig())
        return lambda text: vocoder(change(log_mel(sounds[text], MelSettings())))

    blurred = Candidate("blurred", through(lambda mel: gaussian_filter(mel, (1.5, 2.5)).astype(np.float32)))
    copy = Candidate("copy", through(lambda mel: mel), fallback=True)
    material = TestMaterial(22_050, held_out, SpeakerReferences(own, people=people), judges=judges)
    pool = RecogniserPool(PocketSphinxRecogniser())

    found = evaluate_voice([blurred, copy], material, pool).evaluation
    assert found.chosen_vocoder == "copy"
    figures = found.figures
    for name in ("speaker_similarity", "dnsmos_overall", "dnsmos_p808", "wer_whisper"):
        assert figures[name].value is not None
        assert figures[f"{name}_real"].interval is not None
        assert figures[name].samples == len(held_out)
    assert figures["speaker_similarity_ratio"].value > 0.95
    assert figures["speaker_confusion"].value == 0
    assert len(found.other_people) == 190
    assert any(line.startswith("Speaker similarity") for line in lines(found))

    worse = next(each for each in found.vocoders if each.name == "blurred").figures
    assert worse["speaker_similarity_ratio"].value < 0.75
    assert worse["dnsmos_p808"].value < figures["dnsmos_p808"].value
    limits = FigureLimits(min_speaker_similarity_ratio=0.75)
    assert apply_limits(found, limits).status == "ok"
    blocked = apply_limits(found.model_copy(update={"figures": figures | worse}), limits)
    assert blocked.root_cause == "quality_outside_limits:speaker_similarity_ratio"
