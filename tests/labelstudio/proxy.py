"""A small HTTP proxy, and a certificate for hosts that do not exist."""

import base64
import select
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class SmallProxy:
    """Forwards GET requests in absolute form and CONNECT tunnels to ports of this machine.

    ``hosts`` maps each ``host:port`` that it knows to a port; it answers 403 for all others. ``requests`` keeps method,
    target and the Authorization header of each request, ``user`` is the Basic user and password that it asks for.
    """

    def __init__(self, user: str = "") -> None:
        self.hosts: dict[str, int] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self._wanted = f"Basic {base64.b64encode(user.encode()).decode()}" if user else None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "SmallProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                target = self._target(f"{parts.hostname}:{parts.port or 80}")
                if target is None:
                    return
                path = parts._replace(scheme="", netloc="").geturl()
                kept = [f"{name}: {value}" for name, value in self.headers.items() if not name.startswith("Proxy")]
                with socket.create_connection(("127.0.0.1", target)) as there:
                    there.sendall("\r\n".join([f"GET {path} HTTP/1.0", *kept, "", ""]).encode())
                    while part := there.recv(65_536):
                        self.wfile.write(part)

            def do_CONNECT(self) -> None:
                target = self._target(self.path)
                if target is None:
                    return
                self.send_response(200)
                self.end_headers()
                with socket.create_connection(("127.0.0.1", target)) as there:
                    ends = {self.connection: there, there: self.connection}
                    while True:
                        for end in select.select(list(ends), [], [])[0]:
                            part = end.recv(65_536)
                            if not part:
                                return
                            ends[end].sendall(part)

            def _target(self, host: str) -> int | None:
                proxy.requests.append((self.command, self.path, self.headers.get("Authorization")))
                if proxy._wanted and self.headers.get("Proxy-Authorization") != proxy._wanted:
                    self.send_error(407)
                elif host not in proxy.hosts:
                    self.send_error(403)
                else:
                    return proxy.hosts[host]
                return None

        return Handler


def certificate(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for a host; return its file, and what a server needs to show it."""
    shown, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-days", "2"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(shown)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)
    return shown, context
