"""Sound in, measured speech out: the first room; it imports no other.

    decode        any recording -> checked mono WAV or float32 samples (one ffmpeg helper, untrusted files)
    loudness      EBU R 128 figures of a file, and the one constant gain that brings it to a target
    vad           where somebody speaks (Silero)
    segmentation  speech -> utterances of 1 to 12 s, cut only in pauses
    pitch         F0 of each frame: pyin, frame for frame as librosa computes it, many times faster
    quality       peak, clipping, signal-to-noise ratio and edges of one clip

Samples are float32 numpy arrays of shape (samples,), full scale 1.0; times are seconds; rates and frequencies are Hz.
Nothing here keeps state, so one clip is one task that any process can do.
"""
