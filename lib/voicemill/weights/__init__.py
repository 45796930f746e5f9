"""The weights that may be used, and proof that the bytes on disk are the allowed ones.

    allowlist ─▶ gate.select ─▶ store.resolve ─▶ archive.inspect ─▶ load
        licence policy ▲            ▲ sha256          ▲ structure, never executed

Invariant: nothing is downloaded before it passes the gate, and nothing is loaded that is not pinned by a sha256.

Licences and files:

    registry             the weights of a tool: the gate, then the store; other packages call it
    allowlist            the weights that may be used
    gate, licence        the licence gate, and its policy on SPDX expressions
    manifest             the stand-alone weights manifest (docs/formats.md, section 5)
    store, download      the local files, checked against their digests, and the download of a pinned one

Inspection before anything is loaded:

    archive              the structure of a `.nemo`
    plain_tar, plain_zip strict readers of plain tars and of the zip that `torch.save` writes
    archive_bytes        exact reads from an untrusted archive
    checkpoint           a checkpoint of `torch.save`: one pickle and the storages of its tensors
    nemo_config          `model_config.yaml` of a `.nemo`, without tags and interpolation
    nemo_arguments       the arguments that its classes may have
    sentencepiece_model  the tokenizer inside a recogniser's archive
    tensor_file          a safetensors file: a whole one, with tensors
    onnx_bytes           an ONNX graph: operators of ONNX alone, every tensor inside the file

Loading:

    nemo_runtime         NeMo, with archives loaded from inspected bytes only
    build_limits         bounds of time and memory while a model is built
    demucs_package       a Demucs model
"""
