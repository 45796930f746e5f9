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

# Waiting OpenMP threads spin for a moment and then sleep (docs/benchmarks.md, "Waiting threads"). libgomp reads the
# variables when torch is loaded, so they are set here, before every other import, and child processes inherit them.
# Other OpenMP libraries know the policy only.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
