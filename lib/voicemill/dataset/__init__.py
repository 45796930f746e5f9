"""From recordings and their text to the dataset that training reads: clips, manifests, pitch, statistics.

The preparation:

    request             a preparation: its source and every setting
    prepare             runs the stages in order and publishes the dataset atomically
    resolution          from the request to its inputs: recordings, text, the dataset of the voice's name
    models              the models that the allowlist permits and this machine has
    context             the request, models and folders that the stages of one preparation share
    stages              one module a stage, from `decode` to `manifest`

Values that the stages pass on:

    sources             recordings of a source, with one script for all of them or one text for each
    recordings          source files and their decoded audio
    utterances          a stretch of a recording and its text
    candidates          clips on their way into the dataset, and rejected clips
    clip_results        results of the stages for one clip

Parts of stages:

    captioned           captions of a timed transcript to stretches of speech
    cached_recognition  speech recognition with a cache
    limits, presets     limits of a clip's figures, and the presets that set them
    judging             clips that are unfit for training, rejected with figure, unit and limit
    word_edges          sound beside the words of a clip, cut off
    unwritten           speech of a clip that is in no word of its text
    recording_warnings  warnings about marked synthetic speech, the bandwidth of a telephone, a second speaker
    teacher             recordings that are synthetic speech on purpose: what spoke them, and how it was judged
    speakers            similarity of each clip to the speaker of most clips
    speaker_groups      two groups of clips that differ as two speakers do

Files of a dataset:

    prepared            a finished dataset, found by folder or voice, every file checked
    manifest            NeMo manifests: one line a clip
    description         dataset.json: inputs, settings, figures, rejected clips, a digest of every file
    description_parts   its parts: inputs, figures of the stages, statistics
    report              seconds of the input: kept, pause, or rejected by reason
    explain             cuts.tsv: the reason for each cut
    doubts              doubts.jsonl: words of kept clips that may be wrong
    edits               edits.jsonl: decisions of a review
    edited_utterances   edits, applied to the utterances of a preparation
    rights              consent and licence of the recordings
    recorded_consent    consent that the speaker read aloud
    lanefile            artifacts/dataset_manifest.<job>.json

How it runs:

    pool, cluster       tasks in processes of this machine, or on a Ray cluster
    stage_cache         results of single recordings and clips, keyed by code, inputs and settings
    stage_clock         seconds and peak memory of each stage

A prepared dataset is a folder: `manifest.jsonl` and its two parts `train.jsonl` and `validation.jsonl`,
`clips/<id>.wav` (mono PCM16), `supplementary/<id>.npz`, `lexicon.dict`, `dataset.json`, `cuts.tsv`, `timings.json`.
Every second of the input is accounted for: kept, pause, or rejected by reason.
"""
