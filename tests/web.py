"""Web servers on 127.0.0.1 for tests: one answer to every request, by plain HTTP or by TLS."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


def certificate(folder: Path, *, host: str = "127.0.0.1") -> Path:
    """Write a self-signed certificate with its key into one file. Skips the test where openssl is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("a certificate is made by openssl, which is missing here")
    kind = "IP" if host[0].isdigit() else "DNS"
    made = folder / f"{host}.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    words += ["-subj", "/CN=label-studio", "-addext", f"subjectAltName={kind}:{host}", "-keyout", "-", "-out", "-"]
    made.write_bytes(subprocess.run(["openssl", *words], check=True, capture_output=True).stdout)
    return made


@contextmanager
def served(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    pem: Path | None = None,
    port: int = 0,
) -> Iterator[str]:
    """Yield the URL of a server that gives this answer; ``{path}`` in a header becomes the request's path and query.

    Port 0 is any free one.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value.replace("{path}", self.path))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that breaks off is what some tests are about."""

    server = Server(("127.0.0.1", port), Handler)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if pem else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
