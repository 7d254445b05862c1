"""The record of a run as seen from outside Tagloom: the senders write it, not the tested code."""

import json
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx


@dataclass
class Record:
    """Counts and complaints of one run.

    ``told`` is each annotation's last stamp and content that was acknowledged, ``gone`` are those whose deletion was,
    ``spoilt`` the numbers of the versions whose checkpoints the suite has damaged.
    """

    kills: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    harm: Counter[str] = field(default_factory=Counter)
    predictions: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    told: dict[int, tuple[str, str]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    spoilt: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum(self.kills.values())

    def complain(self, what: str) -> None:
        """Something that must not be; told once."""
        if what not in self.wrong:
            self.wrong.append(what)

    def thread(self, work: Callable[..., None], *given: Any) -> threading.Thread:
        """A thread that does this; what ends it early is complained about, or nobody would hear of it."""

        def guarded() -> None:
            try:
                work(*given)
            except Exception as error:
                traceback.print_exc()
                self.complain(f"{work.__qualname__} of the suite ended early: {type(error).__name__}: {error}")

        return threading.Thread(target=guarded)


class Protocol:
    """A file with a line for each request that is sent to the backend and for each answer that comes."""

    def __init__(self, file: Path) -> None:
        self._file: IO[str] = file.open("w", encoding="utf-8")
        self._lock = threading.Lock()

    def close(self) -> None:
        self._file.close()

    def sent(self, request: httpx.Request) -> None:
        body = _body(request)
        annotation = body.get("annotation")
        number = annotation.get("id") if isinstance(annotation, dict) else None
        self._write({"sent": request.url.path, "action": body.get("action"), "annotation": number})

    def answered(self, response: httpx.Response) -> None:
        self._write({"answered": response.request.url.path, "status": response.status_code})

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps({"at": round(time.time(), 3), **line}) + "\n")
            self._file.flush()


def acknowledged(response: httpx.Response, record: Record) -> None:
    """Note an annotation that the backend said it has, or deletions that it said it has heard of."""
    if response.request.url.path != "/webhook" or not response.is_success:
        return
    body = _body(response.request)
    annotation = body.get("annotation")
    if isinstance(annotation, dict):
        told = annotation["updated_at"], json.dumps(annotation["result"], sort_keys=True)
        record.told[annotation["id"]] = max(record.told.get(annotation["id"], ("", "")), told)
    if body.get("action") == "ANNOTATIONS_DELETED":
        record.gone.update(entry["id"] for entry in body["annotations"])


def _body(request: httpx.Request) -> dict[str, Any]:
    body = json.loads(request.content or b"{}")
    return body if isinstance(body, dict) else {}
