"""A trained voice as files that anyone can check.

    status + eval + checkpoints ─▶ build ─▶ production bundle ─▶ promote ─▶ promoted bundle

Invariants: a folder is published whole or not at all; every file in it is listed with its size and sha256 and
there are no other files; the same inputs give the same bytes.

    build           the production bundle of a training
    instructions    the page that says how other programs speak with it
    promote         a production bundle as the voice of a profile
    manifest        the manifests of both bundles as typed models
    origins         what the marks of a voice's speech name, as its bundle states it
    contents        the files of a folder, read without following links
    differences     differences between a manifest and its folder
    places          paths as the files state them, and folders that may be replaced
    packing         a bundle with its companions as one tar
    signing         signatures: DSSE envelopes over in-toto statements
    signature_check whether a signature holds for a bundle and the files beside it
    statements      what is signed: files, provenance, bill of materials
    export_formats  the graph for other programs
    piper_format    the graph for Piper
    watermark_nodes the watermark inside an exported graph
"""
