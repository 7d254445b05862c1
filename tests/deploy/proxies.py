"""Proxies that serve a backend under https://<host>/tagloom/: deploy/nginx.conf, and one of a few lines."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from testing.waiting import until
from tools.services.ports import free_port

ROOT = Path(__file__).parents[2]
NGINX = os.environ.get("TAGLOOMTEST_NGINX") or shutil.which("nginx")


@contextmanager
def nginx(folder: Path, backend: str, pem: Path) -> Iterator[tuple[str, Path]]:
    """Run nginx with the server of deploy/nginx.conf; yield its address and the folder of its logs."""
    if not NGINX:
        pytest.skip("no nginx here: apt-get install nginx, or name it in TAGLOOMTEST_NGINX")
    port = free_port()
    server = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for there, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("http://127.0.0.1:9090", backend),
        ("label.example.com;", "localhost;"),
        ("/etc/ssl/tagloom/fullchain.pem", str(pem)),
        ("/etc/ssl/tagloom/privkey.pem", str(pem)),
    ):
        assert there in server, there
        server = server.replace(there, here)
    paths = "".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As Debian's own nginx.conf logs: our part has to keep the secret out of it.
    user = "user root;" if os.geteuid() == 0 else ""  # else it could not write into the test's folder
    text = f"""{user} daemon off; pid {folder / "pid"}; error_log {folder / "error.log"} info;
        events {{}} http {{ access_log {folder / "access.log"}; {paths} {server} }}"""
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "e.log")]
    )
    try:
        until(lambda: process.poll() is not None or _listens(port), seconds=20)
        assert process.poll() is None, (folder / "e.log").read_text("utf-8")
        yield f"https://localhost:{port}/tagloom", folder
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def plain(folder: Path, backend: str, pem: Path) -> Iterator[tuple[str, Path]]:
    """Run a proxy that does what deploy/nginx.conf says, where no nginx is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            target = urlsplit(backend)
            ours = http.client.HTTPConnection(str(target.hostname), target.port, timeout=110)
            kept |= {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
            path = re.sub("^/tagloom/", "/", self.path)
            ours.request(self.command, path, body, kept)
            answer = ours.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            ours.close()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}/tagloom", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def backend(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `tagloom serve` as its unit does; yield its address and the process."""
    port = free_port()
    given = os.environ | environment | {"TAGLOOM_PORT": str(port), "TAGLOOM_HOME": str(folder / "home")}
    with (folder / "backend.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("tagloom")), "serve"], cwd=ROOT, env=given, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _is_ready(url), seconds=90)
        yield url, process
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _is_ready(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/health", timeout=2).json()["ready"])
    except httpx.HTTPError:
        return False
