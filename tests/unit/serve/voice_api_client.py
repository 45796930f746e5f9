"""The application inside a test, and a backend that it asks."""

from __future__ import annotations

import asyncio
import io
import json
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from voicemill_serve.application import create_application, create_services
from voicemill_serve.encoders import wav_bytes
from voicemill_serve.guard import AccessLog
from voicemill_serve.settings import ServeSettings

RATE = 22_050


class Client:
    """The application inside the test, without a socket; its state lasts from request to request."""

    def __init__(self, bundles: Path, work: Path, **settings: Any) -> None:
        self.services = create_services(
            ServeSettings((bundles,), work, training=False, **settings), AccessLog(io.StringIO())
        )
        self.application = create_application(self.services)
        self.loop = asyncio.new_event_loop()

    def ask(self, body: object = None, path: str = "speak", method: str = "POST", **arguments: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, f"/api/voice/{path}", json=body, **arguments)

        return self.loop.run_until_complete(run())

    def close(self) -> None:
        self.loop.close()
        self.services.pool.shutdown()


class Backend(socketserver.ThreadingTCPServer):
    """A backend that gives the answers of a list, and then 200 with a quiet tone."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, bytes]] = []
        self.bodies: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.duration: str | None = "1000"
        tone = 0.01 * np.sin(np.arange(RATE) * 0.06)
        self.tone = wav_bytes(tone.astype(np.float32), RATE)
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.calls.append((self.path, headers))
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answers = self.server.answers
        status, kind, data = answers.pop(0) if answers else (200, "audio/wav", self.server.tone)
        self.send_response(status)
        duration = self.server.duration
        headers = {"Content-Type": kind, "Content-Length": str(len(data)), "x-audio-duration-ms": duration}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
