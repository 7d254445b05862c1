"""The client counts what a server really answers, over kept connections and over those that the server closes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle

import pytest

from bench.speed.client import requests_of, run

BODY = {"tasks": [{"id": 1, "data": {"title": "茶"}}]}


@contextmanager
def server(status: int = 200, *, keeps: bool = True) -> Iterator[tuple[int, list[int], list[bytes]]]:
    """A server's port, the ports of the clients that connected, and the bodies that came."""
    connected: list[int] = []
    came: list[bytes] = []

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connected.append(self.client_address[1])

        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["content-length"])))
            content = b'{"results":[{"result":[],"model_version":"v1.ab"}],"model_version":"v1.ab"}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if not keeps:
                self.send_header("Connection", "close")
            self.end_headers()
            # In two parts, as a network may deliver it.
            self.wfile.write(content[:10])
            self.wfile.flush()
            self.wfile.write(content[10:])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made.server_address[1], connected, came
        finally:
            made.shutdown()
            thread.join()


@pytest.mark.parametrize(("keeps", "connections"), [(True, 2), (False, 7)])
def test_each_task_is_asked_once_and_connections_are_kept_where_the_server_keeps_them(
    keeps: bool, connections: int
) -> None:
    with server(keeps=keeps) as (port, connected, came):
        seen = run(port, iter(requests_of([BODY] * 7, port)), 2, 30)
    assert (len(seen.milliseconds), seen.failed, seen.versions) == (7, 0, ["v1.ab"])
    assert len(connected) == connections
    assert "茶".encode() in came[0]
    assert all(each > 0 for each in seen.milliseconds)


def test_answers_that_are_no_answers_are_counted_as_failures() -> None:
    with server(500) as (port, _, _):
        seen = run(port, iter(requests_of([BODY] * 3, port)), 1, 30)
    assert (len(seen.milliseconds), seen.failed, seen.versions) == (3, 3, [])


def test_it_ends_after_its_time() -> None:
    with server() as (port, _, came):
        seen = run(port, cycle(requests_of([BODY], port)), 2, 0.3)
    assert 0.3 <= seen.seconds < 20
    assert len(seen.milliseconds) == len(came) > 2
