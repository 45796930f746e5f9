"""Prepared voices by name: their records, and how to rename, delete, export and import them.

    record       `cache/voices/<slug>/voice.json` as one typed model
    registry     register, list, show, rename, delete
    archive      a voice as one zip: deterministic to write, strict to read
    zip_entries  the entries of a zip, judged before one is unpacked

The dataset in `work/datasets/<slug>` is authoritative; its record describes it and can be rebuilt from it.
"""
