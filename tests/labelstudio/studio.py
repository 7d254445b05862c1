"""A small Label Studio over HTTP: pictures behind a token, personal access tokens that expire, slow and odd answers."""

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from labelstudio.api import LabelStudioClient
from labelstudio.connection import Connection
from labelstudio.decoding import ImageUnavailableError
from labelstudio.images import ImageFetcher
from labelstudio.tasks import ItemReference
from testing.pictures import png

LEGACY = "0123456789abcdef0123456789abcdef01234567"


class Studio:
    """Serves ``files`` (path → content) to whoever shows the token. ``requests`` keeps paths and their credentials.

    An open one asks for no token, as a server of pictures. ``tls`` makes it speak https.
    """

    def __init__(self, token: str = LEGACY, *, is_open: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.token = token
        self._is_open, self._scheme = is_open, "https" if tls else "http"
        self.files: dict[str, bytes] = {}
        self.projects: dict[int, str] = {}  # id → created_at; while it is empty nobody is told
        self.redirects: dict[str, str] = {}
        self.default: bytes | None = png()
        self.pause = 0.0
        self.hold: Callable[[str], None] = lambda _path: None  # called before a GET is answered
        self.requests: list[tuple[str, str | None]] = []
        self.access: set[str] = set()
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> "Studio":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def admits(self, header: str | None) -> bool:
        kind, _, value = (header or "").partition(" ")
        is_known = (kind, value) == ("Token", self.token) or (kind == "Bearer" and value in self.access)
        return self._is_open or is_known

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        studio = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                header = self.headers.get("Authorization")
                studio.requests.append((self.path, header))
                time.sleep(studio.pause)
                studio.hold(self.path)
                if self.path in studio.redirects:
                    self._answer(302, b"", {"Location": studio.redirects[self.path]})
                elif not studio.admits(header):
                    self._answer(401, b'{"detail": "Authentication credentials were not provided."}')
                elif studio.projects and (named := re.fullmatch(r"/api/projects/(\d+)/", self.path)):
                    number = int(named[1])
                    created = studio.projects.get(number)
                    found = {"id": number, "created_at": created, "title": f"Project {number}"}
                    self._answer(200 if created else 404, json.dumps(found if created else {}).encode())
                elif (content := studio.files.get(self.path, studio.default)) is None:
                    self._answer(404, b"not here")
                else:
                    self._answer(200, content)

            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/api/token/refresh" and sent.get("refresh") == studio.token:
                    access = f"access{len(studio.access)}"
                    studio.access = {access}
                    self._answer(200, json.dumps({"access": access}).encode())
                else:
                    self._answer(401, b"{}")

            def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                if content[:1] == b"{":
                    self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news."""


def personal_token() -> str:
    """A token of the form of Label Studio's personal ones (a JWT)."""
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b"{}", b"sign")
    )


class Fetching:
    """A fetcher and the client it shares, closed at the end."""

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        further = options.pop("further", ())
        self.client = LabelStudioClient(Connection(url=url, token=SecretStr(token), further=further))
        self.fetcher = ImageFetcher(self.client, **options)

    def __enter__(self) -> "Fetching":
        return self

    def __exit__(self, *_: object) -> None:
        self.fetcher.close()
        self.client.close()

    def size(self, place: str, **reference: Any) -> tuple[int, int]:
        return self.fetcher.fetch(ItemReference(place, **reference)).size

    def refusal(self, place: str, **reference: Any) -> ImageUnavailableError:
        with pytest.raises(ImageUnavailableError) as refused:
            self.size(place, **reference)
        return refused.value
