#!/usr/bin/env python3
"""Make data/base/people.json: speaker embeddings of other people, to whom an evaluation compares a voice.

    scripts/speaker_encoder/people.py FOLDER

FOLDER has one folder for each person, with recordings (.flac or .wav). The shipped file was made from 190 speakers of
LibriSpeech train-clean-100, one clip of 4 to 17 s each (V. Panayotov et al., CC BY 4.0, http://www.openslr.org/12/).
The file has no names, and no sound can be made from it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from voicemill import files
from voicemill.audio.decode import read_mono
from voicemill.audio.embedding import SpeakerModel, centroid
from voicemill.evaluation.other_speakers import PEOPLE, PeopleFile, pack

SOURCE = "190 speakers of LibriSpeech train-clean-100, (c) 2014 Vassil Panayotov, CC BY 4.0, http://www.openslr.org/12/"


def main(arguments: list[str]) -> int:
    """Write the file."""
    if len(arguments) != 1:
        print(__doc__)
        return 1
    graph = ROOT / "data/base/speaker-encoder.onnx"
    encoder = SpeakerModel("encoder", graph, files.sha256_file(graph))
    found = []
    for person in sorted(path for path in Path(arguments[0]).iterdir() if path.is_dir()):
        clips = sorted([*person.glob("*.flac"), *person.glob("*.wav")])
        found.append(centroid(np.array([encoder.embed(*read_mono(clip)) for clip in clips])))
    written = PeopleFile(encoder=encoder.sha256, source=SOURCE, people=len(found), embeddings=pack(np.array(found)))
    files.write_json(ROOT / PEOPLE, written.model_dump(mode="json"))
    print(f"{ROOT / PEOPLE}: {len(found)} people")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
