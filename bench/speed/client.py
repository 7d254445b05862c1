"""A client that costs little: it asks over connections that it keeps, and reads no more of an answer than it must.

    python -m bench.speed.client < load.json

One thread serves all connections. The load is a JSON object: ``port``, ``bodies`` (each one is sent once, in order, and
from the beginning again if ``again``), ``connections``, and ``seconds`` after which it ends. It prints a JSON object.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle

TIMEOUT_S = 60.0
PIECE = 65_536
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
VERSION = re.compile(rb'"model_version": ?"([^"]+)"')


@dataclass
class Seen:
    """What the answers were: milliseconds of each in the order of their ends, failures, and the versions they name.

    ``busy`` is the time in seconds that this process computed, ``seconds`` the time that all took.
    """

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0
    versions: list[str] = field(default_factory=list)
    busy: float = 0.0
    seconds: float = 0.0


class _Connection:
    """One connection, and the request that it waits for."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._answer = bytearray()
        self._length = 0
        self.socket: socket.socket | None = None
        self.began = 0.0

    def ask(self, request: bytes) -> socket.socket:
        self._answer.clear()
        self._length = 0
        self.began = time.perf_counter()
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        return self.socket

    def answer(self) -> bytes | None:
        """Read what has come, and return the answer when it is whole; b"" where the server hung up."""
        assert self.socket is not None
        piece = self.socket.recv(PIECE)
        self._answer += piece
        if not piece:
            self.close()
            return b""
        if not self._length and (end := self._answer.find(b"\r\n\r\n")) >= 0:
            announced = LENGTH.search(self._answer, 0, end + 2)
            self._length = end + 4 + int(announced[1]) if announced else 0
        if not self._length or len(self._answer) < self._length:
            return None
        return bytes(self._answer)

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def requests_of(bodies: Sequence[object], port: int) -> list[bytes]:
    """Return the bytes of a POST /predict for each body."""
    requests = []
    for body in bodies:
        content = json.dumps(body, ensure_ascii=False).encode()
        head = (
            f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        requests.append(head.encode() + content)
    return requests


def run(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> Seen:
    """Ask over all connections without pause until the time is over or all was asked."""
    seen, versions = Seen(), set[bytes]()
    began, busy = time.perf_counter(), time.process_time()
    waiting = 0
    with selectors.DefaultSelector() as selector:

        def ask(connection: _Connection) -> int:
            over = time.perf_counter() - began >= seconds
            request = None if over else next(requests, None)
            if request is None:
                connection.close()
                return 0
            selector.register(connection.ask(request), selectors.EVENT_READ, connection)
            return 1

        for _ in range(connections):
            waiting += ask(_Connection(port))
        while waiting:
            ready = selector.select(TIMEOUT_S)
            if not ready:
                seen.failed += waiting
                break
            for key, _ in ready:
                connection: _Connection = key.data
                answer = connection.answer()
                if answer is None:
                    continue
                seen.milliseconds.append((time.perf_counter() - connection.began) * 1000)
                found = VERSION.search(answer) if answer.startswith(b"HTTP/1.1 200") else None
                if found:
                    versions.add(found[1])
                else:
                    seen.failed += 1
                selector.unregister(key.fileobj)
                if CLOSES.search(answer, 0, answer.find(b"\r\n\r\n") + 2):
                    connection.close()
                waiting += ask(connection) - 1
    seen.busy, seen.seconds = time.process_time() - busy, time.perf_counter() - began
    seen.versions = sorted(version.decode() for version in versions)
    return seen


def main() -> None:
    load = json.load(sys.stdin)
    requests = requests_of(load["bodies"], load["port"])
    ordered = cycle(requests) if load["again"] else iter(requests)
    print(json.dumps(asdict(run(load["port"], ordered, load["connections"], load["seconds"]))))


if __name__ == "__main__":
    main()
