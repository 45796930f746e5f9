"""The text front end: written English to spoken words and phones, one sentence at a time.

    cleanup        markup, entities, emoji and typographic characters removed
    patterns       the scanner: every written form with digits or signs, in order
    numbers        cardinals, ordinals, years, fractions, Roman numerals
    abbreviations  titles, streets, months, Latin and other abbreviations, with or without their dot
    abbreviation_lists  their tables, and the words beside which they mean something
    capitals       initialisms, acronyms, Roman numerals in context
    chat           words of chat: shortened words, initialisms in small letters
    heteronyms     words with two pronunciations, chosen by their neighbours; pronunciations, heteronym_cues and
                   word_classes are its tables
    forms          what the modules of written forms share
    addresses, dates, places, money, quantities, numerals, ranges, notations, symbols   the written forms
    special_signs  stars, notes, Greek letters and other signs as words
    names          of people, saints and streets
    units          names of units, currencies, months and weekdays
    spoken_words   what `read` returns: sentences, words, phones
    chunks         parts of long sentences, for one pass of the acoustic model
    sentences      sentences as written, for scripts
    reading        the front end itself: `read` cuts a text into sentences and reads each

Preparation, training, synthesis and evaluation read text through `read`. Standard library only, apart from the
letter-to-sound model of unknown words; time is linear in the length of the text.
"""

from voicemill.text.frontend.reading import read, read_parts
from voicemill.text.frontend.spoken_words import ReadingChoice, ReadSentence, SpokenWord

__all__ = ["ReadSentence", "ReadingChoice", "SpokenWord", "read", "read_parts"]
