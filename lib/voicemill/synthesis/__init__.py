"""Speech synthesis around the acoustic model: input text, words outside its vocabulary, and vocoders.

    options            speed, pitch, pauses and loudness
    speech             text -> samples or a WAV file, through any `Synthesiser`
    ssml               plain text or SSML -> passages and pauses
    prosody, say_as, phone_alphabets   values of SSML attributes, written forms, pronunciations in ARPABET and IPA
    out_of_vocabulary  phones for words that the acoustic model's dictionary lacks
    vocoders           log-mel -> samples: Griffin-Lim, or NeMo's HiFi-GAN
    griffin_lim        mel inversion and fast Griffin-Lim
    mel                settings of the mel spectrogram that acoustic model and vocoder share

Only `vocoders.HifiganVocoder` needs NeMo. Mel prediction with FastPitch is `voicemill.training.speaker`.
"""
