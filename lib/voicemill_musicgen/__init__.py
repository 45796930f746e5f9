"""The experimental lane `tts_voice_train`: an adapter for MusicGen, for exploration only (docs/experimental.md).

    colab: report ◀─ git sync ─▶ preflight ─▶ lane (a process a step): prepare ─▶ train ─▶ outputs checked
                                                   dataset ▲        training ▲ model

The package is isolated in both directions: no other package imports it, and it imports nothing that trains, evaluates
or promotes a production voice (import-linter checks both). Its base weights are licensed for non-commercial use only,
so the production gate refuses its results.
"""
