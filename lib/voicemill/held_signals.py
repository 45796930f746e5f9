"""SIGINT and SIGTERM while an entry point is imported. The module imports nothing that takes time."""

import signal

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def hold_signals() -> None:
    """Keep SIGINT and SIGTERM waiting until `Interrupts.deliver`; an entry point's first statement.

    While modules are imported, no status file could record the interruption.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def release_signals() -> None:
    """Deliver signals that `hold_signals` kept waiting, and every later one at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
