"""A machine rented by the hour: found, paid for, used and given back (docs/remote.md, docs/adr/0010).

    settings   what the environment and .env say; the secrets
    market     offers and instances at vast.ai, through the vendor's own client in an environment of its own (bridge)
    state      in the user's state folder: the lock, a lease for every instance that may exist, pinned host keys
    snapshot   the code at one commit
    remote     ssh and rsync to the instance: pinned host key, no secrets on command lines
    transfer   what goes there, and the results coming back, verified by hash
    job        the task file running there, detached, so that a dropped connection costs nothing
    lifecycle  orphans, creation, waiting, and destruction whatever happens
    commands   run, shell, status, pull, destroy, search
    talk       what the person reads and is asked

Standard library only (docs/adr/0006). Invariant: the lease is on the disk before an instance is ordered, and goes only
when the instance is gone; so whatever kills this process, the next start knows what to destroy.
"""
