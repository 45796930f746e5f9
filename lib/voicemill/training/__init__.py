"""Training: a prepared dataset becomes NeMo checkpoints that speak.

    config         typed settings: one base file and short presets
    durations      forced alignment -> frames per token, or an attention prior
    data           prepared dataset -> batches of tokens, mels, pitch and durations
    fastpitch      NeMo's FastPitchModel built from our settings, or taken from a base checkpoint
    loop, hifigan  the two trainings: FastPitch, and HiFi-GAN on its aligned mels
    teaching       what a step of either does alike: guard the weights, split a batch, keep and restore state
    fitting        the Lightning Trainer around it; store: its checkpoints, two of them, atomic
    recovery       what to do about a loss that is not finite; memory: how much a step takes
    selection      held-out sentences measured beside the training (validation): the best weights, and when to stop
    griffin_lim    log-mel -> samples without a neural vocoder
    synthesis      text -> samples through the saved checkpoints; ground-truth-aligned mels

Everything heavy (torch, NeMo, Lightning) is imported inside the functions that need it, except in modules that say
otherwise.
"""
