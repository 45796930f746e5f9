"""The experimental lane `tts_voice_train`: an adapter for MusicGen, for exploration only (docs/experimental.md).

    colab: report ◀─ git sync ─▶ preflight ─▶ lane (a process a step): prepare ─▶ train ─▶ outputs checked
                                                   dataset ▲        training ▲ model, adapter, objective

The room is fenced off on both sides. No other room imports it, and it imports nothing that makes, judges or promotes a
voice (import-linter checks both). What it makes rests on weights whose licence forbids commercial use, so the
production gate refuses it.
"""
