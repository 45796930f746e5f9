"""Our application for the shim: without a voice, with the agent's policies, made anew for `x-shim-reset`.

Each request brings the variables of the test that sends it, because the agent's tests change their environment between
requests. Prints its port on the first line.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import tempfile
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from voicemill_serve.application import create_application, create_services
from voicemill_serve.guard import AccessLog
from voicemill_serve.settings import ServeSettings

PREFIXES = ("VOICE_", "TTS_BASE_URL", "ELEVENLABS_")


class Resettable:
    """The application, which a header replaces by a new one without any state."""

    def __init__(self, empty: Path) -> None:
        self._settings = ServeSettings((empty,), empty, agent_policies=True, training=False)
        self._application = self._make()

    def _make(self) -> ASGIApp:
        return create_application(create_services(self._settings, AccessLog(io.StringIO())))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in the environment that it brings."""
        headers = dict(scope["headers"])
        if b"x-shim-reset" in headers:
            self._application = self._make()
        for name in [name for name in os.environ if name.startswith(PREFIXES)]:
            del os.environ[name]
        os.environ.update(json.loads(base64.b64decode(headers[b"x-shim-environment"])))
        await self._application(scope, receive, send)


def main() -> None:
    """Serve until the process ends."""
    with tempfile.TemporaryDirectory() as empty, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(listener.getsockname()[1], flush=True)
        application = Resettable(Path(empty))
        uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error")).run(sockets=[listener])


if __name__ == "__main__":
    main()
