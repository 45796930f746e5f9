"""The model as read and scored here against PocketSphinx's own scores of every senone, as it logs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voicemill.align import acoustic_model
from voicemill.align.acoustic_model import BLOCK_FRAMES, STATES_PER_PHONE, AcousticModel
from voicemill.align.features import SAMPLE_RATE, FrontEnd, streams, to_pcm16

Clip = tuple[npt.NDArray[np.float32], str]


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return acoustic_model.load()


@pytest.fixture(scope="module")
def codebooks(model: AcousticModel) -> npt.NDArray[np.int64]:
    """The codebook of each senone."""
    found = np.full(model.weights.shape[2], -1)
    for phone, kind in enumerate(model.context_independent):
        found[model.senone_sequences[kind]] = phone
    for code, kind in model.triphones.items():
        found[model.senone_sequences[kind]] = code >> 12 & 63
    assert (found >= 0).all()
    return found


def logged(pcm: bytes, folder: Path) -> npt.NDArray[np.int16]:
    """(frames, senones) PocketSphinx's costs, all densities of all codebooks counted."""
    from pocketsphinx import Decoder

    (folder / "words.dict").write_text("a AH\n", encoding="ascii")
    decoder = Decoder(
        samprate=SAMPLE_RATE,
        loglevel="FATAL",
        lm=None,
        dict=str(folder / "words.dict"),
        senlogdir=str(folder),
        compallsen=True,
        topn=128,
    )
    decoder.set_align_text("a")
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    (written,) = folder.glob("*.sen")
    raw = written.read_bytes()
    numbers = np.frombuffer(raw, "<i2", offset=raw.index(b"endhdr\n") + len(b"endhdr\n") + 4)
    return numbers.reshape(-1, 1 + numbers[0])[:, 1:]


@pytest.mark.slow
def test_every_senone_has_the_score_that_pocketsphinx_gives_it(
    clips: list[Clip], model: AcousticModel, codebooks: npt.NDArray[np.int64], tmp_path: Path
) -> None:
    pcm = to_pcm16(clips[0][0][:24_000])
    theirs = -logged(pcm, tmp_path).astype(np.int64)
    ours = model.log_likelihoods(streams(FrontEnd().cepstra(pcm)), np.arange(len(codebooks)), codebooks).astype(
        np.int64
    )
    assert ours.shape == theirs.shape
    assert (ours.max(axis=1) == 0).all()
    near = theirs > -40  # farther off, PocketSphinx's floor for single densities shows
    assert near.sum() > 5_000
    off = np.abs(ours - theirs)[near]  # it rounds each density of each of three streams
    assert np.percentile(off, 99) <= 8
    assert off.mean() < 2.0


def test_scores_do_not_depend_on_the_order_of_senones_or_on_blocks(
    clips: list[Clip], model: AcousticModel, codebooks: npt.NDArray[np.int64]
) -> None:
    parts = streams(FrontEnd().cepstra(to_pcm16(clips[1][0][:32_000])))
    senones = np.array([5000, 3, 700, 701, 2])
    found = model.log_likelihoods(parts, senones, codebooks[senones])
    assert len(found) > BLOCK_FRAMES
    turned = model.log_likelihoods(parts, senones[::-1], codebooks[senones[::-1]])
    assert np.array_equal(turned, found[:, ::-1])
    whole_blocks = [stream[:BLOCK_FRAMES] for stream in parts]
    assert np.array_equal(model.log_likelihoods(whole_blocks, senones, codebooks[senones]), found[:BLOCK_FRAMES])


def test_senones_depend_on_the_context_and_fall_back_without_it(model: AcousticModel) -> None:
    names = model.phones
    between = model.senones(names["IY"], names["S"], names["T"], "i")
    assert len(between) == STATES_PER_PHONE
    assert between.tolist() != model.senones(names["IY"], names["B"], names["SIL"], "e").tolist()
    # silence has no neighbours in the model: it is always itself
    context_independent = model.context_independent_senones(names["SIL"]).tolist()
    assert model.senones(names["SIL"], names["S"], names["T"], "s").tolist() == context_independent


def test_transition_probabilities_sum_to_one(model: AcousticModel) -> None:
    assert model.self_loop.shape == model.forward.shape == (len(model.phones), STATES_PER_PHONE)
    chances = np.exp(model.self_loop * acoustic_model.SCORE_UNIT) + np.exp(model.forward * acoustic_model.SCORE_UNIT)
    assert chances == pytest.approx(1.0, abs=0.1)  # rounded to units of a tenth
