"""The stages of a preparation, one module each, in their order.

    decode           recordings to mono WAV at the dataset's sample rate
    voice_activity   stretches of speech in each recording
    separation       the voice without music and noise, where these are measured
    loudness         one gain for all recordings
    segmentation     utterances: a stretch of a recording and its text
    clips            one WAV for each utterance, with quality figures
    alignment        words and phones of each clip
    text_check       single wrong words, where a second recogniser is installed
    pitch            fundamental frequency of each frame
    manifest         NeMo manifests, report, statistics and dataset.json

A stage module holds its `NAME`; `run`, which takes a `PreparationContext` and the result of the stage before; and, if
the work is done one recording or clip at a time, the task and its function. The key of a cached result is made of the
inputs that the function names, and of the module's code with everything it imports (`stage_cache`).
"""

STAGES = (
    "decode",
    "voice-activity",
    "separation",
    "loudness",
    "segmentation",
    "clips",
    "alignment",
    "text-check",
    "pitch",
    "manifest",
)
"""Names of the stages in their order; `len(STAGES)` counts them for PROGRESS."""
