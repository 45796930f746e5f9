"""Prepared voices by name: what each was made of, and ways to rename, delete, send and receive them.

    record    `cache/voices/<slug>/voice.json` as one typed model
    registry  register, list, show, rename, delete
    archive   a voice as one zip: deterministic to write, strict to read
    rights    consent and licence from the command line, the licence as an SPDX expression

The dataset in `work/datasets/<slug>` is what counts; a record says what is in it and can be made again from it.
"""
