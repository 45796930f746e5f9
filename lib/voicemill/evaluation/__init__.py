"""A trained voice measured on held-out sentences, and the report that shows and plays it.

    model      `artifacts/prod_tts_eval.json` as one typed model: every figure measured, or null with why
    figures    figures with their method, library and version
    evaluate   speak, recognise, compare: sentences in, evaluation out
    alone      the same of a voice without recordings to compare with
    trials     long sentences, and numbers and dates, of which nobody has a recording
    learned    figures of learned models, with weights that passed the licence gate or not at all
    judging    the limits of a preset
    vocoder    which vocoder the voice ships with, by measurement
    wording    figures as people read them
    charts     small SVG charts that follow the reader's light or dark theme
    page       templates with one look, also for the pages of other rooms
    contents   what the report is made of
    report     one self-contained HTML file: players, plots, tables, licences

No figure is derived from the training loss (`docs/evaluation.md`).
"""
