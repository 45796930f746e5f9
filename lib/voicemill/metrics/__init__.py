"""Pure measures: numbers about sound and text, each with a published definition, none with a side effect.

    error_rate     word and character error rate of a recogniser's text against the text that was spoken
    spectral       log-mel spectrogram as NeMo computes it, mel-cepstral distortion, multi-resolution STFT distance
    warping        dynamic time warping, which pairs the frames of two performances of one sentence
    pitch_errors   gross pitch error, voicing decision error, F0 error in cents and correlation over paired frames
    durations      relative error of a sentence's length
    speaker        distance between two speakers from the statistics of cepstra and pitch
    limits         bounds of figures, as a preset sets them

A measure that has no meaning for its input raises `NotMeasurableError`; it never answers with a made-up number.
`docs/evaluation.md` gives the source of every formula.
"""
