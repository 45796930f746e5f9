"""The experimental lane `tts_voice_train`: an adapter for MusicGen, for exploration only (docs/experimental.md).

    colab: report ◀─ git sync ─▶ preflight ─▶ lane (a process a step): prepare ─▶ train ─▶ outputs checked
                                                   dataset ▲        training ▲ model

The package is isolated in both directions: no other package imports it, and it imports nothing that trains, evaluates
or promotes a production voice (import-linter checks both). Its base weights are licensed for non-commercial use only,
so the production gate refuses its results.

    colab     the entry points that end in a report
    git_sync  updates the checkout first (`RUN_GIT_SYNC=1`)
    settings  settings from the environment
    lane      one step of the lane in a process of its own
    sources   the source recordings
    dataset   clips of equal length and their manifest
    model     MusicGen in memory
    training  the low-rank adapter
    weights   the base weights: pinned, inspected, for exploration only
    status    the lane's status file
"""
