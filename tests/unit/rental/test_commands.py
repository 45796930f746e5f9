from __future__ import annotations

import signal

from voicemill_rental import commands


def test_a_hangup_stops_a_run_unless_nohup_has_said_otherwise() -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        with commands.hangup_stops():
            assert signal.getsignal(signal.SIGHUP) == signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with commands.hangup_stops():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
