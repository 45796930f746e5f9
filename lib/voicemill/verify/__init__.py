"""Verification of bundles: is a bundle genuine, and may it go to production?

    bundle folder ─▶ bundle.differences ─▶ checklist ─▶ GO / NO-GO

`bundle.differences` answers with a sorted list of files that are extra, missing, changed or unsafe, never with a bare
"mismatch".

    checklist          the promotion checklist of docs/operator-contract.md, section 8, with the shipped allowlist
    rows               its rows: one demand each
    plain_files        files beside the models: of a known kind, and in fact of that kind
    certificate        the Casimir gate on a bundle, and the certificate beside it
    opinions           what listeners think of a voice
    stability          how many generated sentences come out wrong
    stability_figures  the figures of stability: their file, and as text
    stability_texts    these sentences
    number_words       numbers in them as digits, so that two readings compare as equal
    audio_marks        the marks of a sound file
    schemas            JSON Schemas of the file formats, generated from the typed models
"""
