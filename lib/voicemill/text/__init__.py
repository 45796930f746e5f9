"""What is said in a recording: scripts and transcripts, spoken form, pronunciations, alignment, recognition.

    transcripts    a plain script, LJSpeech's metadata.csv, .txt/.lab beside clips -> sentences and clip texts
    captions       srt, vtt and TextGrid -> captions: text with times
    textgrid       Praat's format
    normalise      written English -> spoken form -> the words that lexicon, aligner and NeMo's tokenizer share
    lexicon        word -> phones (ARPABET without stress): CMU dictionary, one's own additions, guesses
    letters        the guess: joint letter-phone n-grams learned from the dictionary (docs/adr/0003)
    acoustics      PocketSphinx's acoustic model: how well each moment fits each state of a phone (docs/adr/0012)
    features       what it listens to; `paths` is the best way through a text's states
    alignment      samples + text -> words and phones with times, and a score that tells wrong text
    transcribing   text for recordings without any, by NeMo or faster-whisper
    recognition    samples -> words; an offline measure of intelligibility, never a source of transcripts
    hearing        a long recording -> words, with the script's own language model; `nearby` tells which part to expect
    script         a long recording + its script in reading order -> utterances cut in silence

Invariant: `normalise.words` is the one tokenisation; the lexicon knows one pronunciation a word, so phones of the
aligner and tokens of the tokenizer match one to one.
"""
