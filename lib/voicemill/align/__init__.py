"""Speech aligned with text: everything that takes sound and gives words.

acoustic_model        PocketSphinx's acoustic model: decoding graphs, log-likelihoods per HMM state (docs/adr/0012)
features              the cepstral features that the acoustic model scores
viterbi               Viterbi decoding over the states of a known text
forced_alignment      samples + text -> words and phones with times, a score that detects wrong text; the spoken reading
second_recogniser     Whisper tiny.en: how likely each word of a known text is, and what is recognised
text_check            wrong words of a text: both recognisers must agree
word_differences      where recognised words differ from a text by more than spelling
recognition           samples -> words; an offline measure of intelligibility, never a source of transcripts
transcription         text for recordings without any, by NeMo or faster-whisper
script_recognition    a long recording -> words, with the script's own language model
script_following      words between recognised spans, placed by forced alignment
script_language_model language models of a script, as PocketSphinx reads them
script_windows        the part of a long script that each stretch of a recording is likely to read
script_matching       recognised words -> takes of the script's sentences
utterance_boundaries  takes -> utterances cut in pauses
long_utterances       long utterances split by forced alignment
script                a long recording + its script in reading order -> utterances cut in silence
"""
