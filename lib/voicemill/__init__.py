"""voicemill: recordings -> a certified text-to-speech voice.

    recording -> audio -> text, align -> dataset -> training -> evaluation -> bundle -> verify -> verdict
                                                     ^      ^
                                  weights (licence gate)  metrics

A package imports only from packages below it and from top-level modules; the order is in the import-linter contracts of
pyproject.toml. Nothing here parses argv, reads settings from the environment or exits: `apps/` and `scripts/voice/` do.
"""

import os

__version__ = "0.1.0"

# Waiting OpenMP threads sleep instead of spinning (docs/benchmarks.md, "Waiting threads"). libgomp reads the variable
# when torch is loaded, so it is set here, before every other import, and child processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
