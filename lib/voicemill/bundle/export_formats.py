"""A bundle's graph for other programs: as it is, or with the inputs and metadata of sherpa-onnx's VITS models.

The folder holds the graph, `tokens.txt` (a symbol and its id a line), `lexicon.txt`, a page on how to call the graph,
`ATTRIBUTION.txt` (licences, notices, consent of the speaker) and `LICENSES.json` (the bundle's `weights_refs`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from voicemill import files
from voicemill.bundle.build import ATTRIBUTION
from voicemill.bundle.contents import GRAPH, LEXICON, open_unchanged
from voicemill.bundle.differences import BundleCheck, check_bundle
from voicemill.bundle.manifest import PromotedManifest, source_manifest
from voicemill.errors import BundleError, UsageError
from voicemill.text.lexicon import Lexicon
from voicemill.weights.onnx_bytes import metadata_of_graph

if TYPE_CHECKING:
    import onnx

Format = Literal["onnx", "sherpa-onnx"]
NAMES = [
    "oliver",
    "emma",
    "noah",
    "olivia",
    "liam",
    "amelia",
    "mia",
    "sofia",
    "lukas",
    "anna",
    "berta",
    "dottie",
    "mateo",
    "priya",
    "arjun",
    "wei",
    "chen",
    "nguyen",
    "kowalski",
    "schmidt",
    "garcia",
    "fernandez",
    "ahmed",
    "fatima",
    "yusuf",
    "hiroshi",
    "sakura",
    "ivan",
    "olga",
    "lars",
    "ingrid",
]
"""Likely names; those outside the dictionary are written with guessed pronunciations."""
_LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip


def export_format(root: Path, target: Path, form: Format) -> list[str]:
    """Write a bundle's voice as a folder for another program; an existing folder is not replaced.

    Returns:
        The names in the folder.

    Raises:
        NotAcceptableError: `verification_failed`: the bundle differs from its manifest.
        UsageError: `bundle_without_graph`, `dry_run_cannot_speak`, `export_exists:<path>`.
        BundleError: `griffin_lim_not_exportable`: the graph ends at the mel.
        GateError: `unsafe_graph:<why>`.
        StorageError: it cannot be written.
    """
    check = check_bundle(root)
    if check.loaded is None or check.loaded.manifest.dry_run:
        raise UsageError("A dry run has no voice to export.", reason="dry_run_cannot_speak", hint="Train the voice.")
    if GRAPH not in check.digests or LEXICON not in check.digests:
        raise UsageError(f"The bundle {root} has no {GRAPH}.", reason="bundle_without_graph", hint="Build it again.")
    if target.exists():
        raise UsageError(f"{target} exists.", reason=f"export_exists:{target.as_posix()}", hint="Name a new folder.")
    graph = _read(check, GRAPH)
    metadata = metadata_of_graph(graph)
    if metadata["vocoder"] != "hifigan" and form == "sherpa-onnx":
        raise BundleError(
            "The voice ships with Griffin-Lim, which sherpa-onnx does not have.",
            reason="griffin_lim_not_exportable",
            hint="Train the voice longer, so that its neural vocoder is chosen.",
        )
    tokens: list[str] = json.loads(metadata["tokens"])
    manifest = check.loaded.manifest
    source = source_manifest(check.loaded.raw["provenance"]) if isinstance(manifest, PromotedManifest) else {}
    contents = {
        GRAPH: graph if form == "onnx" else _sherpa_graph(graph, metadata),
        "tokens.txt": "".join(f"{symbol} {index}\n" for index, symbol in enumerate(tokens)).encode(),
        LEXICON: _lexicon(_read(check, LEXICON).decode(), tokens).encode(),
        ATTRIBUTION: _read(check, ATTRIBUTION),
        "LICENSES.json": files.dump_json(source.get("weights_refs") or check.loaded.raw.get("weights_refs")).encode(),
        "README.md": _page(form, metadata).encode(),
    }
    with files.atomic_directory(target) as staging:
        for name, data in contents.items():
            (staging / name).write_bytes(data)
    return sorted(contents)


def _read(check: BundleCheck, name: str) -> bytes:
    with open_unchanged(check.root, check.digests[name]) as handle:
        return handle.read()


def _lexicon(text: str, tokens: Sequence[str]) -> str:
    """The dictionary in the voice's symbols, with letters, and with guesses for names that it lacks."""
    entries = {line.split()[0]: tuple(line.split()[1:]) for line in text.splitlines() if line.strip()}
    plain = {word: tuple(phone.rstrip("012") for phone in phones) for word, phones in entries.items()}
    lexicon = Lexicon(plain)
    for letter, phones in _LETTERS.items():
        entries.setdefault(letter, tuple(phones.split()))
    for name in NAMES:
        entries.setdefault(name, lexicon.pronounce(name).phones)
    known = set(tokens)
    return "".join(
        f"{word} {' '.join(phones)}\n"
        for word, phones in sorted(entries.items())
        if phones and known.issuperset(phones)
    )


def _sherpa_graph(data: bytes, metadata: dict[str, str]) -> bytes:
    """The graph with sherpa-onnx's inputs (x, x_length, noise_scale, length_scale, noise_scale_w) and output (y)."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_model_from_string(data)
    graph = model.graph
    before = [
        helper.make_node("Identity", ["x"], ["tokens"]),
        helper.make_node("Shape", ["x"], ["voicemill_shape"]),
        helper.make_node("Reciprocal", ["length_scale"], ["voicemill_pace"]),
        helper.make_node("Expand", ["voicemill_pace", "voicemill_shape"], ["pace"]),
        helper.make_node("Sub", ["pace", "pace"], ["pitch"]),
    ]
    after = helper.make_node("Unsqueeze", ["samples", "voicemill_axis"], ["y"])
    nodes = [*before, *graph.node, after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.append(helper.make_tensor("voicemill_axis", TensorProto.INT64, [1], [1]))
    graph.input.extend(
        [
            helper.make_tensor_value_info("x", TensorProto.INT64, [1, "tokens"]),
            helper.make_tensor_value_info("x_length", TensorProto.INT64, [1]),
            *(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
                for name in ("noise_scale", "length_scale", "noise_scale_w")
            ),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "samples"]))
    _set_metadata(model, metadata)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _set_metadata(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    facts = {
        "model_type": "vits",
        "comment": "voicemill",
        "language": "English",
        "n_speakers": "0",
        "sample_rate": metadata["sample_rate"],
        "add_blank": "0",
        "punctuation": ", . ! ? ; :",
    }
    del model.metadata_props[:]
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _page(form: Format, metadata: dict[str, str]) -> str:
    """How to call the graph."""
    rate = metadata["sample_rate"]
    head = f"# A voice of voicemill\n\nMono, {rate} Hz. Keep `ATTRIBUTION.txt` with the voice.\n\n"
    if form == "sherpa-onnx":
        return head + (
            "```python\nimport sherpa_onnx\n\n"
            'paths = {"model": "voice.onnx", "lexicon": "lexicon.txt", "tokens": "tokens.txt"}\n'
            "vits = sherpa_onnx.OfflineTtsVitsModelConfig(**paths)\n"
            "model = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=1)\n"
            "tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))\n"
            'audio = tts.generate("Good morning.", speed=1.0)  # audio.samples, audio.sample_rate\n```\n\n'
            "Words outside `lexicon.txt` are left out: add them, a word in lower case and its phones a line.\n"
        )
    return head + (
        "Inputs, each of shape (1, tokens): `tokens` (int64, ids of `tokens.txt`), `pace` (float32, 1 as trained) and\n"
        "`pitch` (float32, 0 as trained, in deviations of the training pitch). Outputs: `samples` (1, samples),\n"
        "`durations` in frames (1, tokens), `mel`; a voice with Griffin-Lim has no `samples`.\n\n"
        "A text is the phones of its words (`lexicon.txt`) with a space between words and at both ends, and marks\n"
        "after their words.\n\n"
        "```python\nimport numpy, onnxruntime\n\n"
        'symbols = [line.rsplit(" ", 1)[0] for line in open("tokens.txt", encoding="utf-8")]\n'
        'ids = numpy.array([[symbols.index(symbol) for symbol in [" ", "HH", "AH", "L", "OW", ".", " "]]])\n'
        "ones = numpy.ones(ids.shape, numpy.float32)\n"
        'session = onnxruntime.InferenceSession("voice.onnx")\n'
        '(samples,) = session.run(["samples"], {"tokens": ids, "pace": ones, "pitch": 0 * ones})\n```\n'
    )
