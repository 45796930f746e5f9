"""Finished voices without NeMo: numpy and onnxruntime read a voice's graph and speak.

    graph        the ONNX graph of a voice and its metadata
    tokens       passages -> spoken words, and words -> token ids, as NeMo's tokenizer gives them
    griffin_lim  mel -> samples for voices without a neural vocoder, in numpy
    loudness     integrated loudness of samples, and the gain to a target
    voice        text -> samples and times of words, phones and marks, sentence by sentence
    sound_files  samples as WAV, FLAC, MP3, Ogg Vorbis or Opus, in memory
    timings      times as JSON, SubRip, WebVTT or TextGrid

    packed_lexicon  a dictionary as the bytes of its file
    bundle       a promoted bundle, its files checked against the manifest, as a voice

Nothing here imports torch, NeMo, librosa, pynini or pydantic.
"""
