"""Machines rented by the hour: search, order, use and destroy them (docs/remote.md, docs/adr/0010).

    settings   the environment and .env, with the secrets
    market     offers and instances at vast.ai, through the vendor's client in a separate Python (bridge)
    state      the user's state folder: the lock, a lease per instance that may exist, pinned host keys
    request    the options of a run, checked before anything is paid for, and the plan of a dry run
    snapshot   the code at one commit
    remote     ssh and rsync to the instance: pinned host key, no secrets on command lines
    transfer   inputs to the instance and results from it, verified by hash
    job        the task file on the instance, detached from the connection
    lifecycle  orphans, creation, waiting, and destruction in every case
    commands   run, shell, status, pull, destroy, search
    console    messages and questions for the user
    report     rental.json beside the results

Standard library only (docs/adr/0006). Invariant: the lease is written before an instance is ordered, and removed only
once the instance is gone. If this process is killed, the next start destroys what is left.
"""
