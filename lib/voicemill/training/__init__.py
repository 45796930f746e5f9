"""Training: a prepared dataset -> NeMo checkpoints of FastPitch and HiFi-GAN.

Settings and data:

    config               typed settings: one base file and short presets
    data                 prepared dataset -> clips, examples, batches
    durations            forced alignment -> frames per token, or an attention prior
    examples             a clip -> tokens, mel, pitch and durations
    batches              examples -> padded tensors, and micro-batches
    hifigan_data         a clip -> pairs of a mel and its samples

Models and their steps:

    fastpitch_model      NeMo's FastPitchModel from our settings, or from a base checkpoint
    fastpitch_weights    the file of the base FastPitch: weights alone
    hifigan_model        NeMo's HifiGanModel, likewise
    istft_network        the vocoder of the graph, which NeMo does not know; istft_weights: its file
    istft_losses         its losses; istft_adversary: its discriminators
    manual_optimisation  the LightningModule of both trainings, and recovery from non-finite losses
    fastpitch_module     a step of FastPitch; hifigan_module: a step of HiFi-GAN
    mel_adversary        a discriminator of FastPitch's mels; tempo: of held-out sentences, given to the voice
    memory               memory of a step, and micro-batches that fit
    speedups             bfloat16 and torch.compile

A run:

    train_fastpitch      FastPitch, from a dataset to a `.nemo`; train_hifigan: HiFi-GAN
    tune_vocoder         tunes the graph's vocoder to its speaker; istft_tuning: its steps
    rate_search          learning-rate range test before the first step
    fitting              the Lightning Trainer; hooks: its callbacks to the caller, with previews
    checkpoint           counts, results, and the saved model; store: checkpoints to resume from
    validation           held-out sentences measured in a child process; selection: the best weights, early stopping
    launch               several processes under torchrun; cluster: on Ray; worker, ranks: one of the processes

Trained voices:

    runtime              restored models, seeds, digest of weights
    speaker              text -> samples through saved checkpoints
    onnx_export          a trained voice as one ONNX graph, compared with NeMo
    aligned_mels         ground-truth-aligned mels, for fine-tuning the vocoder

torch, NeMo and Lightning are imported inside the functions that need them, except in modules that say otherwise.
"""
