"""Sources in child processes: started, asked with a time limit, and ended when they hang or take too much memory."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from sources.answers import Kind, Said, SourceTrouble, checked
from sources.interface import NAME, Item
from sources.places import Place

# Seconds that loading a place may take: the import of a large library takes several.
LOAD_S = 60.0
# Seconds between two calls of ``check``.
POLL_S = 0.2
# Most bytes of one answer.
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a child process may use: seconds for one item, and bytes of memory. ``hidden`` are variables it lacks."""

    seconds: float = 20.0
    memory: int = 2_000_000_000
    hidden: frozenset[str] = field(default_factory=frozenset)


def _never() -> None:
    """Let the caller go on; the default where nothing else can end it."""


class SourceProcess:
    """The child process of one place, started when it is needed and again after it was ended."""

    def __init__(self, place: Place, limits: Limits, check: Callable[[], None] = _never) -> None:
        self._place, self._limits, self._check = place, limits, check
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""

    def names(self) -> list[tuple[str, str]]:
        """Return name and version of each source of the place. Raises SourceTrouble if it cannot be loaded."""
        if self._process is not None:
            self.close()
        return self._start()

    def ask(self, number: int, item: Item) -> Mapping[str, Any]:
        """Return the unchecked answer of the place's n-th source. Raises SourceTrouble."""
        if self._process is None:
            self._start()
        told = {
            "title": item.title,
            "industry": item.industry,
            "texts": dict(item.texts),
            "blocks": [astuple(block) for block in item.blocks],
            "size": item.size,
            "labels": [astuple(label) for label in item.labels],
        }
        end = time.monotonic() + self._limits.seconds
        self._send({"source": number, "item": told})
        while True:
            answer = self._receive(end, f"{self._limits.seconds:g} s (TAGLOOM_SOURCE_SECONDS)")
            if "need" not in answer:
                break
            began = time.monotonic()
            path = self._picture(item)
            # What the fetching of the picture takes is not the source's time.
            end += time.monotonic() - began
            self._send({"picture": str(path) if path else None})
        if "error" in answer:
            raise SourceTrouble(Kind.RAISES, str(answer["error"]))
        return answer

    def _picture(self, item: Item) -> Path | None:
        try:
            return item.picture
        # The source waits for the picture, and must not get the next item instead.
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process with all that it has started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _start(self) -> list[tuple[str, str]]:
        self._read = b""
        environment = {name: value for name, value in os.environ.items() if name not in self._limits.hidden}
        root = str(Path(__file__).parents[1])
        paths = [root, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        self._process = subprocess.Popen(
            [
                sys.executable,
                # Not from the working directory: the operator's folder may be there, and be called as our package.
                "-P",
                "-m",
                "sources.child",
                str(self._place.file or self._place.entry),
                str(self._limits.memory),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            # Of its own session, so that all it has started can be ended with it.
            start_new_session=True,
        )
        told = self._receive(time.monotonic() + LOAD_S, f"{LOAD_S:g} s to load")
        if "error" in told:
            self.close()
            raise SourceTrouble(Kind.LOAD, str(told["error"]))
        return [(name, version or self._place.digest) for name, version in told["sources"]]

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _receive(self, end: float, allowed: str) -> dict[str, Any]:
        """Return the next message of the process; end the process where none comes in time, or one that is no JSON."""
        assert self._process
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(pipe, selectors.EVENT_READ)
                while b"\n" not in self._read:
                    self._check()
                    left = end - time.monotonic()
                    if left <= 0:
                        raise SourceTrouble(Kind.SLOW, f"more than {allowed}")
                    if selector.select(min(left, POLL_S)):
                        got = os.read(pipe, 65536)
                        if not got:
                            raise self._ended()
                        self._read += got
                    if len(self._read) > MOST_BYTES:
                        raise SourceTrouble(Kind.NONSENSE, f"an answer of more than {MOST_BYTES:,} bytes")
            line, _, self._read = self._read.partition(b"\n")
            message = json.loads(line)
            if not isinstance(message, dict):
                raise ValueError
        except ValueError:
            self.close()
            raise SourceTrouble(Kind.NONSENSE, "an answer that is no JSON") from None
        # Also when the caller's own check raises: the process is at work on an item that nobody waits for.
        except BaseException:
            self.close()
            raise
        return message

    def _ended(self) -> SourceTrouble:
        assert self._process
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            code = 0
        self.close()
        megabytes = self._limits.memory // 1_000_000
        return SourceTrouble(Kind.ENDS, f"code {code}; it may use {megabytes} MB (TAGLOOM_SOURCE_MEMORY_MB)")


@dataclass(frozen=True)
class ChildSource:
    """One source of a place, as something that can be asked."""

    name: str
    version: str
    about: Mapping[str, str]
    process: SourceProcess
    number: int

    def ask(self, item: Item) -> Said:
        """Return the checked answer. Raises SourceTrouble."""
        return checked(self.process.ask(self.number, item), item)

    def close(self) -> None:
        """End the process, which sources of one file share."""
        self.process.close()


def loaded(process: SourceProcess, place: Place, taken: frozenset[str]) -> list[ChildSource]:
    """Return the sources of a place. Raises SourceTrouble if it has none, or one whose name is odd or taken."""
    found = []
    names: set[str] = set()
    for number, (name, version) in enumerate(process.names()):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise SourceTrouble(Kind.LOAD, f"the name {name!r:.80} is none: use letters, digits, blanks, . and -")
        if name in taken or name in names:
            raise SourceTrouble(Kind.LOAD, f"the name {name!r} is taken: give the source another")
        names.add(name)
        found.append(ChildSource(name, str(version)[:80], {"from": place.shown}, process, number))
    if not found:
        raise SourceTrouble(Kind.LOAD, "no source in it: decorate a function with @source, or write a class")
    return found
