"""A voice's graph in the form that Piper reads: `voice.onnx` with Piper's inputs, and `voice.onnx.json` beside it.

Piper phonemises with eSpeak NG and looks up each symbol in the map of the JSON file. Ours maps the symbols of General
American to the voice's phones, and Piper's padding to nothing, so that the ids are those of our own runtime.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from voicemill.errors import BundleError

_MARKS = ",.!?;:"
_NOTHING = "_ˈˌːˑ\u0329\u0303\u032f\u02b2"
"""Padding, stress, length and diacritics."""
_PHONES = {
    **dict.fromkeys(("ɑ", "ɒ"), "AA"),
    **dict.fromkeys(("æ", "a"), "AE"),
    **dict.fromkeys(("ə", "ʌ", "ɐ"), "AH"),
    **dict.fromkeys(("ɔ", "oː"), "AO"),
    **dict.fromkeys(("ɚ", "ɜ", "ɝ"), "ER"),
    **dict.fromkeys(("ɛ", "e"), "EH"),
    **dict.fromkeys(("ɪ", "ᵻ", "ɨ"), "IH"),
    **dict.fromkeys(("oʊ", "o"), "OW"),
    **dict.fromkeys(("u", "ʉ"), "UW"),
    **dict.fromkeys(("ɡ", "g"), "G"),
    **dict.fromkeys(("ɹ", "r"), "R"),
    **dict.fromkeys(("l", "ɫ", "ɬ"), "L"),
    **dict.fromkeys(("t", "ʔ", "ɾ"), "T"),
    **dict.fromkeys(("k", "x"), "K"),
    **dict.fromkeys(("h", "ç"), "HH"),
    "aʊ": "AW",
    "aɪ": "AY",
    "eɪ": "EY",
    "ɔɪ": "OY",
    "i": "IY",
    "ʊ": "UH",
    "b": "B",
    "tʃ": "CH",
    "d": "D",
    "dʒ": "JH",
    "ð": "DH",
    "f": "F",
    "m": "M",
    "n": "N",
    "ŋ": "NG",
    "p": "P",
    "s": "S",
    "ʃ": "SH",
    "θ": "TH",
    "v": "V",
    "w": "W",
    "j": "Y",
    "z": "Z",
    "ʒ": "ZH",
    "n\u0329": "AH N",
    "l\u0329": "AH L",
    "m\u0329": "AH M",
}


def piper_config(metadata: dict[str, str]) -> dict[str, Any]:
    """The content of `voice.onnx.json`.

    Args:
        metadata: of the voice's graph.

    Raises:
        BundleError: `piper_phones_missing:<phones>`: the voice lacks phones of American English.
    """
    tokens: list[str] = json.loads(metadata["tokens"])
    space = [tokens.index(" ")]
    ids: dict[str, list[int]] = {symbol: [] for symbol in _NOTHING}
    ids |= {" ": space, "^": space, "$": space}
    ids |= {mark: [tokens.index(mark)] if mark in tokens else [] for mark in _MARKS}
    missing: set[str] = set()
    for symbol, phones in _PHONES.items():
        ids[symbol] = [_id(phone, tokens, missing) for phone in phones.split()]
    if missing:
        raise BundleError(
            f"The voice lacks the phones {', '.join(sorted(missing))}.",
            reason=f"piper_phones_missing:{','.join(sorted(missing))}",
            hint="Export it as onnx.",
        )
    return {
        "audio": {"sample_rate": int(metadata["sample_rate"]), "quality": "medium"},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US", "family": "en", "region": "US", "name_native": "English"},
        "inference": {"noise_scale": 0.0, "length_scale": 1.0, "noise_w": 0.0},
        "phoneme_type": "espeak",
        "phoneme_id_map": ids,
        "vowel_clusters": [list(symbol) for symbol in sorted(_PHONES) if len(symbol) > 1],
        "num_symbols": len(tokens),
        "num_speakers": 1,
        "speaker_id_map": {},
        "hop_length": int(metadata["hop_length"]),
        "piper_version": "1.8.0",
    }


def _id(phone: str, tokens: Sequence[str], missing: set[str]) -> int:
    """The id of a phone, the stressed vowel where the voice has stress."""
    found = next((name for name in (phone, f"{phone}1") if name in tokens), None)
    if found is None:
        missing.add(phone)
        return 0
    return tokens.index(found)


def piper_graph(data: bytes) -> bytes:
    """The graph with Piper's inputs (input, input_lengths, scales) and output (output)."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_model_from_string(data)
    graph = model.graph
    name = "voicemill_{}".format
    constants = {"row": [1, -1], "axes": [1], "second": [1], "third": [2], "first_axis": [0]}
    before = [
        helper.make_node("Reshape", ["input", name("row")], ["tokens"]),
        helper.make_node("Shape", ["tokens"], [name("shape")]),
        helper.make_node(
            "Slice", ["scales", name("second"), name("third"), name("first_axis")], [name("length_scale")]
        ),
        helper.make_node("Reciprocal", [name("length_scale")], [name("pace")]),
        helper.make_node("Expand", [name("pace"), name("shape")], ["pace"]),
        helper.make_node("Sub", ["pace", "pace"], ["pitch"]),
    ]
    after = helper.make_node("Unsqueeze", ["samples", name("axes")], ["output"])
    nodes = [*before, *graph.node, after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        helper.make_tensor(name(key), TensorProto.INT64, [len(value)], value) for key, value in constants.items()
    )
    graph.input.extend(
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "samples"]))
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
