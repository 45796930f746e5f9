"""A bundle's graph for other programs: as it is, or with the inputs and metadata of sherpa-onnx's or Piper's models.

The folder or tar holds the graph, `tokens.txt` (a symbol and its id a line) and `lexicon.txt`, or for Piper
`voice.onnx.json`; a page on how to call the graph, `ATTRIBUTION.txt` (licences, notices, consent of the speaker) and
`LICENSES.json` (the bundle's `weights_refs`). The graph puts the voice's watermark into its samples, unless the bundle
records the decision that its speech is unmarked.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from voicemill import files
from voicemill.bundle.build import ATTRIBUTION
from voicemill.bundle.contents import GRAPH, LEXICON, open_unchanged
from voicemill.bundle.differences import BundleCheck, check_bundle
from voicemill.bundle.manifest import PromotedManifest, source_manifest, unmarked
from voicemill.bundle.origins import manifest_origin
from voicemill.bundle.piper_format import piper_config, piper_graph
from voicemill.errors import BundleError, UsageError
from voicemill.text.letters import LETTER_NAMES
from voicemill.text.lexicon import Lexicon
from voicemill.weights.onnx_bytes import metadata_of_graph
from voicemill_marks.origin import Origin

if TYPE_CHECKING:
    import onnx

Format = Literal["onnx", "sherpa-onnx", "piper"]
NAMES = (
    "oliver emma noah olivia liam amelia mia sofia lukas anna berta dottie mateo priya arjun wei chen "
    "nguyen kowalski schmidt garcia fernandez ahmed fatima yusuf hiroshi sakura ivan olga lars ingrid"
)
"""Likely names; those outside the dictionary are written with guessed pronunciations."""
_MARKS = frozenset([",", ".", "!", "?", ";", ":"])
_PROGRAMS = {"sherpa-onnx": "sherpa-onnx", "piper": "Piper"}


def export_format(root: Path, target: Path, form: Format) -> list[str]:
    """Write a bundle's voice for another program, as a folder, or as a tar if the target ends in `.tar`.

    Nothing that exists is replaced. The same bundle gives the same bytes.

    Returns:
        The names of the files.

    Raises:
        NotAcceptableError: `verification_failed`: the bundle differs from its manifest.
        UsageError: `bundle_without_graph`, `dry_run_cannot_speak`, `export_exists:<path>`.
        BundleError: `griffin_lim_not_exportable`: the graph ends at the mel; `export_not_marked`: the same, for a
            program of one's own; `piper_phones_missing:<phones>`.
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
    if metadata["vocoder"] == "griffin-lim" and form != "onnx":
        raise BundleError(
            f"The voice ships with Griffin-Lim, which {_PROGRAMS[form]} does not have.",
            reason="griffin_lim_not_exportable",
            hint="Train the voice longer, so that its neural vocoder is chosen.",
        )
    manifest = check.loaded.manifest
    origin = manifest_origin(check.loaded.raw, check.loaded.sha256, root)
    if origin is not None:
        graph = _marked(graph, metadata, origin)
    source = source_manifest(check.loaded.raw["provenance"]) if isinstance(manifest, PromotedManifest) else {}
    contents = {
        **_model(form, graph, metadata, check),
        ATTRIBUTION: _read(check, ATTRIBUTION),
        "LICENSES.json": files.dump_json(source.get("weights_refs") or check.loaded.raw.get("weights_refs")).encode(),
        "README.md": _page(form, metadata, unmarked(check.loaded.raw)).encode(),
    }
    if target.suffix == ".tar":
        files.write_bytes(target, _tar(target.stem, contents))
    else:
        with files.atomic_directory(target) as staging:
            for name, data in contents.items():
                (staging / name).write_bytes(data)
    return sorted(contents)


def _marked(data: bytes, metadata: dict[str, str], origin: Origin) -> bytes:
    """The graph with the watermark in its samples."""
    import onnx

    from voicemill.bundle.watermark_nodes import mark_sound

    if metadata["vocoder"] == "griffin-lim":
        raise BundleError(
            "The graph ends at the mel, so it cannot mark the speech as synthetic.",
            reason="export_not_marked",
            hint="Train the voice longer, or decide for a voice without marks: VOICEMILL_UNMARKED (docs/marking.md).",
        )
    model = onnx.load_model_from_string(data)
    mark_sound(model, int(metadata["sample_rate"]), origin.payload)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _model(form: Format, graph: bytes, metadata: dict[str, str], check: BundleCheck) -> dict[str, bytes]:
    """The graph and the files that it is called with."""
    if form == "piper":
        config = json.dumps(piper_config(metadata), indent=2, ensure_ascii=False) + "\n"
        return {GRAPH: piper_graph(graph), f"{GRAPH}.json": config.encode()}
    tokens: list[str] = json.loads(metadata["tokens"])
    return {
        GRAPH: graph if form == "onnx" else _sherpa_graph(graph, metadata),
        "tokens.txt": "".join(f"{symbol} {index}\n" for index, symbol in enumerate(tokens)).encode(),
        LEXICON: _lexicon(_read(check, LEXICON).decode(), tokens).encode(),
    }


def _tar(folder: str, contents: dict[str, bytes]) -> bytes:
    """A tar with fixed owners, modes and times, names sorted."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for name, data in sorted(contents.items()):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _read(check: BundleCheck, name: str) -> bytes:
    with open_unchanged(check.root, check.digests[name]) as handle:
        return handle.read()


def _lexicon(text: str, tokens: Sequence[str]) -> str:
    """The dictionary in the voice's symbols, with letters, and with guesses for names that it lacks."""
    entries = {line.split()[0]: tuple(line.split()[1:]) for line in text.splitlines() if line.strip()}
    plain = {word: tuple(phone.rstrip("012") for phone in phones) for word, phones in entries.items()}
    lexicon = Lexicon(plain)
    for letter, phones in LETTER_NAMES.items():
        entries.setdefault(letter, phones)
    for name in NAMES.split():
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
    tidy, constants = _token_order(json.loads(metadata["tokens"]))
    before = [
        *tidy,
        helper.make_node("Shape", ["tokens"], ["voicemill_shape"]),
        helper.make_node("Reciprocal", ["length_scale"], ["voicemill_pace"]),
        helper.make_node("Expand", ["voicemill_pace", "voicemill_shape"], ["pace"]),
        helper.make_node("Sub", ["pace", "pace"], ["pitch"]),
    ]
    after = helper.make_node("Unsqueeze", ["samples", "voicemill_axis"], ["y"])
    nodes = [*before, *graph.node, after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*constants, helper.make_tensor("voicemill_axis", TensorProto.INT64, [1], [1])])
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


def _token_order(tokens: Sequence[str]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes from sherpa-onnx's order of tokens, `x`, to the voice's, `tokens`, and their constants.

    sherpa-onnx ends each word with a space and puts marks behind it. The voice has a mark right after its word, one
    space between words, and one at both ends.
    """
    from onnx import TensorProto, helper

    space = tokens.index(" ")
    marks = [index for index, symbol in enumerate(tokens) if symbol in _MARKS]
    constants = {
        "space": [space],
        "marks": [*marks],
        "row": [1, -1],
        "flat": [-1],
        "zero": [0],
        "one": [1],
        "end": [2**62],
        "minus_one": [-1],
    }
    node, name = helper.make_node, "voicemill_{}".format

    def is_mark(source: str, result: str) -> list[onnx.NodeProto]:
        """Whether each token is a mark: compared with each of them, shape (tokens, marks)."""
        return [
            node("Unsqueeze", [source, name("one")], [f"{result}_column"]),
            node("Equal", [f"{result}_column", name("marks")], [f"{result}_each"]),
            node("Cast", [f"{result}_each"], [f"{result}_number"], to=TensorProto.INT64),
            node("ReduceMax", [f"{result}_number"], [f"{result}_any"], axes=[1], keepdims=0),
            node("Cast", [f"{result}_any"], [result], to=TensorProto.BOOL),
        ]

    nodes = [
        node("Reshape", ["x", name("flat")], [name("ids")]),
        # A space and the mark behind it change places.
        node("Concat", [name("space"), name("ids")], [name("shifted")], axis=0),
        node("Slice", [name("shifted"), name("zero"), name("minus_one"), name("zero")], [name("previous")]),
        node("Slice", [name("ids"), name("one"), name("end"), name("zero")], [name("rest")]),
        node("Concat", [name("rest"), name("space")], [name("next")], axis=0),
        *is_mark(name("ids"), name("is_mark")),
        *is_mark(name("next"), name("next_is_mark")),
        node("Equal", [name("ids"), name("space")], [name("is_space")]),
        node("Equal", [name("previous"), name("space")], [name("previous_is_space")]),
        node("And", [name("is_space"), name("next_is_mark")], [name("takes_mark")]),
        node("And", [name("is_mark"), name("previous_is_space")], [name("takes_space")]),
        node("Where", [name("takes_mark"), name("next"), name("ids")], [name("half_swapped")]),
        node("Where", [name("takes_space"), name("space"), name("half_swapped")], [name("swapped")]),
        # One space between words and at both ends.
        node("Concat", [name("space"), name("swapped"), name("space")], [name("padded")], axis=0),
        node("Slice", [name("padded"), name("one"), name("end"), name("zero")], [name("padded_rest")]),
        node("Concat", [name("padded_rest"), name("minus_one")], [name("padded_next")], axis=0),
        node("Equal", [name("padded"), name("space")], [name("padded_space")]),
        node("Equal", [name("padded_next"), name("space")], [name("padded_next_space")]),
        node("And", [name("padded_space"), name("padded_next_space")], [name("repeated")]),
        node("Not", [name("repeated")], [name("kept")]),
        node("Compress", [name("padded"), name("kept")], [name("tidy")], axis=0),
        node("Reshape", [name("tidy"), name("row")], ["tokens"]),
    ]
    tensors = [helper.make_tensor(name(key), TensorProto.INT64, [len(each)], each) for key, each in constants.items()]
    return nodes, tensors


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


def _page(form: Format, metadata: dict[str, str], unmarked_because: str | None) -> str:
    """How to call the graph."""
    rate = metadata["sample_rate"]
    marks = (
        f"Its speech carries no marks of synthetic speech. Reason: {unmarked_because}"
        if unmarked_because
        else "The graph puts a watermark into its speech, by which `voice-verify audio` finds the voice. The program\n"
        "that writes a sound file adds signed metadata."
    )
    head = f"# A voice of voicemill\n\nMono, {rate} Hz. Keep `ATTRIBUTION.txt` with the voice.\n\n{marks}\n\n"
    if form == "piper":
        return head + (
            "```bash\npiper --model voice.onnx --output-file morning.wav 'Good morning.'\n```\n\n"
            "Piper reads numbers and finds pronunciations with eSpeak NG, so words can sound otherwise than here.\n"
            "Piper and eSpeak NG are under the GPL, version 3 or later; these files are not part of them.\n"
        )
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
