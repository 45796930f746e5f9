"""Many jobs from one task file, locally or on a rented machine: `make batch TASKS=jobs.txt` (docs/remote.md).

    tasks    the task file: one app invocation per line, validated before anything runs
    journal  started and finished tasks, so that a killed batch can be continued
    runner   runs the tasks one after another or in parallel, each with its log
    summary  the table for people and summary.json for programs

Standard library only: the host may have only Python (docs/adr/0006).
"""
