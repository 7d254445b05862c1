"""A server on 127.0.0.1 that speaks OpenAI's chat completions, in place of a vision model."""

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Question:
    """What the server was asked: the title and labels in the text, the picture, and the whole body and header."""

    title: str
    labels: tuple[str, ...]
    picture: bytes
    body: Mapping[str, Any]
    authorization: str

    @classmethod
    def of(cls, body: Mapping[str, Any], authorization: str) -> "Question":
        parts = body["messages"][0]["content"]
        text = parts[-1]["text"]
        title = next((line[7:] for line in text.splitlines() if line.startswith("Title: ")), "")
        labels = tuple(json.loads(text.splitlines()[-1])["labels"])
        url = parts[0]["image_url"]["url"] if len(parts) > 1 else ""
        return cls(title, labels, base64.b64decode(url.partition(",")[2]), body, authorization)


@dataclass(frozen=True)
class Raw:
    """An answer of HTTP as it is, in place of a completion."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Reply = Callable[[Question], str | Raw]


class VisionServer:
    """The server as a context. ``asked`` are the questions so far; ``reply`` may be replaced at any time.

    ``usage`` are the tokens of question and answer that it says it has used, None to say nothing. It waits ``pause``
    seconds before it answers.
    """

    def __init__(self, reply: Reply, *, usage: tuple[int, int] | None = (1000, 100), pause: float = 0.0) -> None:
        self.reply, self.usage, self.pause = reply, usage, pause
        self.asked: list[Question] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                question = Question.of(body, self.headers.get("Authorization", ""))
                server.asked.append(question)
                time.sleep(server.pause)
                self._write(server._answer(question) if self.path == "/v1/chat/completions" else Raw(404))

            def do_GET(self) -> None:
                self._write(Raw(content=b'{"data": []}') if self.path == "/v1/models" else Raw(404))

            def _write(self, raw: Raw) -> None:
                self.send_response(raw.status)
                for name, value in raw.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw.content)))
                self.end_headers()
                self.wfile.write(raw.content)

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that breaks off is what some tests are about."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "VisionServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, question: Question) -> Raw:
        given = self.reply(question)
        if isinstance(given, Raw):
            return given
        completion: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": given}}]}
        if self.usage:
            completion["usage"] = {"prompt_tokens": self.usage[0], "completion_tokens": self.usage[1]}
        return Raw(content=json.dumps(completion).encode())


def erring(truth: Callable[[str], frozenset[str]], right: Mapping[str, float], salt: str = "") -> Reply:
    """Return a model that is right about each label with this probability; the same question has the same answer.

    ``truth`` gives the labels of the item with a title. A label without a rate is left out of the answer.
    """

    def reply(question: Question) -> str:
        true = truth(question.title)
        labels = {}
        for label in question.labels:
            if label in right:
                drawn = zlib.crc32(f"{salt}{question.title}{label}".encode()) / 2**32
                labels[label] = 0.95 if (label in true) == (drawn < right[label]) else 0.05
        return json.dumps({"labels": labels, "boxes": []}, ensure_ascii=False)

    return reply
