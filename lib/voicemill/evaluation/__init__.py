"""Evaluation: a trained voice measured on held-out sentences, and the report that shows and plays it.

    model             `artifacts/prod_tts_eval.json` as a typed model: each figure is measured, or null with the reason
    figures           metrics of the catalogue as figures with method, library and version
    candidates        a voice with one vocoder: synthesis, recognition, figures
    evaluate          the whole evaluation beside recordings
    reference_free    the evaluation of a voice without recordings
    judging           the judges on the sentences of an evaluation
    other_speakers    embeddings and profiles of other people to compare a voice with
    trials            test sentences without a recording: long ones, and numbers and dates
    recogniser_pool   recognition of many sounds in several processes
    vocoder_choice    the choice of the vocoder by measurement
    limit_results     the limits of a preset, applied to an evaluation
    wording           figures as text
    charts            small SVG charts in the reader's light or dark theme
    pages             template rendering and parts shared by all HTML pages
    voice_report      one self-contained HTML file: players, plots, tables, licences
    report_charts     its charts
    report_sentences  its sentences, with sounds and pictures
    training_page     the page that follows a training

Metrics are declared in `voicemill.metrics.catalogue`. No figure is derived from the training loss
(`docs/evaluation.md`).
"""
