"""Is this bundle what it says it is, and may it go to production?

    bundle folder ─▶ bundle.differences ─▶ checklist ─▶ GO / NO-GO

`bundle.differences` answers with a sorted list of files that are extra, missing, changed or unsafe, never with a bare
"mismatch". `checklist` is the promotion checklist of the operator contract, section 8, judged by the shipped allowlist.
"""
