"""Engines: what turns a text into speech. `engine` defines the seam, the other modules implement it.

engine    what an engine is given and what it returns
programs  flite and espeak-ng, where they are installed
qwen      Qwen3-TTS: cloned voices, built-in speakers, voices from a description
trained   a voice that voicemill trained, through `voicemill_runtime`
"""
