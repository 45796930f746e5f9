"""A real HTTPS server on this machine that hands out a file by ranges and, where the test says so, breaks off."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class FileServer:
    """Serves one file.

    Attributes:
        url: where.
        certificate: what a client has to trust.
        data: the file.
        breaks: lengths after which the next answers break off, in turn; an empty list breaks none.
        ranges: what each request asked for in `Range`, in turn; None where it asked for the whole.
        knows_ranges: answers with a part where asked for one.
        refusals: status codes of the next answers, in turn.
        length: what it says of an answer's length; None for the truth.
    """

    def __init__(self, certificate: Path, data: bytes) -> None:
        self.certificate, self.data = certificate, data
        self.breaks: list[int] = []
        self.ranges: list[str | None] = []
        self.refusals: list[int] = []
        self.knows_ranges = True
        self.length: str | None = None
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if self.refusals:
            request.send_error(self.refusals.pop(0))
            return
        found = re.fullmatch(r"bytes=(\d+)-", asked or "") if self.knows_ranges else None
        start = int(found[1]) if found else 0
        if found and start >= len(self.data):
            request.send_error(416)
            return
        body = self.data[start:]
        request.send_response(206 if found else 200)
        if found:
            request.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
        request.send_header("Content-Length", self.length or str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)
        request.close_connection = True


@contextlib.contextmanager
def serving(folder: Path, data: bytes) -> Iterator[FileServer]:
    """Within, `data` is served on a port of this machine, with a certificate that lies in `folder`."""
    certificate, key = _certificate(folder)
    server = FileServer(certificate, data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no news."""

    with Listener(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        server.url = f"https://127.0.0.1:{listening.server_port}/base.nemo"
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            listening.shutdown()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
