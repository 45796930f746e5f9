"""The entry point inside the production container: the lane as a child process, then the report block."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from voicemill.boundary import Interrupts
from voicemill.launch import relay
from voicemill.launch.lanes import MAIN, SCRIPTS, step_lock
from voicemill.locks import with_lock
from voicemill.protocol import Protocol
from voicemill.settings import Settings

HEADING = "=== DOCKER PROD TRAIN REPORT ==="
LOG_NAME = "voice_train_prod.container.log"


def run_reported(settings: Settings, environ: Mapping[str, str], protocol: Protocol, interrupts: Interrupts) -> int:
    """Run the lane and always print the report block; returns the lane's exit code.

    Raises:
        StorageError: the log cannot be written.
        RefusedError: `lane_busy:<work folder>`.
    """
    status = settings.paths.lane_status(MAIN.job(settings))
    script = settings.repository / SCRIPTS / MAIN.script
    with step_lock(settings, protocol) as lock, relay.open_log(settings.workspace.artifacts / LOG_NAME) as log:
        interrupts.deliver()
        code = relay.run(
            [sys.executable, str(script)],
            on_line=protocol.line,
            log=log,
            interrupts=interrupts,
            environment=with_lock(environ, lock),
        )
    protocol.line(HEADING)
    protocol.line(f"outcome={'success' if code == 0 else 'failed'}")
    protocol.line(f"exit_code={code}")
    protocol.line(f"train_status_path={protocol.shown(status)}")
    protocol.line(f"log_path={protocol.shown(log.path)}")
    protocol.line(f"train_status_present={'true' if status.is_file() else 'false'}")
    return code
