"""The weights that may be used, and proof that the bytes on disk are the allowed ones.

    allowlist ─▶ gate.select ─▶ store.resolve ─▶ archive.inspect ─▶ load
        licence policy ▲            ▲ sha256          ▲ structure, never executed

Other packages call `registry.WeightsRegistry`. `demucs_package` and `nemo_runtime` inspect archives and load them.

Invariant: nothing is downloaded before it passes the gate, and nothing is loaded that is not pinned by a sha256.
`manifest` validates the stand-alone weights manifest (docs/formats.md, section 5).
"""
