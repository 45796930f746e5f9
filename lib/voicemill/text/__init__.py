"""Text of a recording: scripts and transcripts, spoken form, pronunciations. Nothing here reads sound.

    transcripts    a plain script, LJSpeech's metadata.csv, .txt/.lab beside clips -> sentences and clip texts
    captions       srt, vtt and TextGrid -> captions: text with times
    textgrid       Praat's format
    normalise      written English -> spoken form -> the words that lexicon, aligner and NeMo's tokenizer share
    lexicon        word -> phones (ARPABET without stress): CMU dictionary, one's own additions, guesses
    letters        letter-to-sound: joint letter-phone n-grams trained on the dictionary (docs/adr/0003)

Invariant: `normalise.words` is the one tokenisation; the lexicon has one pronunciation a word, so phones of the
aligner and tokens of the tokenizer match one to one.
"""
