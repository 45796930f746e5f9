"""Metrics: numbers about sound and text, each with a published definition, computed without side effects.

    catalogue      every metric of the evaluation: name, unit, method, input, function, limits, rounding
    metric         the declaration of a metric, and an estimate
    inputs         what metrics are computed from
    figure_limits  bounds of figures, as a preset sets them
    error_rate     word and character error rate of a recogniser's text against the text that was spoken
    spectral       log-mel spectrogram as NeMo computes it, mel-cepstral distortion, multi-resolution STFT distance
    warping        dynamic time warping, which pairs the frames of two performances of one sentence
    pitch_errors   pitch contours; gross pitch error, voicing decision error, F0 error in cents, correlation
    speaker        distance of two speakers by the statistics of their cepstra
    judges         learned models that measure finished speech: Whisper, a speaker encoder, DNSMOS
    opinion        opinion scores that DNSMOS predicts
    judged         the metrics of the judges
    intervals      95% intervals of a mean over sentences, and of a share

A metric that has no meaning for its input raises `NotMeasurableError`; it never returns an invented number.
`docs/evaluation.md` gives the source of every formula.
"""
