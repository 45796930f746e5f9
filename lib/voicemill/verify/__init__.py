"""Verification of bundles: is a bundle genuine, and may it go to production?

    bundle folder ─▶ bundle.differences ─▶ checklist ─▶ GO / NO-GO

`bundle.differences` answers with a sorted list of files that are extra, missing, changed or unsafe, never with a bare
"mismatch". `checklist` is the promotion checklist of docs/operator-contract.md, section 8; it uses the
shipped allowlist.
"""
