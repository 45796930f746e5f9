"""Speech synthesis around the acoustic model: input text, words outside its vocabulary, and vocoders.

    options            speed, pitch, pauses and loudness
    speech             text with breaks -> samples or a WAV file, through any `Synthesiser`
    input_text         SSML breaks, paragraphs, and chunks short enough for one pass of the acoustic model
    out_of_vocabulary  phones for words that the acoustic model's dictionary lacks
    vocoders           log-mel -> samples: Griffin-Lim, or NeMo's HiFi-GAN
    griffin_lim        mel inversion and fast Griffin-Lim
    mel                settings of the mel spectrogram that acoustic model and vocoder share

Only `vocoders.HifiganVocoder` needs NeMo. Mel prediction with FastPitch is `voicemill.training.speaker`.
"""
