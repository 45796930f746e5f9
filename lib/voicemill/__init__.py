"""voicemill: recordings flow left to right through the rooms and come out as a certified voice.

    recording -> audio -> text -> dataset -> training -> evaluation -> bundle -> verify -> verdict
                                              ^      ^
                            weights (licence gate)  metrics

A room imports only from rooms before it (`audio, text, dataset, weights, metrics, training, evaluation, bundle,
casimir, verify`) and from the top-level modules; `backends` sits on top. Nothing here parses argv, reads the
environment or exits: that is the business of `apps/` and `scripts/voice/`.
"""

__version__ = "0.1.0"
