"""Engines: what turns a text into speech. `engine` defines the seam, the other modules implement it.

engine    what an engine is given and what it returns
programs  flite and espeak-ng, where they are installed
trained   a voice that voicemill trained, through `voicemill_runtime`
"""
