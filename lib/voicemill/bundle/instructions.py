"""The page in a bundle that says how other programs speak with it."""

from __future__ import annotations

from collections.abc import Container

from voicemill.bundle.contents import GRAPH

INSTRUCTIONS = "README.md"
_START = """\
# A voice

Keep `ATTRIBUTION.txt` with these files. `manifest.json` lists them all; `prod_tts_eval.json` has the measured figures.

With voicemill:

```bash
voice-train-prod say --voice NAME --text "Good morning." --out morning.wav
voice-verify bundle FOLDER
```
"""
_NEMO = """
## With NeMo alone

`fastpitch.nemo`{vocoder} open with `restore_from` of NeMo 2. NeMo's own `parse()` knows the words of the archive's
dictionary and punctuation. **It leaves out digits, other signs, and every word that it does not know, without an
error**: "The report was 42 pages long." loses the number.

So write numbers and abbreviations as words. Give a word that is not in the dictionary as its phones between bars:
`|K AE1 TH IY0|`. `voice-prep read --json` does both for a text; this makes a text for `parse()` of its answer:

```python
import json, sys

print(". ".join(
    " ".join("|" + " ".join(phones) + "|" for phones in sentence["phones"]) for sentence in json.load(sys.stdin)
))
```
"""
_GRAPH = """
## With ONNX Runtime

`voice-bundle export FOLDER TARGET --format onnx` writes `voice.onnx` with its inputs described, and other formats for
sherpa-onnx and Piper. It takes phones; `lexicon.txt` has those of the known words.
"""
_LEVEL = """
## Loudness

The models speak as loud as the clips that they were trained on: -23 LUFS, unless the dataset was prepared with another
`--loudness`. That is 3 to 7 dB below what players of music and podcasts expect. `say` and `voice-serve` set it
(`--loudness -20`); other programs get the samples as they are and have to apply a gain themselves.
"""


def instructions(names: Container[str]) -> str:
    """The page for a bundle that has these files."""
    vocoder = " and `hifigan.nemo`" if "hifigan.nemo" in names else ""
    return _START + _NEMO.format(vocoder=vocoder) + (_GRAPH if GRAPH in names else "") + _LEVEL
