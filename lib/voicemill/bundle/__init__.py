"""A trained voice as files that anyone can check.

    status + eval + checkpoints ─▶ build ─▶ production bundle ─▶ promote ─▶ promoted bundle

Invariants: a folder is published whole or not at all; every file in it is listed with its size and sha256 and
there are no other files; the same inputs give the same bytes. `contents` reads folders without following links,
`manifest` holds the models.
"""
