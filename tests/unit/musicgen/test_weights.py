"""The lane's own gate, and what is refused before a model is built."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil

import pytest

from voicemill.errors import GateError
from voicemill.settings import REPOSITORY
from voicemill.weights.allowlist import SHIPPED, load_allowlist
from voicemill.weights.store import WeightsStore
from voicemill_musicgen import weights


def refused(call, *arguments):
    with pytest.raises(GateError) as caught:
        call(*arguments)
    assert caught.value.hint
    return caught.value.reason


def test_the_shipped_entry_is_for_this_lane_alone(settings):
    entry = weights.select(REPOSITORY / SHIPPED).entry
    assert (entry.id, entry.weights_license) == (weights.BASE, "CC-BY-NC-4.0")
    production = WeightsStore(settings().common.workspace.weights_cache, REPOSITORY)
    assert refused(production.resolve, entry) == "allowlist_commercial_rejected"
    assert refused(weights.resolve, settings()) == f"weights_unavailable:{weights.BASE}"


def test_no_other_entry_passes_this_gate():
    listed = load_allowlist(REPOSITORY / SHIPPED)
    for entry in (*listed.allowlist.weights, *listed.refused.weights):
        if entry.id != weights.BASE:
            assert refused(weights.check, entry) == "allowlist_rejected:not_experimental"


def test_a_licence_must_be_stated():
    entry = dataclasses.replace(weights.select(REPOSITORY / SHIPPED).entry, weights_license=None)
    assert refused(weights.check, entry) == "allowlist_missing_license_metadata:weights_license"


def test_pinned_bytes_or_none(tiny_musicgen, place, tmp_path):
    settings = place(tiny_musicgen)
    resolved = weights.resolve(settings)
    with weights.private_copy(resolved) as folder:
        assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json", "tokenizer.json"}
    assert not folder.exists()
    config = tmp_path / "cache/weights" / weights.BASE / "config.json"
    config.write_bytes(config.read_bytes() + b" ")
    assert refused(weights.resolve, settings) == f"weights_checksum_mismatch:{weights.BASE}"
    config.unlink()
    assert refused(weights.resolve, settings) == f"weights_unavailable:{weights.BASE}"


def _edited(changes):
    def edit(folder):
        config = json.loads((folder / "config.json").read_text())
        for path, value in changes.items():
            *parents, last = path.split("/")
            section = config
            for parent in parents:
                section = section[parent]
            section[last] = value
        (folder / "config.json").write_text(json.dumps(config))

    return edit


def _tensors(data):
    def edit(folder):
        (folder / "model.safetensors").write_bytes(data)

    return edit


def _cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])


def _empty(folder):
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (_edited({"auto_map": {"AutoModel": "evil.Model"}}), "config_key:auto_map"),
        (_edited({"text_encoder/auto_map": {"AutoModel": "evil.Model"}}), "config_key:auto_map"),
        (_edited({"decoder/_attn_implementation": "somebody/kernels"}), "config_key:_attn_implementation"),
        (_edited({"decoder/quantization_config": {"quant_method": "x"}}), "config_key:quantization_config"),
        (_edited({"model_type": "bert"}), "config_model_type:model"),
        (_edited({"text_encoder/model_type": "custom"}), "config_model_type:text_encoder"),
        (_edited({"decoder": "somewhere"}), "config_model_type:decoder"),
        (_edited({"decoder/hidden_size": 10**9}), "config_size"),
        (_edited({"audio_encoder/upsampling_ratios": [10**7]}), "config_size"),
        (lambda folder: (folder / "config.json").write_text('{"a": 1, "a": 2}'), "config_invalid"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config_model_type:model"),
        (_tensors(pickle.dumps({"weights": [1]})), "not_safetensors"),
        (_tensors(b""), "not_safetensors"),
        (_cut, "not_safetensors"),
        (_empty, "tensors_invalid"),
    ],
)
def test_what_no_musicgen_needs_is_refused_before_it_is_built(tiny_musicgen, tmp_path, edit, why):
    folder = shutil.copytree(tiny_musicgen, tmp_path / "odd")
    weights.inspect(folder)
    edit(folder)
    assert refused(weights.inspect, folder) == f"unsafe_archive:{why}"
