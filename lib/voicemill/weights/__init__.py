"""Which weights may be used at all, and whether the bytes on disk are the ones that were allowed.

    allowlist ─▶ gate.select ─▶ store.resolve ─▶ archive.inspect ─▶ load
        licence policy ▲            ▲ sha256          ▲ structure, never executed

Invariant: nothing is downloaded before the gate let it through, and nothing is loaded that is not pinned by a sha256.
`manifest` validates the stand-alone weights manifest (formats contract, section 5).
"""
