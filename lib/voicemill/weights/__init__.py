"""Which weights may be used at all, and whether the bytes on disk are the ones that were allowed.

    allowlist ─▶ gate.select ─▶ store.resolve ─▶ archive.inspect ─▶ load
        licence policy ▲            ▲ sha256          ▲ structure, never executed

`shelf` is the one call that other rooms make. `demucs_package` and `nemo_guest` look into what foreign loaders load.

Invariant: nothing is downloaded before the gate let it through, and nothing is loaded that is not pinned by a sha256.
`manifest` validates the stand-alone weights manifest (formats contract, section 5).
"""
