"""Apply mutations of a cosmic-ray session to their sources; run by the Python that has cosmic-ray.

Reads JSON from stdin, a list of [file, operator, arguments of the operator, occurrence], and writes the list of texts;
null where cosmic-ray cannot make the change it has listed (an exception with a dotted name).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cosmic_ray.mutating import mutate_code  # type: ignore[import-not-found]
from cosmic_ray.plugins import get_operator  # type: ignore[import-not-found]

texts = []
for path, operator, arguments, occurrence in json.load(sys.stdin):
    source = Path(path).read_text(encoding="utf-8")
    try:
        texts.append(mutate_code(source, get_operator(operator)(**arguments), occurrence))
    except AttributeError:
        texts.append(None)
json.dump(texts, sys.stdout)
