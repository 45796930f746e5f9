"""Prompts as safetensors, and the earlier toolbox's pickles, which are never unpickled.

The pickles of tests/data/cloning were written by tests/qwen_models.py with the package's own class and a tiny model.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemill.errors import GateError, UsageError, VoicemillError
from voicemill_cloning.prompt_pickles import read_pickled_prompt
from voicemill_cloning.prompts import ClonePrompt, prompt_name, read_prompt, write_prompt

DATA = Path(__file__).resolve().parents[2] / "data" / "cloning"
FULL = (DATA / "full.pkl").read_bytes()


def prompt(**changes: object) -> ClonePrompt:
    values: dict[str, object] = {
        "embedding": np.arange(8, dtype=np.float32),
        "codes": np.arange(12, dtype=np.int64).reshape(3, 4),
        "text": "Good morning.",
        "metadata": {"model": "a/b", "language": "English"},
    }
    return ClonePrompt(**(values | changes))  # type: ignore[arg-type]


def test_a_prompt_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_prompt(path, prompt())
    found = read_prompt(path)
    assert (found.mode, found.text, found.metadata) == (
        "full",
        "Good morning.",
        {"model": "a/b", "language": "English"},
    )
    assert np.array_equal(found.embedding, prompt().embedding)
    assert found.codes is not None
    assert np.array_equal(found.codes, np.arange(12).reshape(3, 4))


def test_an_x_vector_prompt_has_no_codes(tmp_path: Path) -> None:
    path = tmp_path / "p.safetensors"
    write_prompt(path, prompt(codes=None, text=""))
    assert (read_prompt(path).mode, read_prompt(path).codes) == ("xvec", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding": np.array([np.nan], dtype=np.float32)},
        {"embedding": np.zeros((2, 2), dtype=np.float32)},
        {"embedding": np.zeros(0, dtype=np.float32)},
        {"codes": np.array([[-1]])},
        {"codes": np.zeros((1, 100), dtype=np.int64)},
        {"text": " "},
    ],
)
def test_an_impossible_prompt_is_not_written(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        write_prompt(tmp_path / "p.safetensors", prompt(**changes))
    assert caught.value.reason == "prompt_invalid:p.safetensors"
    assert not (tmp_path / "p.safetensors").exists()


@pytest.mark.parametrize("data", [b"", b"{}", FULL, struct.pack("<Q", 1 << 60) + b"{}"])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "p.safetensors"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_prompt(path)
    assert caught.value.reason == "prompt_invalid:p.safetensors"


def test_tensors_of_another_format_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "p.safetensors"
    save_file({"speaker_embedding": np.zeros(3, dtype=np.float32)}, str(path))
    with pytest.raises(UsageError):
        read_prompt(path)


def test_names_of_prompts_are_those_of_the_earlier_toolbox() -> None:
    name = prompt_name("ab" * 32, "Qwen/Qwen3-TTS-12Hz-0.6B-Base", x_vector_only=False)
    assert name == "ab" * 16 + "_qwen3-tts-12hz-0.6b-base_full_v1"


def test_a_pickled_prompt_is_read_without_unpickling(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*unused: object, **also: object) -> None:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    found = read_pickled_prompt(DATA / "full.pkl", {"ref_hash": "abc"})
    assert (found.mode, found.text, found.metadata) == ("full", "Good morning.", {"ref_hash": "abc"})
    assert found.embedding.shape == (16,)
    assert found.codes is not None
    assert found.codes.shape == (7, 4)
    assert 0 <= found.codes.min() <= found.codes.max() < 32


def test_pickled_numbers_are_the_same_in_16_bits() -> None:
    exact, rounded = (read_pickled_prompt(DATA / f"{name}.pkl") for name in ("xvec", "bfloat16"))
    assert exact.mode == rounded.mode == "xvec"
    assert np.allclose(exact.embedding, rounded.embedding, rtol=2**-8)
    assert not np.array_equal(exact.embedding, rounded.embedding)


def test_a_converted_prompt_is_a_prompt(tmp_path: Path) -> None:
    write_prompt(tmp_path / "p.safetensors", read_pickled_prompt(DATA / "full.pkl"))
    assert read_prompt(tmp_path / "p.safetensors").text == "Good morning."


class Attack:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_a_program_is_refused(tmp_path: Path, protocol: int) -> None:
    import os

    path, proof = tmp_path / "p.pkl", tmp_path / "proof"
    path.write_bytes(pickle.dumps([Attack(os.mkdir, str(proof))], protocol))
    with pytest.raises(GateError) as caught:
        read_pickled_prompt(path)
    assert caught.value.reason.startswith("unsafe_archive:pickle_")
    assert not proof.exists()


def test_a_program_inside_a_tensors_bytes_is_refused(tmp_path: Path) -> None:
    import os

    start = FULL.index(b"\x80\x02\x8a\nl\xfc")
    inner = pickle.dumps(Attack(os.mkdir, str(tmp_path / "proof")), 2)
    path = tmp_path / "p.pkl"
    path.write_bytes(FULL[:start] + inner + FULL[start + len(inner) :])
    with pytest.raises(GateError):
        read_pickled_prompt(path)
    assert not (tmp_path / "proof").exists()


def test_a_tensor_that_claims_more_than_its_storage_is_refused(tmp_path: Path) -> None:
    shape = b"K\x07K\x04\x86"  # (7, 4)
    assert shape in FULL
    path = tmp_path / "p.pkl"
    path.write_bytes(FULL.replace(shape, b"K\x09K\x04\x86"))
    with pytest.raises(GateError) as caught:
        read_pickled_prompt(path)
    assert caught.value.reason == "unsafe_archive:tensor_outside_storage"


@settings(max_examples=300)
@given(st.integers(0, len(FULL) - 1), st.integers(0, 255), st.booleans())
def test_every_changed_byte_is_read_or_refused(position: int, value: int, cut: bool) -> None:
    import tempfile

    data = FULL[:position] if cut else FULL[:position] + bytes([value]) + FULL[position + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.pkl"
        path.write_bytes(data)
        try:
            read_pickled_prompt(path)
        except VoicemillError as error:
            assert error.code == "unsafe_archive"  # noqa: PT017
