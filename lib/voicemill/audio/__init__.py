"""Sound in, measured speech out; of the other rooms it imports only `weights`.

    decode        any recording -> checked mono WAV or float32 samples (one ffmpeg helper, untrusted files)
    times         `1:02:30.5` -> seconds
    download      a web address -> a file (yt-dlp, optional)
    sound         a recording that is read piece by piece
    levels        how loud it is at each moment
    loudness      EBU R 128 figures of a file, and the one constant gain that brings it to a target
    vad           where somebody speaks (Silero)
    background    windows around speech, and how loud music or noise is in them
    separation    the voice alone (Demucs)
    segmentation  speech -> utterances of 1 to 12 s, cut only in pauses
    cuts          why an utterance begins and ends where it does
    device        the pitch search's dense part on a GPU
    pitch         F0 of each frame: pyin, frame for frame as librosa computes it, many times faster
    quality       peak, clipping, signal-to-noise ratio, bandwidth and edges of one clip
    voice         pitch and formants of one clip, to notice that somebody else speaks
    embedding     who speaks, by a speaker model where there is one; `onnx` runs its graph, and Silero's
    likeness      whether two clips are the same sound

Samples are float32 numpy arrays of shape (samples,), full scale 1.0; times are seconds; rates and frequencies are Hz.
Nothing here keeps state, so one clip is one task that any process can do.
"""
