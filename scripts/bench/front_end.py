"""How fast the text front end reads: words in a second of processor time, and the time of its first sentence.

    python scripts/bench/front_end.py TEXT...

Each TEXT is a file of English prose in UTF-8.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))


def main() -> None:
    started = time.process_time()
    from voicemill.text.frontend import read
    from voicemill.text.lexicon import Lexicon

    lexicon = Lexicon.load()
    read("The first sentence, at 5:30 p.m.", lexicon)
    print(f"first sentence, with imports and the dictionary: {time.process_time() - started:.2f} s of processor time")
    for path in map(Path, sys.argv[1:]):
        text = path.read_text(encoding="utf-8")
        started = time.process_time()
        words = sum(len(sentence.words) for sentence in read(text, lexicon))
        seconds = time.process_time() - started
        print(f"{path.name}: {words} spoken words in {seconds:.2f} s of processor time, {words / seconds:.0f} a second")


if __name__ == "__main__":
    main()
