"""Many jobs from one text file, here or on a rented machine: `make batch TASKS=jobs.txt` (docs/remote.md).

    tasks    the file: one app invocation a line, read and judged before anything runs
    journal  what was started and what has ended, so that a killed batch goes on where it was
    running  the lines, one after another or several at once, each with its log
    summary  the table for people and summary.json for programs

Standard library only: the machine that starts a batch may have nothing but Python (docs/adr/0006).
"""
