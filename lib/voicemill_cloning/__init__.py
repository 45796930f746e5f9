"""Voices from seconds of sound: cloned, built-in and designed voices, and every trained voice behind the same seam.

    engines    what speaks: trained voices, flite, espeak-ng
    speaking   text -> takes, through any engine
    chunking   a long text in the pieces that an engine speaks one by one
    durations  how long a text takes to speak, by phones and syllables
    languages  the languages of Qwen3-TTS and their names
    voice_file  `voice.json` of a voice that speaks without training, as one typed model
    registry    voices by name: created, changed, found, renamed, deleted
    archive     a voice as one zip: deterministic to write, strict to read

Every command speaks through `speaking.speak`, so each works with each engine.
"""
