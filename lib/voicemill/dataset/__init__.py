"""From recordings and their text to the dataset that training reads: clips, manifests, pitch, statistics.

    prepare        the whole way, stage by stage, published at once or not at all
    request        what a preparation is asked for
    prepared       a finished dataset, and reading it back
    sources        --audio, --script, --metadata, --dataset -> recordings and the text that belongs to them
    recordings     decode, loudness and voice activity of each recording
    separating     windows with music or noise behind the voice; the voice alone
    recognising    what a recogniser heard where there is no text, remembered
    listening      what was heard in a long recording, remembered
    captioned      captions of a timed transcript -> stretches of speech
    utterances     which stretch of which recording says which text
    clips          one utterance -> one WAV with its quality figures
    limits         what a clip must be like, in one model
    speakers       how near each clip is to the speaker of most of them, as a speaker model tells
    judging        why a clip is unfit: figure, unit, limit
    explain        cuts.tsv: why each clip begins and ends where it does
    aligning       words and phones of each clip; clips whose sound does not fit their text are named and left out
    supplementary  pitch of each frame, in a cache keyed by content and settings
    split          which clips validate
    manifest       NeMo manifests: one line a clip, read strictly, written byte-identical for the same inputs and seed
    statistics     pitch and length figures of a finished dataset
    description    dataset.json: inputs, settings, figures, what was rejected and why, a digest of every file
    edits          edits.jsonl: what a person decided about single clips, applied by the next preparation
    rights         consent and licence of the recordings
    lanefile       artifacts/dataset_manifest.<job>.json
    stage_cache    results of one clip, kept by content and settings
    pool           one clip is one task: the same functions run here, or on several processes
    cluster        the same tasks on a Ray cluster
    stages         seconds and peak memory of each stage

A prepared dataset is a folder: `manifest.jsonl` and its two parts `train.jsonl` and `validation.jsonl`,
`clips/<id>.wav` (mono PCM16), `supplementary/<id>.npz`, `lexicon.dict`, `dataset.json`,
`cuts.tsv`, `timings.json`. Every second of
the input is accounted for: kept, pause, or rejected by reason.
"""
