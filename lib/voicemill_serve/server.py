"""The process: one socket, uvicorn, and a stop that ends what is being spoken."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator, Sequence

import uvicorn

from voicemill.errors import StorageError
from voicemill_serve.application import ROUTERS, create_application, create_services
from voicemill_serve.backend_routes import SERVICE, backend_state
from voicemill_serve.guard import AccessLog
from voicemill_serve.services import Router
from voicemill_serve.settings import ServeSettings

BACKLOG = 512
KEEP_ALIVE_SECONDS = 30


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket that listens on an address.

    It names TCP as its protocol, because asyncio switches Nagle's algorithm off only on connections of such a socket.
    With the algorithm, the last part of a stream waits 40 ms for the client's acknowledgement.

    Raises:
        StorageError: `port_unavailable:<port>`.
    """
    try:
        family, _, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, socket.SOCK_STREAM, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
        except OSError:
            found.close()
            raise
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StorageError(
            f"The server cannot listen on {host}, port {port}: {why}.",
            reason=f"port_unavailable:{port}",
            hint=f"Choose another with {option}, or stop the program that uses it.",
        ) from error
    return found


def run(settings: ServeSettings, routers: Sequence[Router] = ROUTERS, log: AccessLog | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then end what is being spoken, within the time limit of a request.

    A second signal ends the server at once.

    Raises:
        StorageError: `port_unavailable:<port>`.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(listen(settings.host, settings.port)))
        wyoming = None
        if settings.wyoming_port is not None:
            wyoming = listen(settings.wyoming_host, settings.wyoming_port, "--wyoming")
            stack.enter_context(contextlib.closing(wyoming))
        asyncio.run(_serve(settings, routers, log, listener, wyoming))


async def _serve(
    settings: ServeSettings,
    routers: Sequence[Router],
    log: AccessLog | None,
    listener: socket.socket,
    wyoming: socket.socket | None,
) -> None:
    services = create_services(settings, log)
    if wyoming is not None:
        from voicemill_serve.wyoming_server import WyomingServer

        services.background.append(WyomingServer(services, wyoming).run)
    application = create_application(services, routers)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.limits.seconds),
        proxy_headers=False,
        http="h11",
        ws="none",
    )
    server = _Server(config, services.stopping)
    port = listener.getsockname()[1]
    state = await backend_state(services)
    line = {"service": SERVICE, "host": settings.host, "port": port, **state.fields(services)}
    if wyoming is not None:
        line["wyoming_port"] = wyoming.getsockname()[1]
    pages = [area.prefix for area in services.areas]
    if pages:
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
        line["studio"] = f"http://{f'[{host}]' if ':' in host else host}:{port}{pages[0]}"
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    if pages and sys.stderr.isatty():
        sys.stderr.write(f"Open the studio in a browser: {line['studio']}\n")
    await server.serve(sockets=[listener])
    services.log.write("stopped")


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals, which ends the process by the signal after a graceful stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully at the first SIGINT or SIGTERM, and at once at the second."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self._stopping.set()
