"""Training: a prepared dataset becomes NeMo checkpoints that speak.

    config         typed settings: one base file and short presets
    durations      forced alignment -> frames per token, or an attention prior
    data           prepared dataset -> batches of tokens, mels, pitch and durations
    fastpitch      NeMo's FastPitchModel built from our settings, or taken from a base checkpoint
    loop           Lightning's Trainer around it: schedule, averaging, atomic checkpoints, resume
    griffin_lim    log-mel -> samples without a neural vocoder
    synthesis      text -> samples through the saved checkpoints; ground-truth-aligned mels

Everything heavy (torch, NeMo, Lightning) is imported inside the functions that need it, except in modules that say
otherwise.
"""
