"""voicemill: recordings pass through the packages and become a certified voice (docs/architecture.md).

    recording -> audio -> text, align -> dataset -> training -> evaluation -> bundle -> verify -> verdict
                                                     ^     ^        ^                      ^
                                  weights (licence gate)   |     metrics                casimir
                                                       synthesis

A package imports only from packages below it and from the top-level modules; the order is the list `layers` in
pyproject.toml. Nothing here parses arguments, reads settings or exits: `apps/` and `scripts/voice/` do that.
"""

import os

__version__ = "0.1.0"

# Waiting OpenMP threads sleep instead of spinning (docs/benchmarks.md, "Waiting threads"). libgomp reads the variable
# when torch is loaded, so it is set here, before every other import, and child processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
