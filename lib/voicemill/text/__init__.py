"""Text of recordings: transcripts, normalisation and pronunciations. Nothing here reads audio.

transcripts    scripts, metadata, and .txt/.lab files beside recordings -> sentences and texts of clips
metadata       metadata of clips in the dialects of several tools
unspoken       notes in brackets, speaker labels and Markdown, which are not read aloud
captions       .srt, .vtt and TextGrid files -> captions: text with times
textgrid       Praat's TextGrid format
text_files     text files of unknown origin
normalise      written English -> spoken form -> words
language       whether a text is English
lexicon        word -> phones (ARPABET without stress): CMU dictionary, the user's additions, guesses
frontend       the text front end behind `normalise`: sentences to spoken words and phones
readings       a clip's words with their phones, and the places where a reader has a choice
sentence_choice  our own sentences to record or to have read, by the phones that they contain
endings        the sound of a plural's or a third person's s
letters        letter-to-sound: joint letter-phone n-grams trained on the dictionary (docs/adr/0003)

Invariant: `normalise.words` is the only tokenisation. The lexicon has one pronunciation per word; the front end gives
heteronyms another one, and both the aligner and NeMo's tokenizer receive it, so phones and tokens match one to one.
"""
